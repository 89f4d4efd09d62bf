"""The last layer of an integer network of 16 channels at scale 2: planes of pairs of 16-bit sums to the picture, 5x5 taps.

A pair of channels is what `vpdpwssd` takes, and the planes hold such pairs: sixteen columns a register, wherever in the row they begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.kernels.assembler import Assembler, Memory
from engine.kernels.planes import (
    CHANNELS,
    CONSTANTS,
    FIRST_OWN,
    REGISTER,
    TABLE,
    Program,
    Stream,
    argument,
    below,
    paired,
    registers,
    take_distance,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.integer import LastLayer
    from engine.kernels.buffers import View

SCALE, OUTPUTS, KERNEL = 2, 4, 5
VECTORS = 4
"""Registers of columns in a block."""
PIXEL_BYTES = 4
BLOCK = VECTORS * REGISTER // PIXEL_BYTES
ONE_AT, RESULT_AT, WEIGHTS_AT = 2 * REGISTER, 3 * REGISTER, 4 * REGISTER
PAIR_OF_CHANNELS = KERNEL**2 * OUTPUTS * PIXEL_BYTES
HALF = REGISTER // PIXEL_BYTES // 2
FIRST_HALF = np.arange(32).reshape(2, 16).T.ravel()[:16]
"""Of two registers, even columns and odd ones of the picture: the left half of its columns."""
SOURCE, SOURCE_ROW, SOURCE_PLANE, PLANE, PLANE_ROW, TARGET, TARGET_ROW, TARGET_LINE = range(FIRST_OWN, FIRST_OWN + 8)
COLUMNS, WEIGHT, RIGHT, LEFT_HALF, NOUGHT, ONE = 16, 20, 28, 29, 30, 31


def constants(layer: LastLayer) -> NDArray[np.uint8]:
    """What the kernel reads beside feature maps. ``layer`` has 16 inputs and 4 outputs."""
    pairs = paired(layer.weight[:, 0::2], layer.weight[:, 1::2]).transpose(1, 2, 3, 0)  # pair, row, column, output
    halves = (FIRST_HALF.astype(np.uint32), (FIRST_HALF + HALF).astype(np.uint32))
    result = np.stack([layer.bias.view(np.uint32), layer.multiplier.view(np.uint32)], 1)
    return registers(*halves, np.ones(2 * HALF, np.float32), result, np.ascontiguousarray(pairs))


def build() -> Program:
    """From planes of pairs s16 padded by 2 and the luma plane f32, to the picture f32."""
    a = Assembler()
    a.enter()
    for name, index in {CONSTANTS: TABLE, "r9": SOURCE_PLANE}.items():
        a.load(name, argument(index))
    take_distance(a, SOURCE_ROW)
    for register, at in ((LEFT_HALF, 0), (RIGHT, REGISTER), (ONE, ONE_AT)):
        a.vector("vmovdqu64", register, Memory(CONSTANTS, at))
    a.vector("vpxord", NOUGHT, NOUGHT, NOUGHT)

    def compute() -> None:
        _sums(a)
        a.load("rbx", argument(TARGET_LINE))
        for line in range(SCALE):
            _results(a, line)

    source = Stream(SOURCE, SOURCE_ROW, "rsi", "r12", BLOCK * PIXEL_BYTES)
    plane = Stream(PLANE, PLANE_ROW, "rdx", "r13", BLOCK * PIXEL_BYTES)
    target = Stream(TARGET, TARGET_ROW, "rcx", "rbp", SCALE * BLOCK * PIXEL_BYTES)
    walk(a, (source, plane, target), compute)
    a.leave()
    return Program(a.code, BLOCK, _arguments)


def _sums(a: Assembler) -> None:
    """An output's sums in as many registers as `VECTORS`."""
    for register in range(OUTPUTS * VECTORS):
        a.vector("vpxord", register, register, register)
    a.move("rax", "r12")
    a.set("rbx", CHANNELS // 2)
    pair = a.place()
    for line in range(KERNEL):
        for column in range(KERNEL):
            for vector in range(VECTORS):
                a.vector("vmovdqu64", COLUMNS + vector, below("rax", PIXEL_BYTES * column + REGISTER * vector, line))
            for output in range(OUTPUTS):
                at = WEIGHTS_AT + PIXEL_BYTES * (OUTPUTS * (KERNEL * line + column) + output)
                a.vector("vpbroadcastd", WEIGHT + output, Memory(CONSTANTS, at))
                for vector in range(VECTORS):
                    a.vector("vpdpwssd", VECTORS * output + vector, COLUMNS + vector, WEIGHT + output)
    for vector in range(VECTORS):
        a.prefetch(below("rax", (VECTORS + vector) * REGISTER, KERNEL - 1))
    a.add(CONSTANTS, PAIR_OF_CHANNELS)  # there and, for want of a register, back
    a.add("rax", "r9")
    a.repeat("rbx", pair)
    a.add(CONSTANTS, -PAIR_OF_CHANNELS * (CHANNELS // 2))


def _results(a: Assembler, line: int) -> None:
    """One of the picture's lines that a row of pixels becomes."""
    for vector in range(VECTORS):
        even, odd = (VECTORS * output + vector for output in (SCALE * line, SCALE * line + 1))
        for output, total in ((SCALE * line, even), (SCALE * line + 1, odd)):
            at = RESULT_AT + 2 * PIXEL_BYTES * output
            a.vector("vpaddd", total, total, Memory(CONSTANTS, at, broadcast=True))
            a.vector("vcvtdq2ps", total, total)
            a.vector("vmulps", total, total, Memory(CONSTANTS, at + PIXEL_BYTES, broadcast=True))
            a.vector("vaddps", total, total, Memory("r13", REGISTER * vector))
            a.vector("vmaxps", total, total, NOUGHT)
            a.vector("vminps", total, total, ONE)
        left = COLUMNS
        a.vector("vmovdqu64", left, even)
        a.vector("vpermt2d", left, LEFT_HALF, odd)
        a.vector("vpermt2d", even, RIGHT, odd)
        index = "rbx" if line else None
        a.vector("vmovdqu64 to memory", Memory("rbp", SCALE * REGISTER * vector, index), left)
        a.vector("vmovdqu64 to memory", Memory("rbp", SCALE * REGISTER * vector + REGISTER, index), even)


def _arguments(views: Sequence[View]) -> Sequence[int]:
    source, table, plane, target = views
    first = source.origin - 2 * source.row - 2 * PIXEL_BYTES
    return table.origin, first, source.row, source.innermost, plane.origin, plane.row, target.origin, target.row, target.row // SCALE
