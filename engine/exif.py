"""The few EXIF tags that an upscaled picture must not repeat as they were, read and patched in place.

An EXIF block is a small TIFF file (EXIF 2.32, section 4.5): IFD0 for the picture, IFD1 for a thumbnail, a sub-IFD for the camera.
Patching in place keeps every other byte, maker notes with their absolute offsets included.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIENTATION = 0x0112
EXIF_IFD = 0x8769
WIDTH_TAGS = (0x0100, 0xA002)
HEIGHT_TAGS = (0x0101, 0xA003)
RESOLUTION_TAGS, RESOLUTION_UNIT = (0x011A, 0x011B), 0x0128
SHORT, LONG, RATIONAL = 3, 4, 5
CENTIMETRES_AN_INCH = 2.54
PREFIX = b"Exif\0\0"
MAX_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of an IFD and where its 12 bytes are."""

    tag: int
    type: int
    count: int
    offset: int


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block has none or is damaged."""
    try:
        order = _byte_order(exif)
        for entry in _entries(exif, order, _first_ifd(exif, order)):
            if entry.tag == ORIENTATION and entry.type == SHORT:
                value = int(struct.unpack_from(order + "H", exif, entry.offset + 8)[0])
                return value if 1 <= value <= 8 else 1
    except (struct.error, ValueError):
        pass
    return 1


def resolution(exif: bytes) -> tuple[float, float] | None:
    """The print resolution in pixels an inch, across and down; None where the block has none or is damaged."""
    found: dict[int, float] = {}
    try:
        order = _byte_order(exif)
        for entry in _entries(exif, order, _first_ifd(exif, order)):
            if entry.tag in RESOLUTION_TAGS and entry.type == RATIONAL:
                place = struct.unpack_from(order + "I", exif, entry.offset + 8)[0]
                above, below = struct.unpack_from(order + "II", exif, place)
                found[entry.tag] = above / below if below else 0.0
            elif entry.tag == RESOLUTION_UNIT and entry.type == SHORT:
                found[entry.tag] = struct.unpack_from(order + "H", exif, entry.offset + 8)[0]
    except (struct.error, ValueError):
        return None
    an_inch = {2: 1.0, 3: CENTIMETRES_AN_INCH}.get(int(found.get(RESOLUTION_UNIT, 2)))
    across, down = (found.get(tag, 0.0) for tag in RESOLUTION_TAGS)
    return None if an_inch is None or min(across, down) <= 0 else (across * an_inch, down * an_inch)


def upright(exif: bytes, width: int, height: int) -> bytes | None:
    """The block for a picture of ``width`` × ``height`` that is stored upright and has no thumbnail.

    None where the block is damaged beyond patching: better no EXIF than a wrong one.
    """
    patched = bytearray(exif)
    try:
        order = _byte_order(exif)
        first = _first_ifd(exif, order)
        _patch_ifd(patched, order, first, width, height)
        count = struct.unpack_from(order + "H", exif, first)[0]
        struct.pack_into(order + "I", patched, first + 2 + 12 * count, 0)  # the link to IFD1, the thumbnail
        for entry in _entries(exif, order, first):
            if entry.tag == EXIF_IFD:
                _patch_ifd(patched, order, struct.unpack_from(order + "I", exif, entry.offset + 8)[0], width, height)
    except (struct.error, ValueError):
        return None
    return bytes(patched)


def _patch_ifd(patched: bytearray, order: str, start: int, width: int, height: int) -> None:
    for entry in _entries(bytes(patched), order, start):
        if entry.tag == ORIENTATION:
            struct.pack_into(order + "HHIHH", patched, entry.offset, entry.tag, SHORT, 1, 1, 0)
        elif entry.tag in WIDTH_TAGS:
            struct.pack_into(order + "HHII", patched, entry.offset, entry.tag, LONG, 1, width)
        elif entry.tag in HEIGHT_TAGS:
            struct.pack_into(order + "HHII", patched, entry.offset, entry.tag, LONG, 1, height)


def _byte_order(exif: bytes) -> str:
    orders = {b"II*\0": "<", b"MM\0*": ">"}
    if exif[:4] not in orders:
        raise ValueError("not a TIFF header")
    return orders[exif[:4]]


def _first_ifd(exif: bytes, order: str) -> int:
    return int(struct.unpack_from(order + "I", exif, 4)[0])


def _entries(exif: bytes, order: str, start: int) -> Iterator[Entry]:
    """The entries of the IFD at ``start``. Raises struct.error or ValueError where the block is damaged."""
    count = struct.unpack_from(order + "H", exif, start)[0]
    if count > MAX_ENTRIES:
        raise ValueError("an IFD of that many entries is damage")
    for i in range(count):
        offset = start + 2 + 12 * i
        tag, kind, values = struct.unpack_from(order + "HHI", exif, offset)
        yield Entry(tag, kind, values, offset)
