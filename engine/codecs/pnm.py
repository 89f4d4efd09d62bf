"""Binary PGM, PPM and PFM by the strip: a header of words, then samples as they are. OpenCV reads the rarer kinds, whole."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from engine.codecs import CodecError, Decoded
from engine.colour import Span
from engine.picture import Metadata
from engine.rows import Layout, Strip, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

STRIP_BYTES = 2 * 2**20
_SPACE = rb"(?:\s|#[^\n]*\n)+"
_INTEGER = re.compile(rb"P([56])" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(255|65535)\s")
_FLOAT = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+(-?)1(?:\.0*)?\s")
_SAMPLES = {b"255": ">u1", b"65535": ">u2", b"-": "<f4", b"": ">f4"}


@dataclass(frozen=True, slots=True)
class Header:
    """What such a file is: samples of type ``stored`` from byte ``begin`` on. PFM has its lowest row first."""

    width: int
    height: int
    grey: bool
    stored: np.dtype[Any]
    begin: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * (1 if self.grey else 3) * self.stored.itemsize

    @property
    def upwards(self) -> bool:
        """Whether rows go from the bottom up."""
        return self.stored.kind == "f"

    def place(self, top: int, rows: int) -> int:
        """The byte at which ``rows`` rows from ``top`` on begin in the file."""
        return self.begin + (self.height - top - rows if self.upwards else top) * self.row_bytes


def header(head: bytes) -> Header | None:
    """The header of a file that begins with ``head``; None for kinds that are not read by the strip (text, bits, PAM, odd maxima)."""
    match = _INTEGER.match(head) or _FLOAT.match(head)
    if match is None:
        return None
    kind, width, height, samples = match.groups()
    return Header(int(width), int(height), kind in (b"5", b"f"), np.dtype(_SAMPLES[samples]), match.end())


def decode(file: BinaryIO, known: Header) -> Decoded:
    """Open a file, which stays open until the rows are taken. Raises CodecError."""
    dtype = known.stored.newbyteorder("=")
    span = _span(file, known) if dtype.kind == "f" else Span.of(dtype)
    layout = Layout(known.height, known.width, known.grey, False, dtype, span)
    return Decoded(Window(layout, (Strip(rows.astype(dtype), None) for rows in _rows(file, known))), Metadata())


def encode(layout: Layout, strips: Iterable[Strip], file: BinaryIO) -> None:
    """Write ``strips``, which together are a picture of ``layout`` (no alpha), to ``file``, which is empty. Raises OSError."""
    floats = layout.dtype.kind == "f"
    kind = ("f" if layout.grey else "F") if floats else ("5" if layout.grey else "6")
    little = sys.byteorder == "little"
    scale = ("-1.0" if little else "1.0") if floats else "255" if layout.dtype == np.uint8 else "65535"
    text = f"P{kind}\n{layout.width} {layout.height}\n{scale}\n".encode()
    file.write(text)
    stored = layout.dtype if floats else layout.dtype.newbyteorder(">")
    known, top = Header(layout.width, layout.height, layout.grey, stored, len(text)), 0
    for strip in strips:
        rows = len(strip.pixels)
        file.seek(known.place(top, rows))
        file.write(np.ascontiguousarray(strip.pixels[::-1] if known.upwards else strip.pixels, stored).data)
        top += rows


def _rows(file: BinaryIO, known: Header) -> Iterator[NDArray[Any]]:
    """All rows from the top down, some at a time, as they are stored."""
    tall = max(1, STRIP_BYTES // known.row_bytes)
    shape = (-1, known.width) if known.grey else (-1, known.width, 3)
    for top in range(0, known.height, tall):
        rows = min(tall, known.height - top)
        file.seek(known.place(top, rows))
        data = file.read(rows * known.row_bytes)
        if len(data) < rows * known.row_bytes:
            raise CodecError("its samples end too early")
        samples = np.frombuffer(data, known.stored).reshape(shape)
        yield samples[::-1] if known.upwards else samples


def _span(file: BinaryIO, known: Header) -> Span:
    """Black and white of a float picture: 0 and 1, or its own least and greatest sample where they lie outside."""
    low, high = 0.0, 1.0
    for rows in _rows(file, known):
        least, most = float(rows.min()), float(rows.max())
        if not np.isfinite([least, most]).all():
            raise CodecError("it holds samples that are not finite")
        low, high = min(low, least), max(high, most)
    return Span(low, high)
