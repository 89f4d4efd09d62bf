"""Kernels in AVX-512 machine code for networks of 16 channels whose feature maps are planes: what they share.

A feature map is (row, channel, column): neighbouring pixels of a channel lie side by side, so that a register holds 32 or 16 of them. A
kernel computes a block of columns and all channels at a time. It is called with the address of its arguments, numbers of 64 bits: how many
rows and blocks, where its constants are, then what its own module says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.kernels.assembler import Assembler, Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.kernels.buffers import View

CHANNELS = 16
COLUMNS = 64
"""Rows must have a multiple of so many."""
REGISTER = 64
ARGUMENT_BYTES = 8
ROWS, BLOCKS, TABLE, FIRST_OWN = range(4)
"""Which of a kernel's arguments are how many rows and blocks to do, and where its constants are."""
ARGUMENTS, ROWS_LEFT, LEFT, CONSTANTS = "rdi", "r11", "r10", "r8"
"""The general registers for where arguments are, how many rows and how many blocks of a row are left, and where constants are."""
DISTANCE, THRICE = "r14", "r15"
"""Those for the bytes from a row to the next, and for three times as many (where four rows below are read)."""


@dataclass(frozen=True)
class Program:
    """A kernel: its code, the columns of its ``block``, and how its arguments from `TABLE` on are made of the views that it is called with.

    These are its inputs, its constants, and what it fills.
    """

    code: bytes
    block: int
    arguments: Callable[[Sequence[View]], Sequence[int]]


def begun(own: Mapping[str, int]) -> Assembler:
    """The beginning of every kernel: the caller's registers kept, `CONSTANTS` set, and registers to those arguments that ``own`` says."""
    a = Assembler()
    a.enter()
    for register, index in {CONSTANTS: TABLE, **own}.items():
        a.load(register, argument(index))
    return a


def argument(index: int) -> Memory:
    """Where a kernel finds its argument number ``index``."""
    return Memory(ARGUMENTS, ARGUMENT_BYTES * index)


@dataclass(frozen=True)
class Stream:
    """A map that a kernel walks through: which argument is its first address and which one its rows' distance in bytes.

    The two general registers: where its row begins, and where its block does. ``step``: bytes from a block to the next.
    """

    argument: int
    distance: int
    row: str
    block: str
    step: int


def walk(a: Assembler, streams: Sequence[Stream], compute: Callable[[], None]) -> None:
    """Emit ``compute`` for every block of every row. Changes rax."""
    a.load(ROWS_LEFT, argument(ROWS))
    for stream in streams:
        a.load(stream.row, argument(stream.argument))
    row = a.place()
    a.load(LEFT, argument(BLOCKS))
    for stream in streams:
        a.move(stream.block, stream.row)
    block = a.place()
    compute()
    for stream in streams:
        a.add(stream.block, stream.step)
    a.repeat(LEFT, block)
    for stream in streams:
        a.load("rax", argument(stream.distance))
        a.add(stream.row, "rax")
    a.repeat(ROWS_LEFT, row)


def below(base: str, offset: int, row: int) -> Memory:
    """The address ``offset`` bytes from ``base``, so many rows further down, 0 to 4, as `DISTANCE` and `THRICE` say."""
    index, scale = ((None, 1), (DISTANCE, 1), (DISTANCE, 2), (THRICE, 1), (DISTANCE, 4))[row]
    return Memory(base, offset, index, scale)


def take_distance(a: Assembler, index: int) -> None:
    """Set `DISTANCE`, which argument number ``index`` is, and `THRICE`: no address can be written with three times a register."""
    a.load(DISTANCE, argument(index))
    a.move(THRICE, DISTANCE)
    a.add(THRICE, DISTANCE)
    a.add(THRICE, DISTANCE)


def paired(low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.uint32]:
    """Two arrays of 16-bit numbers as the halves of 32-bit ones, for `vpdpwssd`."""
    halves = (half.astype(np.int16).view(np.uint16).astype(np.uint32) for half in (low, high))
    return np.asarray(next(halves) | next(halves) << np.uint32(16), np.uint32)


def registers(*numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of constants, one after another; each begins where a register's bytes do."""
    parts = [np.frombuffer(array.tobytes(), np.uint8) for array in numbers]
    return np.concatenate([np.pad(part, (0, -len(part) % REGISTER)) for part in parts])
