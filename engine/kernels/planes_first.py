"""The first layer of an integer network of 16 channels: luma in 16-bit codes to planes of bytes, 5x5 taps of one channel.

Two neighbouring taps of a row are a pair for `vpdpwssd`, and neighbouring codes of luma lie in memory as such pairs: for even columns as
they are, for odd ones a code further on. So a block's even and odd columns have a register each, and the two become bytes side by side.
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

    from engine.integer import IntegerLayer
    from engine.kernels.buffers import View

BLOCK = 32
TOGETHER = 8
"""Outputs whose sums are in registers at a time."""
KERNEL, PAIRS = 5, 3
CODE_BYTES, SUM_BYTES = 2, 4
RESULT_AT = KERNEL * PAIRS * TOGETHER * SUM_BYTES
TURN_BYTES = RESULT_AT + 3 * SUM_BYTES * TOGETHER
TURNS_AT = REGISTER
SOURCE, SOURCE_ROW, TARGET, TARGET_ROW, TARGET_PLANE = range(FIRST_OWN, FIRST_OWN + 5)
EVEN, ODD, NOUGHT, LIMIT = 16, 17, 30, 31


def constants(layer: IntegerLayer) -> NDArray[np.uint8]:
    """What the kernel reads beside feature maps. ``layer`` has 16 outputs and one input."""
    taps = np.pad(layer.weight[:, 0], ((0, 0), (0, 0), (0, 1)))
    pairs = paired(taps[:, :, 0::2], taps[:, :, 1::2])
    rescale, turns = layer.rescale, []
    shift = np.full(CHANNELS, rescale.shift, np.int32)
    for first in range(0, CHANNELS, TOGETHER):
        chosen = slice(first, first + TOGETHER)
        turns += [pairs[chosen].transpose(1, 2, 0).ravel()]
        turns += [np.stack([rescale.multiplier[chosen], rescale.bias[chosen], shift[chosen]], 1).astype(np.uint32).ravel()]
    return registers(np.full(CHANNELS, 255, np.uint32), np.concatenate(turns))


def build() -> Program:
    """From codes s16 padded by 2, to planes u8."""
    a = begun({"r9": TARGET_PLANE})
    take_distance(a, SOURCE_ROW)
    a.vector("vmovdqu64", LIMIT, Memory(CONSTANTS))
    a.vector("vpxord", NOUGHT, NOUGHT, NOUGHT)

    def compute() -> None:
        a.move("rcx", CONSTANTS)
        a.move("rbx", "r13")
        a.set("rbp", CHANNELS // TOGETHER)
        turn = a.place()
        _sums(a)
        for output in range(TOGETHER):
            _result(a, output)
        a.add("rcx", TURN_BYTES)
        a.repeat("rbp", turn)

    source = Stream(SOURCE, SOURCE_ROW, "rsi", "r12", BLOCK * CODE_BYTES)
    walk(a, (source, Stream(TARGET, TARGET_ROW, "rdx", "r13", BLOCK)), compute)
    a.leave()
    return Program(a.code, BLOCK, _arguments)


def _sums(a: Assembler) -> None:
    """Of `TOGETHER` outputs: even columns' in registers 0 to 7, odd ones' in 8 to 15."""
    for register in range(2 * TOGETHER):
        a.vector("vpxord", register, register, register)
    for line in range(KERNEL):
        for pair in range(PAIRS):
            for register, shift in ((EVEN, 0), (ODD, CODE_BYTES)):
                a.vector("vmovdqu64", register, below("r12", 2 * CODE_BYTES * pair + shift, line))
            for output in range(TOGETHER):
                at = TURNS_AT + SUM_BYTES * ((line * PAIRS + pair) * TOGETHER + output)
                for register, total in ((EVEN, output), (ODD, TOGETHER + output)):
                    a.vector("vpdpwssd", total, register, Memory("rcx", at, broadcast=True))


def _result(a: Assembler, output: int) -> None:
    at = TURNS_AT + RESULT_AT + 3 * SUM_BYTES * output
    even, odd = output, TOGETHER + output
    for total in (even, odd):
        for name, operand in (("vpmulld", 0), ("vpaddd", 1), ("vpsravd", 2)):
            a.vector(name, total, total, Memory("rcx", at + SUM_BYTES * operand, broadcast=True))
        a.vector("vpmaxsd", total, total, NOUGHT)
        a.vector("vpminsd", total, total, LIMIT)
    a.vector("vpslld", odd, odd, immediate=8)
    a.vector("vpord", even, even, odd)
    a.vector("vpmovdw to memory", Memory("rbx"), even)
    a.add("rbx", "r9")


def _arguments(views: Sequence[View]) -> Sequence[int]:
    source, table, target = views
    first = source.origin - 2 * source.row - 2 * CODE_BYTES
    return table.origin, first, source.row, target.origin, target.row, target.innermost
