"""What BMP, JPEG 2000 and animated PNG files say beside their pixels, which OpenCV leaves in the file."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from engine import exif
from engine.picture import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

METRES_AN_INCH = 0.0254
MAX_PROFILE_BYTES = 1 << 24
PNG_HEAD = 8
XMP_KEYWORD = b"XML:com.adobe.xmp"
JP2_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
JP2_FOLDERS = frozenset({b"jp2h", b"res "})
"""Boxes that hold boxes."""
RESTRICTED, ANY_PROFILE = 2, 3
"""Methods of a colour specification box that have an ICC profile (ISO/IEC 15444-1 and -2)."""
BMP_V5_BYTES = 124
BMP_RESOLUTION_AT, BMP_PROFILE_AT = 38, 126


def metadata(data: bytes, kind: str) -> Metadata:
    """The metadata of a whole file of ``kind``: what is damaged is left out."""
    readers = {"bmp": _of_bmp, "jp2": _of_jp2, "apng": _of_png}
    try:
        return readers[kind](data) if kind in readers else Metadata()
    except (struct.error, ValueError, zlib.error):
        return Metadata()


def with_resolution(bmp: bytes, resolution: tuple[float, float]) -> bytes:
    """A BMP file that says its print resolution, in pixels an inch."""
    pixels_a_metre = (round(each / METRES_AN_INCH) for each in resolution)
    patched = bytearray(bmp)
    struct.pack_into("<ii", patched, BMP_RESOLUTION_AT, *pixels_a_metre)
    return bytes(patched)


def _of_bmp(data: bytes) -> Metadata:
    """From the information header, or its fifth version, which may have a profile at its end."""
    size = struct.unpack_from("<I", data, 14)[0]
    if size < 40:
        return Metadata()
    across, down = struct.unpack_from("<ii", data, BMP_RESOLUTION_AT)
    resolution = (across * METRES_AN_INCH, down * METRES_AN_INCH) if min(across, down) > 0 else None
    profile = None
    if size >= BMP_V5_BYTES and data[70:74] == b"DEBM":  # 'MBED', little-endian: embedded
        offset, length = struct.unpack_from("<II", data, BMP_PROFILE_AT)
        profile = data[14 + offset : 14 + offset + length] or None
    return Metadata(icc=profile, resolution=resolution)


def _of_jp2(data: bytes) -> Metadata:
    profile = xmp = None
    for kind, start, stop in _boxes(data, 0, len(data)):
        if kind == b"colr" and data[start] in (RESTRICTED, ANY_PROFILE):
            profile = data[start + 3 : stop]
        elif kind == b"uuid" and data[start : start + 16] == JP2_XMP:
            xmp = data[start + 16 : stop]
    return Metadata(icc=profile, xmp=xmp)


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Type and extent of each box's contents (ISO/IEC 15444-1, annex I), those within others included."""
    while start + 8 <= stop:
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1:
            length, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        end = stop if length == 0 else start + length
        if length and not head <= length <= stop - start:
            return
        if kind in JP2_FOLDERS:
            yield from _boxes(data, start + head, end)
        else:
            yield kind, start + head, end
        start = end


def _of_png(data: bytes) -> Metadata:
    profile = block = xmp = resolution = None
    for kind, body in _chunks(data):
        if kind == b"iCCP":
            profile = zlib.decompressobj().decompress(body[body.index(b"\0") + 2 :], MAX_PROFILE_BYTES) or None
        elif kind == b"eXIf":
            block = body.removeprefix(exif.PREFIX)
        elif kind == b"pHYs" and body[8:9] == b"\1":
            across, down = struct.unpack_from(">II", body)
            resolution = (across * METRES_AN_INCH, down * METRES_AN_INCH) if min(across, down) > 0 else None
        elif kind == b"iTXt" and body.startswith(XMP_KEYWORD + b"\0\0"):
            xmp = body[len(XMP_KEYWORD) + 3 :].split(b"\0", 2)[-1]
    return Metadata(icc=profile, exif=block, xmp=xmp, resolution=resolution)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and contents of each chunk that is not picture data."""
    at = PNG_HEAD
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind not in (b"IDAT", b"fdAT"):
            yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length
