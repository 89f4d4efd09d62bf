"""EXIF in TIFF files, which libvips neither reads nor writes there.

An EXIF block is a small TIFF file itself (EXIF 2.32, section 4.5): the tags that describe a picture are in its first directory, those of
the camera, of the place, and of interoperability in directories that this one points to. Here they are taken from one kind of file and
put into the other, each value moved to where there is room. (A maker's note moves as it is: where it counts from the start of its file,
what it points to is lost to those who can read it.)
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from engine.exif import MAX_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

POINTERS = {0x8769: "camera", 0x8825: "place", 0xA005: "interoperability"}
DESCRIPTIVE = frozenset({0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298, *range(0x9C9B, 0x9CA0), *POINTERS})
"""Tags of a first directory that say something of the picture and nothing of how its pixels are stored."""
ELEMENT_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""By a value's type: the bytes that are swapped together. A rational (5 and 10) has two such."""
PAIRS = frozenset({5, 10})
LONG, LONG8 = 4, 16
MAX_VALUE_BYTES = 1 << 24
MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Form:
    """How directories are written: TIFF's (4-byte offsets) or BigTIFF's (8-byte ones)."""

    order: str
    big: bool

    @property
    def count(self) -> str:
        """The number of entries, as `struct` has it."""
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        """An offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def head(self) -> str:
        """An entry up to its value: tag, type and number of values."""
        return self.order + ("HHQ" if self.big else "HHI")

    @property
    def room(self) -> int:
        """Bytes that a value may take within its entry."""
        return struct.calcsize(self.offset)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag's value as little-endian bytes, or the directory that it points to."""

    number: int
    type: int
    count: int
    value: bytes
    inside: tuple[Tag, ...] | None = None


BLOCK = Form("<", big=False)


def block_of(file: IO[bytes]) -> bytes | None:
    """The EXIF block (from its TIFF header on) of an open TIFF file; None where it has no such tags, or damaged ones."""
    try:
        form, first = _header(file)
        tags = [tag for tag in _directory(file, form, first) if tag.number in DESCRIPTIVE]
    except (struct.error, ValueError):
        return None
    return b"II*\0\x08\0\0\0" + _written(tags, BLOCK, 8, 0) if tags else None


def add(file: IO[bytes], block: bytes) -> None:
    """Put the tags of an EXIF block into the first directory of a TIFF file, open for reading and writing; none where it is damaged."""
    try:
        block_form, first = _header(io.BytesIO(block))
        tags = [tag for tag in _directory(io.BytesIO(block), block_form, first) if tag.number in DESCRIPTIVE]
    except (struct.error, ValueError):
        return
    form, first = _header(file)
    raw, following = _entries(file, form, first)
    mine = [tag for tag in tags if tag.number not in {struct.unpack_from(form.order + "H", entry)[0] for entry in raw}]
    file.seek(0, io.SEEK_END)
    start = file.tell() + file.tell() % 2
    file.write(bytes(start - file.tell()))
    file.write(_written(mine, form, start, following, raw))
    file.seek(struct.calcsize("<HHHH") if form.big else struct.calcsize("<HH"))
    file.write(struct.pack(form.offset, start))


def _header(file: IO[bytes]) -> tuple[Form, int]:
    """How the file is written, and where its first directory is. Raises struct.error or ValueError."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError("not a TIFF header")
    magic = struct.unpack_from(order + "H", head, 2)[0]
    if magic not in (42, 43):
        raise ValueError("not a TIFF header")
    form = Form(order, magic == 43)
    return form, struct.unpack_from(form.offset, head, 8 if form.big else 4)[0]


def _at(file: IO[bytes], offset: int, size: int) -> bytes:
    if not 0 <= offset < 1 << 62:
        raise ValueError("an offset outside of any file")
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("cut short")
    return data


def _entries(file: IO[bytes], form: Form, start: int) -> tuple[list[bytes], int]:
    """The entries of the directory at ``start`` as they are, and where the next directory is. Raises struct.error or ValueError."""
    wide, counted = struct.calcsize(form.head) + form.room, struct.calcsize(form.count)
    number = struct.unpack(form.count, _at(file, start, counted))[0]
    if number > MAX_ENTRIES:
        raise ValueError("a directory of that many entries is damage")
    data = _at(file, start + counted, wide * number)
    following = struct.unpack(form.offset, _at(file, start + counted + wide * number, form.room))[0]
    return [data[wide * i : wide * (i + 1)] for i in range(number)], following


def _directory(file: IO[bytes], form: Form, start: int, depth: int = 1) -> list[Tag]:
    """The tags of the directory at ``start``, those left out whose values are damaged. Raises struct.error or ValueError."""
    tags = []
    for entry in _entries(file, form, start)[0]:
        number, kind, count = struct.unpack_from(form.head, entry)
        if kind not in ELEMENT_BYTES or (depth == 1 and number not in DESCRIPTIVE):
            continue
        try:
            tags.append(_tag(file, form, (number, kind, count), entry[-form.room :], depth))
        except (struct.error, ValueError):
            continue
    return tags


def _tag(file: IO[bytes], form: Form, what: tuple[int, int, int], field: bytes, depth: int) -> Tag:
    number, kind, count = what
    size = ELEMENT_BYTES[kind] * count * (2 if kind in PAIRS else 1)
    if size > MAX_VALUE_BYTES:
        raise ValueError("a value of that size is damage")
    value = field[:size] if size <= form.room else _at(file, struct.unpack(form.offset, field)[0], size)
    value = _little(value, kind) if form.order == ">" else value
    if number not in POINTERS:
        return Tag(number, kind, count, value)
    if depth == MAX_DEPTH:
        raise ValueError("directories within directories")
    return Tag(number, LONG, 1, b"", tuple(_directory(file, form, int.from_bytes(value, "little"), depth + 1)))


def _little(value: bytes, kind: int) -> bytes:
    """Big-endian elements turned round."""
    step = ELEMENT_BYTES[kind]
    return b"".join(value[i : i + step][::-1] for i in range(0, len(value), step))


def _written(tags: Sequence[Tag], form: Form, start: int, following: int, raw: Iterable[bytes] = ()) -> bytes:
    """A directory at offset ``start`` with its values, and the directories that it points to, behind it; ``raw`` entries as they are."""
    entries = {struct.unpack_from(form.order + "H", entry)[0]: entry for entry in raw}
    length = struct.calcsize(form.count) + (struct.calcsize(form.head) + form.room) * (len(entries) + len(tags)) + form.room
    behind = bytearray()
    for tag in tags:
        where = start + length + len(behind)
        value = _written(tag.inside, form, where, 0) if tag.inside is not None else _in_order(tag, form)
        kind = (LONG8 if form.big else LONG) if tag.inside is not None else tag.type
        head = struct.pack(form.head, tag.number, kind, tag.count)
        if tag.inside is None and len(value) <= form.room:
            entries[tag.number] = head + value.ljust(form.room, b"\0")
            continue
        entries[tag.number] = head + struct.pack(form.offset, where)
        behind += value + bytes(len(value) % 2)
    listed = b"".join(entries[number] for number in sorted(entries))
    return struct.pack(form.count, len(entries)) + listed + struct.pack(form.offset, following) + bytes(behind)


def _in_order(tag: Tag, form: Form) -> bytes:
    return _little(tag.value, tag.type) if form.order == ">" else tag.value
