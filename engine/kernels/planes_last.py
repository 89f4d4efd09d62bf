"""The last layer of an integer network of 16 channels: planes of pairs of 16-bit sums to the picture, 5x5 taps.

A pair of channels is what `vpdpwssd` takes, and the planes hold such pairs: sixteen columns a register, wherever in the row they begin.
Outputs that become one line of the picture, or two at scale 2, are summed at a time.
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
    Program,
    Stream,
    argument,
    begun,
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

KERNEL = 5
VECTORS = 4
"""Registers of columns in a block."""
PIXEL_BYTES = 4
LANES = REGISTER // PIXEL_BYTES
BLOCK = VECTORS * LANES
ONE_AT, RESULT_AT, ORDER_AT = 0, REGISTER, 3 * REGISTER
SOURCE, SOURCE_ROW, SOURCE_PLANE, PLANE, PLANE_ROW, TARGET, TARGET_ROW, TARGET_LINE = range(FIRST_OWN, FIRST_OWN + 8)
COLUMNS, WEIGHT, MIXED, ORDER, NOUGHT, ONE = 16, 20, 24, 25, 30, 31


def together(scale: int) -> int:
    """How many outputs are summed at a time: as many lines' as their sums find registers."""
    return scale * (2 if scale == 2 else 1)


def constants(layer: LastLayer, scale: int) -> NDArray[np.uint8]:
    """What the kernel reads beside feature maps. ``layer`` has 16 inputs and scale^2 outputs."""
    group = together(scale)
    pairs = paired(layer.weight[:, 0::2], layer.weight[:, 1::2]).reshape(-1, group, CHANNELS // 2, KERNEL, KERNEL)
    result = np.zeros((LANES, 2), np.uint32)
    result[: scale**2] = np.stack([layer.bias.view(np.uint32), layer.multiplier.view(np.uint32)], 1)
    weights = np.ascontiguousarray(pairs.transpose(0, 2, 3, 4, 1))  # group, pair of channels, row, column, output
    return registers(np.ones(LANES, np.float32), result, *_orders(scale), weights)


def _orders(scale: int) -> list[NDArray[np.uint32]]:
    """For `vpermt2d`: how outputs side by side are mixed into registers of a line, one output after another."""
    at = np.arange(scale * LANES).reshape(scale, LANES)
    pixel, column, place = at // scale, at % scale, at % LANES
    return [
        np.where(column[part] == added, LANES + pixel[part], pixel[part] if added == 1 else place[part]).astype(np.uint32)
        for part in range(scale)
        for added in range(1, scale)
    ]


def build(scale: int) -> Program:
    """From planes of pairs s16 padded by 2 and the luma plane f32, to the picture f32."""
    group, orders = together(scale), scale * (scale - 1)
    weights_at = ORDER_AT + orders * REGISTER
    a = begun({"r9": SOURCE_PLANE})
    take_distance(a, SOURCE_ROW)
    a.vector("vmovdqu64", ONE, Memory(CONSTANTS, ONE_AT))
    a.vector("vpxord", NOUGHT, NOUGHT, NOUGHT)

    def compute() -> None:
        for first in range(0, scale**2, group):
            done = _sums(a, group, weights_at, last=first + group == scale**2)
            for line in range(first // scale, (first + group) // scale):
                _results(a, scale, line, first, done * (first // group + 1))
        a.add(CONSTANTS, -done * (scale**2 // group))

    source = Stream(SOURCE, SOURCE_ROW, "rsi", "r12", BLOCK * PIXEL_BYTES)
    plane = Stream(PLANE, PLANE_ROW, "rdx", "r13", BLOCK * PIXEL_BYTES)
    target = Stream(TARGET, TARGET_ROW, "rcx", "rbp", scale * BLOCK * PIXEL_BYTES)
    walk(a, (source, plane, target), compute)
    a.leave()
    return Program(a.code, BLOCK, _arguments)


def _sums(a: Assembler, outputs: int, weights_at: int, *, last: bool) -> int:
    """Each output's sums in as many registers as `VECTORS`. Returns by how much it has moved `CONSTANTS`, for want of another register."""
    for register in range(outputs * VECTORS):
        a.vector("vpxord", register, register, register)
    a.move("rax", "r12")
    a.set("rbx", CHANNELS // 2)
    pair = a.place()
    for line in range(KERNEL):
        for column in range(KERNEL):
            for vector in range(VECTORS):
                a.vector("vmovdqu64", COLUMNS + vector, below("rax", PIXEL_BYTES * column + REGISTER * vector, line))
            for output in range(outputs):
                at = weights_at + PIXEL_BYTES * (outputs * (KERNEL * line + column) + output)
                a.vector("vpbroadcastd", WEIGHT + output, Memory(CONSTANTS, at))
                for vector in range(VECTORS):
                    a.vector("vpdpwssd", VECTORS * output + vector, COLUMNS + vector, WEIGHT + output)
    for vector in range(VECTORS if last else 0):
        a.prefetch(below("rax", (VECTORS + vector) * REGISTER, KERNEL - 1))
    moved = KERNEL**2 * outputs * PIXEL_BYTES
    a.add(CONSTANTS, moved)
    a.add("rax", "r9")
    a.repeat("rbx", pair)
    return moved * (CHANNELS // 2)


def _results(a: Assembler, scale: int, line: int, first: int, moved: int) -> None:
    """A line of the picture that a row of pixels becomes, of the sums of the outputs from ``first`` on."""
    a.load("rbx", argument(TARGET_LINE))
    a.move("rax", "rbp")
    for _ in range(line):
        a.add("rax", "rbx")
    for vector in range(VECTORS):
        totals = [VECTORS * (scale * line + column - first) + vector for column in range(scale)]
        for column, total in enumerate(totals):
            at = RESULT_AT + 2 * PIXEL_BYTES * (scale * line + column) - moved
            a.vector("vpaddd", total, total, Memory(CONSTANTS, at, broadcast=True))
            a.vector("vcvtdq2ps", total, total)
            a.vector("vmulps", total, total, Memory(CONSTANTS, at + PIXEL_BYTES, broadcast=True))
            a.vector("vaddps", total, total, Memory("r13", REGISTER * vector))
            a.vector("vmaxps", total, total, NOUGHT)
            a.vector("vminps", total, total, ONE)
        for part in range(scale):
            a.vector("vmovdqu64", MIXED, totals[0])
            for added in range(1, scale):
                a.vector("vmovdqu64", ORDER, Memory(CONSTANTS, ORDER_AT + REGISTER * ((scale - 1) * part + added - 1) - moved))
                a.vector("vpermt2d", MIXED, ORDER, totals[added])
            a.vector("vmovdqu64 to memory", Memory("rax", REGISTER * (scale * vector + part)), MIXED)


def _arguments(views: Sequence[View]) -> Sequence[int]:
    source, table, plane, target = views
    first = source.origin - 2 * source.row - 2 * PIXEL_BYTES
    return table.origin, first, source.row, source.innermost, plane.origin, plane.row, target.origin, target.row, target.line
