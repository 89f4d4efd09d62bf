"""What a file is by its first bytes, and how large a picture it holds where that takes no library to tell."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 1 << 16
"""How much of a file's beginning the functions here want to see."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_PNM_HEADER = re.compile(rb"P[1-6]\s(?:\s|#[^\n]*\n)*(\d{1,9})\s(?:\s|#[^\n]*\n)*(\d{1,9})")
_PFM_HEADER = re.compile(rb"P[Ff]\s+(\d{1,9})\s+(\d{1,9})")
_PAM_HEADER = re.compile(rb"P7\s[^\0]*?WIDTH\s+(\d{1,9})\s[^\0]*?HEIGHT\s+(\d{1,9})")


def kind(head: bytes) -> str | None:
    """The format, in lower case, of a file that begins with ``head``; None for what is no picture that we know."""
    return next((name for name, matches in _KINDS.items() if matches(head)), None)


def size(head: bytes, name: str) -> tuple[int, int] | None:
    """Width and height in pixels of a BMP, PNM, JPEG 2000 or animated PNG file (its frames below one another).

    None where the beginning does not tell.
    """
    try:
        return {"bmp": _bmp_size, "pnm": _pnm_size, "jp2": _jp2_size, "apng": _apng_size}[name](head)
    except struct.error:
        return None


def left_out(head: bytes, name: str) -> tuple[str, ...]:
    """What a GIF or AVIF file holds, as far as its beginning tells, that its reader does not take, in words for the user."""
    found = {
        "its XMP is not taken": name == "gif" and b"XMP DataXMP" in head,
        "its colour profile is not taken": name == "gif" and b"ICCRGBG1012" in head,
        "only the first picture of its film is taken": name == "avif" and b"avis" in _isobmff_brands(head),
    }
    return tuple(words for words, is_there in found.items() if is_there)


def _isobmff_brands(head: bytes) -> set[bytes]:
    """The brands of an ISO base media file, by which HEIF and AVIF differ (ISO/IEC 23008-12)."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head), 256)
    return {head[i : i + 4] for i in (8, *range(16, end, 4))}


def _is_heic(head: bytes) -> bool:
    brands = _isobmff_brands(head)
    return bool(brands & _HEIC_BRANDS) and not brands & _AVIF_BRANDS


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


_KINDS: dict[str, Callable[[bytes], bool]] = {
    "jpeg": _starts(b"\xff\xd8\xff"),
    "apng": lambda head: head.startswith(_PNG_SIGNATURE) and b"acTL" in head[: max(head.find(b"IDAT"), 0) or len(head)],
    "png": _starts(_PNG_SIGNATURE),
    "webp": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    "gif": _starts(b"GIF87a", b"GIF89a"),
    "tiff": _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "bmp": lambda head: head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and len(head) > 30,
    "pnm": lambda head: head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3].isspace(),
    "jp2": _starts(_JP2_SIGNATURE, b"\xff\x4f\xff\x51"),
    "avif": lambda head: bool(_isobmff_brands(head) & _AVIF_BRANDS),
    "heic": _is_heic,
}


def _bmp_size(head: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", head, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", head, 18)
    else:
        width, height = struct.unpack_from("<ii", head, 18)
    return abs(width), abs(height)


def _apng_size(head: bytes) -> tuple[int, int]:
    """The canvas, and the number of frames from the animation's control chunk."""
    width, height = struct.unpack_from(">II", head, 16)
    return width, height * max(1, struct.unpack_from(">I", head, head.find(b"acTL") + 4)[0])


def _pnm_size(head: bytes) -> tuple[int, int] | None:
    match = _PNM_HEADER.match(head) or _PFM_HEADER.match(head) or _PAM_HEADER.match(head)
    return (int(match[1]), int(match[2])) if match else None


def _jp2_size(head: bytes) -> tuple[int, int] | None:
    """From the image header box, or a bare codestream's SIZ marker (ISO/IEC 15444-1, annexes I and A)."""
    if head.startswith(b"\xff\x4f"):
        right, bottom, left, top = struct.unpack_from(">IIII", head, 8)
        return right - left, bottom - top
    box = head.find(b"ihdr")
    if box < 0:
        return None
    height, width = struct.unpack_from(">II", head, box + 4)
    return width, height
