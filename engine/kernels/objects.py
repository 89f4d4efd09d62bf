"""Machine code from an object file into this process, without a linker.

Halide compiles a kernel to a relocatable ELF object in a fifth of a second, and such an object can be kept for the next start. The kernels
call nothing (no allocation, no runtime, no assertions), so all that linking has to do is to copy code and constants side by
side and to patch the distances between them. Called through ctypes, a kernel runs without Python's lock and on any thread.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

X86_64 = 62
ALLOCATED, EXECUTABLE, WRITABLE = 2, 4, 1  # section flags
SYMBOLS, RELOCATIONS = 2, 4  # section types
DISTANCES = (2, 4)  # R_X86_64_PC32 and R_X86_64_PLT32: symbol + addend - place, in 32 bits
PAGE = mmap.PAGESIZE
NOWHERE = ctypes.c_void_p(-1).value


def can_map() -> bool:
    """Whether this is a system whose object files `MappedObject` knows."""
    return sys.platform.startswith("linux") and platform.machine() == "x86_64"


@dataclass(frozen=True)
class Section:
    """One section of the object: where its bytes are and, for code and constants, where they go."""

    type: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class MappedCode:
    """Machine code in executable memory, for as long as this lives: ``image``, whose entry lies ``entry`` bytes from its beginning.

    Raises BackendError where the system is not x86-64 Linux, or memory may not be made executable.
    """

    def __init__(self, image: bytes, entry: int = 0) -> None:
        if not can_map():
            raise BackendError("machine code is mapped on x86-64 Linux alone")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._size = -(-len(image) // PAGE) * PAGE
        self._memory = self._map()
        ctypes.memmove(self._memory, image, len(image))
        if self._libc.mprotect(ctypes.c_void_p(self._memory), ctypes.c_size_t(self._size), mmap.PROT_READ | mmap.PROT_EXEC):
            raise BackendError("this system forbids code made at run time")
        self._entry = self._memory + entry

    def __del__(self) -> None:
        if getattr(self, "_memory", None):
            self._libc.munmap(ctypes.c_void_p(self._memory), ctypes.c_size_t(self._size))

    def function(self, *argument_types: type[ctypes._SimpleCData[Any]]) -> Callable[..., int]:
        """The entry as a C function that returns int and releases Python's lock while it runs."""
        return ctypes.CFUNCTYPE(ctypes.c_int, *argument_types)(self._entry)

    def _map(self) -> int:
        mapping = self._libc.mmap
        mapping.restype = ctypes.c_void_p
        address = mapping(
            None, ctypes.c_size_t(self._size), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, ctypes.c_long(0)
        )
        if address in (None, NOWHERE):
            raise BackendError("no memory for a kernel")
        return int(address)


class ObjectFile:
    """A relocatable object, read. Raises BackendError where it is no such file or needs a symbol from elsewhere."""

    def __init__(self, elf: bytes) -> None:
        self._elf = elf
        self._sections = self._read_sections()
        self._places, self._size = self._layout()

    def mapped(self, entry: str) -> MappedCode:
        """Its code and constants in memory, to be entered at the symbol ``entry``."""
        return MappedCode(self._image(), self._symbol_place(entry))

    def _read_sections(self) -> list[Section]:
        if self._elf[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", self._elf, 18)[0] != X86_64:
            raise BackendError("not an x86-64 object file")
        (table,) = struct.unpack_from("<Q", self._elf, 40)
        (count,) = struct.unpack_from("<H", self._elf, 60)
        return [self._section(table + 64 * i) for i in range(count)]

    def _section(self, at: int) -> Section:
        _, kind, flags, _, offset, size, link, info, alignment, _ = struct.unpack_from("<IIQQQQIIQQ", self._elf, at)
        return Section(kind, flags, offset, size, link, info, alignment)

    def _layout(self) -> tuple[dict[int, int], int]:
        """Where each section of code or constants goes: {section: offset}, and the size of all."""
        places, end = {}, 0
        for i, section in enumerate(self._sections):
            if section.flags & ALLOCATED and not section.flags & WRITABLE and section.size:
                end = -(-end // section.alignment) * section.alignment
                places[i], end = end, end + section.size
        return places, end

    def _image(self) -> bytes:
        """Code and constants side by side, the distances between them patched."""
        image = bytearray(self._size)
        for i, place in self._places.items():
            section = self._sections[i]
            image[place : place + section.size] = self._elf[section.offset : section.offset + section.size]
        for place, distance in self._patches():
            struct.pack_into("<i", image, place, distance)
        return bytes(image)

    def _patches(self) -> Iterator[tuple[int, int]]:
        """(place, distance) of every reference in the sections that were mapped."""
        for relocations in self._sections:
            if relocations.type != RELOCATIONS or relocations.info not in self._places:
                continue
            base = self._places[relocations.info]
            for at in range(relocations.offset, relocations.offset + relocations.size, 24):
                offset, symbol_and_kind, addend = struct.unpack_from("<QQq", self._elf, at)
                symbol, kind = symbol_and_kind >> 32, symbol_and_kind & 0xFFFFFFFF
                home, value = self._symbol(symbol, relocations.link)
                if home and self._sections[home].flags & WRITABLE:
                    continue  # the kernel's metadata, which nobody asks for
                if home not in self._places:
                    raise BackendError("a kernel needs a function from elsewhere")
                if kind not in DISTANCES:
                    raise BackendError(f"a kernel has a reference of unknown kind {kind}")
                yield base + offset, self._places[home] + value + addend - (base + offset)

    def _symbol(self, index: int, table: int) -> tuple[int, int]:
        """(section, offset in it) of a symbol; section 0 is 'elsewhere'."""
        _, _, _, home, value, _ = struct.unpack_from("<IBBHQQ", self._elf, self._sections[table].offset + 24 * index)
        return home, value

    def _symbol_place(self, name: str) -> int:
        table = next(i for i, section in enumerate(self._sections) if section.type == SYMBOLS)
        strings = self._sections[self._sections[table].link].offset
        for index in range(self._sections[table].size // 24):
            (at,) = struct.unpack_from("<I", self._elf, self._sections[table].offset + 24 * index)
            if self._elf[strings + at : self._elf.index(b"\0", strings + at)] == name.encode():
                home, value = self._symbol(index, table)
                return self._places[home] + value
        raise BackendError(f"the object file lacks {name}")
