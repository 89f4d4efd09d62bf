"""Which network suits a file: the clean one, or one trained on what JPEG or video codecs leave behind.

A JPEG is judged by its quantisation tables, a film by its codec, other pictures by their format. Nothing is decoded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from engine import headers
from engine.kinds import kind_of_bytes, kind_of_name
from engine.sequences import sequence

if TYPE_CHECKING:
    from pathlib import Path

    from engine.material import Material

CLEAN_QUALITY = 93
"""A JPEG from this quality on (as libjpeg counts) is clean: the networks for photos are trained on what is below."""
STANDARD_SUM = 3688
"""The sum of the luminance table that libjpeg scales (ITU-T T.81, table K.1): its quality 50."""
STUDIO_CODECS = frozenset({"prores", "dnxhd", "cfhd", "jpeg2000", "mjpeg"})
"""Lossy codecs that cameras and editors use at rates where little is lost."""
START_OF_SCAN, QUANTISATION = 0xDA, 0xDB
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_COMPRESSED = {"heic": "HEIC", "avif": "AVIF"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a file's material is, and why in one sentence."""

    material: Material
    reason: str


def finding(path: Path) -> Finding:
    """What the file at ``path`` is made of; what cannot be read or is not known counts as clean. Loads FFmpeg for films alone."""
    if sequence(path) is not None:
        return _of_numbered(path)
    try:
        with path.open("rb") as file:
            head = file.read(headers.HEAD_BYTES)
            name = headers.kind(head)
            if name == "jpeg":
                return _of_jpeg(jpeg_quality(file))
    except OSError:
        return Finding("clean", "It cannot be read.")
    if name is None and (kind_of_bytes(head) or kind_of_name(path)) == "video":
        return _of_film(path)
    return _of_picture(name, head)


def jpeg_quality(file: IO[bytes]) -> int | None:
    """The quality (as libjpeg counts, exact from 25 on) that a JPEG's luminance table stands for; None where none is found."""
    table = _luminance_table(file)
    if table is None:
        return None
    percent = 100 * sum(table) / STANDARD_SUM
    return max(1, min(100, round((200 - percent) / 2 if percent <= 100 else 5000 / percent)))


def _luminance_table(file: IO[bytes]) -> tuple[int, ...] | None:
    """The 64 steps of table 0, in the file's order."""
    file.seek(2)
    while len(marker := file.read(2)) == 2 and marker[0] == 0xFF and marker[1] != START_OF_SCAN:
        if marker[1] == 0xFF:  # a fill byte
            file.seek(-1, 1)
            continue
        if marker[1] in STANDALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        body = file.read(max(length - 2, 0)) if marker[1] == QUANTISATION else b""
        if marker[1] != QUANTISATION:
            file.seek(max(length - 2, 0), 1)
        while body:
            wide, number = body[0] >> 4, body[0] & 15
            size = 128 if wide else 64
            if len(body) < 1 + size:
                return None
            if number == 0:
                return struct.unpack(">64H" if wide else "64B", body[1 : 1 + size])
            body = body[1 + size :]
    return None


def _of_jpeg(quality: int | None) -> Finding:
    if quality is None:
        return Finding("photo", "A JPEG whose tables cannot be read.")
    if quality >= CLEAN_QUALITY:
        return Finding("clean", f"A JPEG of quality {quality}: next to nothing was lost.")
    return Finding("photo", f"A JPEG of quality {quality}: its tables say that compression left traces.")


def _of_picture(name: str | None, head: bytes) -> Finding:
    if name in _COMPRESSED:
        return Finding("photo", f"{_COMPRESSED[name]} compresses, and leaves traces.")
    if name == "webp" and b"VP8 " in head[12:4096]:
        return Finding("photo", "A WebP file with lossy compression.")
    return Finding("clean", "A picture without lossy compression.")


def _of_numbered(pattern: Path) -> Finding:
    """As the first of the pictures."""
    pictures = sequence(pattern)
    assert pictures is not None
    return finding(pictures.file(pictures.first))


def _of_film(path: Path) -> Finding:
    from engine.errors import VideoError  # noqa: PLC0415
    from engine.video_source import codec_of  # noqa: PLC0415 (FFmpeg takes a while to load, and pictures do not need it)

    try:
        codec = codec_of(path)
    except VideoError:
        return Finding("clean", "It cannot be read.")
    if codec.name in STUDIO_CODECS:
        return Finding("clean", f"{codec.long_name}: next to nothing is lost at its usual rates.")
    if codec.lossy:
        return Finding("video", f"{codec.long_name} compresses, and leaves traces.")
    return Finding("clean", f"{codec.long_name} loses nothing.")
