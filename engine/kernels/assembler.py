"""AVX-512 machine code, for the few kernels that need an instruction which Halide cannot be told to use.

Vector registers are the numbers 0 to 31 and 64 bytes long; general ones have their names. An instruction's operands are given in Intel's
order: destination, first source, second source (a register or `Memory`), immediate. Encodings: Intel's Software Developer's
Manual, volume 2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

GENERAL = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{number}" for number in range(8, 16)))
KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
"""Registers that a function gives back as they were (System V's convention)."""
F0, F38, F3A = 1, 2, 3
NONE, P66, PF3 = 0, 1, 2


@dataclass(frozen=True)
class Memory:
    """The address base + scale * index + offset; ``broadcast``: the 32 bits there, for all of a vector's sixteen."""

    base: str
    offset: int = 0
    index: str | None = None
    scale: int = 1
    broadcast: bool = False


@dataclass(frozen=True)
class Vector:
    """How a vector instruction is encoded: table of opcodes, prefix, opcode, the bit W, and whether its destination is the last operand."""

    table: int
    prefix: int
    opcode: int
    wide: int = 0
    stores: bool = False
    extension: int | None = None


VECTORS = {
    "vaddps": Vector(F0, NONE, 0x58),
    "vcvtdq2ps": Vector(F0, NONE, 0x5B),
    "vdbpsadbw": Vector(F3A, P66, 0x42),
    "vmaxps": Vector(F0, NONE, 0x5F),
    "vminps": Vector(F0, NONE, 0x5D),
    "vmovdqu64 to memory": Vector(F0, PF3, 0x7F, 1, stores=True),
    "vmovdqu64": Vector(F0, PF3, 0x6F, 1),
    "vmulps": Vector(F0, NONE, 0x59),
    "vpackssdw": Vector(F0, P66, 0x6B),
    "vpackusdw": Vector(F38, P66, 0x2B),
    "vpackuswb": Vector(F0, P66, 0x67),
    "vpaddd": Vector(F0, P66, 0xFE),
    "vpaddsw": Vector(F0, P66, 0xED),
    "vpaddusw": Vector(F0, P66, 0xDD),
    "vpaddw": Vector(F0, P66, 0xFD),
    "vpbroadcastd": Vector(F38, P66, 0x58),
    "vpbroadcastw": Vector(F38, P66, 0x79),
    "vpdpwssd": Vector(F38, P66, 0x52),
    "vpermt2d": Vector(F38, P66, 0x7E),
    "vpmaxsd": Vector(F38, P66, 0x3D),
    "vpmaxsw": Vector(F0, P66, 0xEE),
    "vpminsd": Vector(F38, P66, 0x39),
    "vpminuw": Vector(F38, P66, 0x3A),
    "vpmovdw to memory": Vector(F38, PF3, 0x33, stores=True),
    "vpmulhrsw": Vector(F38, P66, 0x0B),
    "vpmulld": Vector(F38, P66, 0x40),
    "vpord": Vector(F0, P66, 0xEB),
    "vpslld": Vector(F0, P66, 0x72, extension=6),
    "vpsllw": Vector(F0, P66, 0x71, extension=6),
    "vpsravd": Vector(F38, P66, 0x46),
    "vpsubw": Vector(F0, P66, 0xF9),
    "vpternlogd": Vector(F3A, P66, 0x25),
    "vpunpckhbw": Vector(F0, P66, 0x68),
    "vpunpckhwd": Vector(F0, P66, 0x69),
    "vpunpcklbw": Vector(F0, P66, 0x60),
    "vpunpcklwd": Vector(F0, P66, 0x61),
    "vpxord": Vector(F0, P66, 0xEF),
    "vshufi32x4": Vector(F3A, P66, 0x43),
}
TWO_OPERANDS = frozenset({"vcvtdq2ps", "vmovdqu64", "vmovdqu64 to memory", "vpbroadcastd", "vpbroadcastw", "vpmovdw to memory"})
"""Instructions without a first source."""


@dataclass
class Assembler:
    """Code as it grows: call `vector` and the methods after it in the order of the program, then take `code`."""

    _code: bytearray = field(default_factory=bytearray)

    @property
    def code(self) -> bytes:
        """The machine code so far."""
        return bytes(self._code)

    def vector(self, name: str, *operands: int | Memory, immediate: int | None = None) -> None:
        """One of `VECTORS`. A shift by an immediate has a destination and a source."""
        form = VECTORS[name]
        register: int | Memory
        first: int | Memory
        if form.extension is not None:
            register, (first, last) = form.extension, operands
        elif name in TWO_OPERANDS:
            first, (register, last) = 0, operands[::-1] if form.stores else operands
        else:
            register, first, last = operands
        assert isinstance(register, int)
        assert isinstance(first, int)
        self._evex(form, register, first, last)
        self._code.append(form.opcode)
        self._operand(register, last)
        if immediate is not None:
            self._code.append(immediate)

    def load(self, register: str, source: Memory) -> None:
        """64 bits from memory."""
        self._scalar(0x8B, register, source)

    def prefetch(self, source: Memory) -> None:
        """Have the line of memory brought into all caches."""
        low, high = self._address_bits(source)
        self._code += bytes([0x40 | high << 1 | low, 0x0F, 0x18])
        self._operand(1, source)

    def move(self, register: str, source: str) -> None:
        """One general register into another one."""
        self._scalar(0x8B, register, source)

    def add(self, register: str, value: str | int) -> None:
        """A register or a number of 32 bits."""
        if isinstance(value, str):
            self._scalar(0x03, register, value)
        else:
            self._scalar(0x81, GENERAL[0], register)
            self._code += struct.pack("<i", value)

    def set(self, register: str, value: int) -> None:
        """A number of 32 bits, sign-extended."""
        self._scalar(0xC7, GENERAL[0], register)
        self._code += struct.pack("<i", value)

    def repeat(self, counter: str, start: int) -> None:
        """Take one off ``counter`` and go on at ``start``, a place that `place` gave, unless it is 0 now."""
        self._scalar(0x83, GENERAL[5], counter)  # sub counter, 1
        self._code.append(1)
        self._code += b"\x0f\x85" + struct.pack("<i", start - len(self._code) - 6)

    def place(self) -> int:
        """Where the next instruction comes to lie."""
        return len(self._code)

    def enter(self) -> None:
        """Keep what the caller wants back."""
        for register in KEPT:
            self._push_or_pop(0x50, register)

    def leave(self) -> None:
        """Give it back and return 0."""
        for register in reversed(KEPT):
            self._push_or_pop(0x58, register)
        self._code += b"\x31\xc0\xc5\xf8\x77\xc3"  # xor eax, eax; vzeroupper; ret

    def _push_or_pop(self, opcode: int, register: str) -> None:
        number = GENERAL.index(register)
        self._code += (b"\x41" if number > 7 else b"") + bytes([opcode | number & 7])

    def _scalar(self, opcode: int, register: str, operand: str | Memory) -> None:
        number = GENERAL.index(register)
        low, high = self._address_bits(operand if isinstance(operand, Memory) else GENERAL.index(operand))
        self._code += bytes([0x48 | number >> 3 << 2 | high << 1 | low, opcode])
        self._operand(number, operand if isinstance(operand, Memory) else GENERAL.index(operand))

    def _evex(self, form: Vector, register: int, first: int, last: int | Memory) -> None:
        low, high = self._address_bits(last)
        inverted = register >> 3 & 1, high, low, register >> 4 & 1
        broadcast = isinstance(last, Memory) and last.broadcast
        self._code += bytes(
            [
                0x62,
                sum((1 - bit) << at for at, bit in zip((7, 6, 5, 4), inverted, strict=True)) | form.table,
                form.wide << 7 | (~first & 15) << 3 | 4 | form.prefix,
                2 << 5 | broadcast << 4 | (1 - (first >> 4)) << 3,
            ]
        )

    @staticmethod
    def _address_bits(operand: int | Memory) -> tuple[int, int]:
        """The bits of an operand's numbers that ModRM has no room for: of base or register, and of index or register."""
        if isinstance(operand, int):
            return operand >> 3 & 1, operand >> 4 & 1
        return GENERAL.index(operand.base) >> 3, GENERAL.index(operand.index) >> 3 if operand.index else 0

    def _operand(self, register: int, operand: int | Memory) -> None:
        """ModRM, and for memory SIB and an offset of 32 bits (which needs no scaling)."""
        field_bits = (register & 7) << 3
        if isinstance(operand, int):
            self._code.append(0xC0 | field_bits | operand & 7)
            return
        base = GENERAL.index(operand.base) & 7
        if operand.index is None and base != GENERAL.index("rsp"):
            self._code.append(0x80 | field_bits | base)
        else:
            index = 4 if operand.index is None else GENERAL.index(operand.index) & 7
            scale = (1, 2, 4, 8).index(operand.scale)
            self._code += bytes([0x80 | field_bits | 4, scale << 6 | index << 3 | base])
        self._code += struct.pack("<i", operand.offset)
