"""A body layer of an adder network of 16 channels in 8 bits, with `vdbpsadbw`: one and a half times the taps of `vpsadbw`.

`vdbpsadbw` sums |difference| over four neighbouring bytes, for each of 32 places: with pixels of a channel side by side, a row of four
taps at 32 pixels, 128 differences to the 64 of `vpsadbw`. Three of the taps are a row of the kernel; the fourth is given the weight 0, so
it adds its pixel, whatever the output. These pixels are summed up once for all outputs and taken off at the end. Sums have 16 bits, in
which 3 x 16 rows of 4 x 255 have room, and the addition that saturates keeps clear of the unit of `vdbpsadbw` (see `adder_u8_words`).

In every sixteen bytes of a register the instruction finds the fours of eight pixels only. Two registers, the second read eight bytes
further on, have those of 64 pixels between them: the first of them eight pixels in sixteen, the second one the eight after these. Bytes
that `vpunpcklbw` and `vpunpckhbw` widen are in the same order, and `vpackuswb` brings them back into one register.

The way back to 8 bits is `vpdpwssd` twice, on pairs of 16-bit numbers: sum and identity, and both again. That halves the factors, the
sum's into two halves and the identity's into a high and a low part; what is subtracted to make numbers signed is made up for in the bias.
PReLU is `vpmulhrsw` and the larger of the two, on results of 16 bits that `vpackssdw` has clamped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.kernels.assembler import Assembler, Memory
from engine.kernels.planes import (
    CHANNELS,
    CONSTANTS,
    DISTANCE,
    FIRST_OWN,
    REGISTER,
    Program,
    Stream,
    begun,
    below,
    paired,
    registers,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.integer import IntegerLayer, Skip
    from engine.kernels.buffers import View

BLOCK = 64
TOGETHER = 8
"""Outputs whose sums are in registers at a time."""
FOURS = 0x94
"""Of sixteen bytes: the first and second four for four pixels, the second and third for the next four."""
SIGN, BYTE_LIMIT, LOW_HALF = np.full(32, 0x8000, np.uint16), np.full(32, 255, np.uint16), np.full(16, 0xFFFF, np.uint32)
RESCALE_AT, SKIP_AT, ACTIVATION_AT, WEIGHTS_AT = 3 * REGISTER, 7 * REGISTER, 8 * REGISTER, 9 * REGISTER
NUMBER, NUMBERS_AN_OUTPUT = 4, 4
SLOPES_BYTES = 2
"""A PReLU's slope, 16 bits; the output's zero point follows after all 16 of them."""
ROW_OF_WEIGHTS = CHANNELS * NUMBER
AHEAD = 2 * REGISTER
"""How far ahead the lowest row, whose bytes are new, is brought into the caches: there are too many planes for a processor to guess."""
KEEP_OR = 0xF8
"""`vpternlogd`: the first, or what both others have."""
LOW_LANES, HIGH_LANES, EVEN_LANES, ODD_LANES = 0x44, 0xEE, 0x88, 0xDD
"""`vshufi32x4`: the first two or last two quarters of either register, or the first and third, or the second and fourth."""
SOURCE, SOURCE_ROW, SOURCE_PLANE, TARGET, TARGET_ROW, TARGET_PLANE, EARLY = range(FIRST_OWN, FIRST_OWN + 7)
EXTRA, FREE, KEPT, NOUGHT, SIGNS, LIMIT, HALF = 16, 18, 24, 28, 29, 30, 31
"""Registers: two of sums of fourth taps, the first of six and of four more for anything, and those that hold constants."""
HIGHEST = 2**15 - 1


def fits(layer: IntegerLayer) -> bool:
    """Whether the rescale's factors can be had as pairs of 16-bit numbers: all that networks have in practice."""
    return bool(np.abs(layer.rescale.multiplier).max() <= 2 * HIGHEST) and abs(layer.rescale.residual) >> 8 < HIGHEST


def constants(layer: IntegerLayer, skip: Skip | None) -> NDArray[np.uint8]:
    """What the kernel reads beside feature maps. ``layer`` has 16 channels, and its weights are codes in 8 bits."""
    rescale = layer.rescale
    first = rescale.multiplier // 2
    low, high = rescale.residual & 255, rescale.residual >> 8
    bias = rescale.bias.astype(np.int64) + 0x8000 * rescale.multiplier.astype(np.int64) + 0x8000 * high
    by_output = [paired(first, np.full(CHANNELS, low)), paired(rescale.multiplier - first, np.full(CHANNELS, high))]
    by_output += [bias.astype(np.uint32), np.full(CHANNELS, rescale.shift, np.uint32)]
    long = np.zeros(3, np.uint32)
    if skip is not None:
        long[0], long[1:] = paired(np.array(skip.first), np.array(skip.body)), np.array([skip.bias, skip.shift]).astype(np.uint32)
    fours = np.pad(layer.weight, ((0, 0), (0, 0), (0, 0), (0, 1))).transpose(1, 2, 0, 3)  # input, row, output, taps
    slopes = np.zeros(CHANNELS, np.int16) if layer.slope is None else layer.slope
    activation = np.append(slopes, np.int16(layer.zero)).astype(np.int16)
    return registers(SIGN, BYTE_LIMIT, LOW_HALF, np.stack(by_output, 1), long, activation, np.ascontiguousarray(fours, np.uint8))


def build(skip: bool = False, prelu: bool = False) -> Program:
    """From planes u8 padded by 1, to planes u8; with ``skip``, the body's last layer, the first layer's planes come second.

    Then the result is their long residual, s16 in pairs of channels: planes of 32-bit numbers. With ``prelu`` that is the activation,
    else ReLU.
    """
    a = begun({DISTANCE: SOURCE_ROW, "r15": SOURCE_PLANE, "r9": TARGET_PLANE} | ({"rbp": EARLY} if skip else {}))
    a.vector("vpxord", NOUGHT, NOUGHT, NOUGHT)
    for index, register in enumerate((SIGNS, LIMIT, HALF)):
        a.vector("vmovdqu64", register, Memory(CONSTANTS, REGISTER * index))

    def compute() -> None:
        for register in (EXTRA, EXTRA + 1):
            a.vector("vmovdqu64", register, SIGNS)
        for first in range(0, CHANNELS, TOGETHER):
            _sums(a, first)
            _results(a, first, skip, prelu)

    source = Stream(SOURCE, SOURCE_ROW, "rsi", "r12", BLOCK)
    target = Stream(TARGET, TARGET_ROW, "rdx", "r13", BLOCK * (NUMBER if skip else 1))
    walk(a, (source, target), compute)
    a.leave()
    return Program(a.code, BLOCK, _arguments_with_skip if skip else _arguments)


def _sums(a: Assembler, first: int) -> None:
    """Sums of fours of the outputs from ``first`` on: in registers 0 to 7 of one half of the pixels, in 8 to 15 of the other."""
    for register in range(2 * TOGETHER):
        a.vector("vpxord", register, register, register)
    a.move("rax", "r12")
    a.move("rcx", CONSTANTS)
    a.set("rbx", CHANNELS)
    channel = a.place()
    near, far, extra = FREE, FREE + 1, FREE + 2
    for row in range(3):
        a.vector("vmovdqu64", near, below("rax", -1, row))
        a.vector("vmovdqu64", far, below("rax", 7, row))
        if not first:
            a.vector("vmovdqu64", extra, below("rax", 2, row))
            a.vector("vpunpcklbw", extra + 1, extra, NOUGHT)
            a.vector("vpunpckhbw", extra, extra, NOUGHT)
            a.vector("vpaddw", EXTRA, EXTRA, extra + 1)
            a.vector("vpaddw", EXTRA + 1, EXTRA + 1, extra)
        for output in range(TOGETHER):
            taps, sums = FREE + 3 + 2 * (output % 3), FREE + 4 + 2 * (output % 3)
            a.vector("vpbroadcastd", taps, Memory("rcx", WEIGHTS_AT + ROW_OF_WEIGHTS * row + NUMBER * (first + output)))
            a.vector("vdbpsadbw", sums, taps, near, immediate=FOURS)
            a.vector("vdbpsadbw", taps, taps, far, immediate=FOURS)
            a.vector("vpaddusw", output, output, sums)
            a.vector("vpaddusw", TOGETHER + output, TOGETHER + output, taps)
    if not first:
        a.prefetch(below("rax", AHEAD, 2))
    a.add("rcx", 3 * ROW_OF_WEIGHTS)
    a.add("rax", "r15")
    a.repeat("rbx", channel)


def _results(a: Assembler, first: int, skip: bool, prelu: bool) -> None:
    """From the sums to the target's planes."""
    a.move("rbx", "r13")
    a.move("rax", "r12")
    a.add("rax", DISTANCE)
    for output in range(first):
        a.add("rax", "r15")
        if output % 2 or not skip:
            a.add("rbx", "r9")
    for output in range(TOGETHER):
        halves = output, TOGETHER + output
        for half, (sums, widen) in enumerate(zip(halves, ("vpunpcklbw", "vpunpckhbw"), strict=True)):
            a.vector("vpsubw", sums, sums, EXTRA + half)
            pack = "vpackusdw" if skip and not prelu else "vpackssdw"
            _rescale(a, sums, widen, RESCALE_AT + NUMBER * NUMBERS_AN_OUTPUT * (first + output), pack)
            if prelu:
                _activate(a, sums, ACTIVATION_AT + SLOPES_BYTES * (first + output))
            if prelu and skip:
                a.vector("vpmaxsw", sums, sums, NOUGHT)
            if skip:
                _add_early(a, sums, widen, KEPT + 2 * (output % 2) + half)
        if not skip:
            a.vector("vpackuswb", halves[0], *halves)
            a.vector("vmovdqu64 to memory", Memory("rbx"), halves[0])
            a.add("rbx", "r9")
        elif output % 2:
            _store_pair(a, output)
        a.add("rax", "r15")


def _rescale(a: Assembler, sums: int, widen: str, at: int, pack: str) -> None:
    """From sums of 16 bits less 0x8000 to codes of 16 bits that are still to be clamped."""
    identity, shifted, low, high, second_low, second_high = range(FREE, FREE + 6)
    a.vector("vmovdqu64", identity, Memory("rax"))
    a.vector(widen, identity, identity, NOUGHT)
    a.vector("vpsllw", shifted, identity, immediate=8)
    a.vector("vpxord", shifted, shifted, SIGNS)
    a.vector("vpunpcklwd", low, sums, identity)
    a.vector("vpunpckhwd", high, sums, identity)
    a.vector("vpunpcklwd", second_low, sums, shifted)
    a.vector("vpunpckhwd", second_high, sums, shifted)
    for total, one, other in ((identity, low, second_low), (shifted, high, second_high)):
        a.vector("vpbroadcastd", total, Memory(CONSTANTS, at + 2 * NUMBER))
        a.vector("vpdpwssd", total, one, Memory(CONSTANTS, at, broadcast=True))
        a.vector("vpdpwssd", total, other, Memory(CONSTANTS, at + NUMBER, broadcast=True))
        a.vector("vpsravd", total, total, Memory(CONSTANTS, at + 3 * NUMBER, broadcast=True))
    a.vector(pack, sums, identity, shifted)


def _activate(a: Assembler, codes: int, at: int) -> None:
    """PReLU of codes of 16 bits, and the zero point: they are still to be clamped."""
    below, zero = FREE, FREE + 1
    a.vector("vpbroadcastw", below, Memory(CONSTANTS, at))
    a.vector("vpbroadcastw", zero, Memory(CONSTANTS, ACTIVATION_AT + SLOPES_BYTES * CHANNELS))
    a.vector("vpmulhrsw", below, codes, below)
    a.vector("vpmaxsw", codes, codes, below)
    a.vector("vpaddsw", codes, codes, zero)


def _add_early(a: Assembler, codes: int, widen: str, high: int) -> None:
    """The long residual of codes of 16 bits and the first layer's, in 32: each eight's first four in ``codes``, the others in ``high``."""
    early, low_pairs, high_pairs = range(FREE, FREE + 3)
    a.vector("vpminuw", codes, codes, LIMIT)
    a.vector("vmovdqu64", early, Memory("rax", 0, "rbp"))
    a.vector(widen, early, early, NOUGHT)
    a.vector("vpunpcklwd", low_pairs, early, codes)
    a.vector("vpunpckhwd", high_pairs, early, codes)
    for total, pairs in ((codes, low_pairs), (high, high_pairs)):
        a.vector("vpbroadcastd", total, Memory(CONSTANTS, SKIP_AT + NUMBER))
        a.vector("vpdpwssd", total, pairs, Memory(CONSTANTS, SKIP_AT, broadcast=True))
        a.vector("vpsravd", total, total, Memory(CONSTANTS, SKIP_AT + 2 * NUMBER, broadcast=True))


def _store_pair(a: Assembler, output: int) -> None:
    """The long residuals of ``output`` and of the one before it, as pairs, in the order of pixels."""
    fours = output, KEPT + 2, TOGETHER + output, KEPT + 3
    for odd, even in zip(fours, (output - 1, KEPT, TOGETHER + output - 1, KEPT + 1), strict=True):
        a.vector("vpslld", odd, odd, immediate=16)
        a.vector("vpternlogd", odd, even, HALF, immediate=KEEP_OR)
    for half, lanes in enumerate((LOW_LANES, HIGH_LANES)):
        a.vector("vshufi32x4", FREE, *fours[:2], immediate=lanes)
        a.vector("vshufi32x4", FREE + 1, *fours[2:], immediate=lanes)
        for quarter, chosen in enumerate((EVEN_LANES, ODD_LANES)):
            a.vector("vshufi32x4", FREE + 2, FREE, FREE + 1, immediate=chosen)
            a.vector("vmovdqu64 to memory", Memory("rbx", REGISTER * (2 * half + quarter)), FREE + 2)
    a.add("rbx", "r9")


def _arguments(views: Sequence[View]) -> Sequence[int]:
    source, table, target = views
    return table.origin, source.origin - source.row, source.row, source.innermost, target.origin, target.row, target.innermost


def _arguments_with_skip(views: Sequence[View]) -> Sequence[int]:
    source, early, table, target = views
    assert (early.row, early.innermost) == (source.row, source.innermost)
    return *_arguments((source, table, target)), early.origin - source.origin
