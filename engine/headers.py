"""What a picture file's first bytes say, before anything is decoded: its format, its size, and whether it is all there."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class DamagedError(Exception):
    """The bytes are not the whole of what they begin as. The message is a reason without a file name."""


@dataclass(frozen=True, slots=True)
class Header:
    """``format`` in lower case; width and height in pixels as stored, or None where only decoding tells."""

    format: str
    width: int | None = None
    height: int | None = None


def probe(data: bytes) -> Header | None:
    """Recognise a picture by its bytes; None where it is none that we know. Raises DamagedError."""
    try:
        return next((parse(data) for matches, parse in _FORMATS if matches(data)), None)
    except (struct.error, IndexError) as error:
        raise DamagedError("the file is cut short") from error


def _jpeg(data: bytes) -> Header:
    """Walk the segments to the frame header and the first scan (ITU-T T.81, annex B); the end marker must follow."""
    position, size = 2, None
    while True:
        if data[position] != 0xFF:
            raise DamagedError("a JPEG marker is missing")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        if marker == 0xD9:
            raise DamagedError("the JPEG ends before its pixels")
        length = struct.unpack_from(">H", data, position + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack_from(">HH", data, position + 5)
        if marker == 0xDA:
            break
        position += 2 + length
    if data.find(b"\xff\xd9", position) < 0:
        raise DamagedError("the JPEG is cut short (its end marker is missing)")
    if size is None:
        raise DamagedError("the JPEG has no frame header")
    return Header("jpeg", size[1], size[0])


def _png(data: bytes) -> Header:
    """Walk the chunks to IEND (PNG specification, section 5)."""
    width, height = struct.unpack_from(">II", data, 16)
    position = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):
            raise DamagedError("the PNG is cut short")
        if kind == b"IEND":
            return Header("png", width, height)


def _webp(data: bytes) -> Header:
    """The canvas of a VP8, VP8L or VP8X file (RFC 9649)."""
    if len(data) < 8 + struct.unpack_from("<I", data, 4)[0]:
        raise DamagedError("the WebP is cut short")
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return Header("webp", width, height)


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        return Header("bmp", *struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Header("bmp", abs(width), abs(height))


def _isobmff(data: bytes) -> Header | None:
    """HEIF and AVIF share a container and differ by brand (ISO/IEC 23008-12)."""
    size = struct.unpack_from(">I", data)[0]
    brands = {data[i : i + 4] for i in (8, *range(16, min(size, len(data), 256), 4))}
    if brands & {b"avif", b"avis"}:
        return Header("avif")
    if brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
        return Header("heic")
    return None


def _gif(data: bytes) -> Header:
    return Header("gif", *struct.unpack_from("<HH", data, 6))


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(beginnings)


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Header | None]], ...] = (
    (_starts(b"\xff\xd8\xff"), _jpeg),
    (_starts(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (_starts(b"GIF87a", b"GIF89a"), _gif),
    (_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), lambda data: Header("tiff")),
    (_starts(b"BM"), _bmp),
    (lambda data: data[:1] == b"P" and data[1:2] in b"1234567Ff" and data[2:3].isspace(), lambda data: Header("pnm")),
    (_starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), lambda data: Header("jp2")),
    (lambda data: data[4:8] == b"ftyp", _isobmff),
)
