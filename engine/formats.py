"""What each picture format can hold: told before any work is done, and what pictures are fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.colour import Span, to_unit
from engine.errors import PictureError
from engine.rows import Layout, Strip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.picture import Metadata

HALF = 0.5
"""From this alpha on a pixel is opaque where there is nothing between opaque and transparent."""
MAX_PIXELS = 500_000_000
"""Above this a picture is refused before it is decoded."""
MAX_WHOLE_PIXELS = 120_000_000
MAX_WHOLE_BYTES = 360_000_000
"""The limits for pictures that are decoded whole."""
CODEC_ROWS = 1120
"""Rows of a source that libvips holds, reading it and writing it twice as large (measured with TIFF at 200,000 pixels a row)."""
NETWORK_COLUMN, NETWORK_COLUMN_ALPHA = 5_000, 8_300
"""Bytes that strips on their way through a network take for each pixel of a row (measured at 100,000)."""
BASE_BYTES = 350_000_000
"""What does not grow with the rows: the program, its libraries, the network's tiles."""
MOST_STRIP_BYTES = 1_450_000_000


@dataclass(frozen=True, slots=True)
class Format:
    """``bits`` a sample at most (32: float too); ``side`` the longest in pixels; ``strips``: read and written by the strip.

    ``floats``: those are written by the strip too. ``metadata``: profile, EXIF, XMP and print resolution are written there;
    ``resolution``: the last of them at least. ``colours``: how many different ones a picture may have, None for any number. ``mask``: a
    pixel is transparent or it is not. ``whole``: how many megapixels of 8-bit RGB may be encoded in memory, of other samples in
    proportion but so many as ``least`` of any, and ``read`` how many of any may be decoded there: so many that it stays below 1.5 GB.
    """

    bits: int
    side: int = 1 << 30
    alpha: bool = False
    pages: bool = False
    strips: bool = False
    floats: bool = False
    metadata: bool = True
    resolution: bool = True
    colours: int | None = None
    mask: bool = False
    whole: int = 65
    least: int = 50
    read: int = 120

    @property
    def most_read(self) -> int:
        """How many pixels are read from such a file where that is done in memory and not by libvips (see `most_whole`)."""
        return self.read * 1_000_000

    def in_memory(self, layout: Layout) -> bool:
        """Whether a picture is written to such a file by way of memory."""
        return not self.strips or (layout.dtype.kind == "f" and not self.floats)

    def most_written(self, bytes_a_pixel: int) -> int:
        """How many pixels of so many bytes each are written where that is done in memory."""
        return min(max(self.whole * 3_000_000 // bytes_a_pixel, self.least * 1_000_000), MAX_WHOLE_PIXELS)


FORMATS = {
    "jpeg": Format(8, 65_500, strips=True),
    "png": Format(16, alpha=True, strips=True),
    "apng": Format(8, alpha=True, pages=True, metadata=False, resolution=False, read=60),
    "webp": Format(8, 16_383, alpha=True, pages=True),
    "tiff": Format(32, alpha=True, pages=True, strips=True, whole=300),
    "gif": Format(8, 65_535, alpha=True, pages=True, metadata=False, resolution=False, colours=256, mask=True, whole=120),
    "avif": Format(16, 16_384, alpha=True, whole=50),
    "heic": Format(16, alpha=True, read=50),
    "jp2": Format(16, 65_535, metadata=False, resolution=False, whole=40, least=20, read=40),
    "bmp": Format(8, 32_767, metadata=False, whole=85, read=80),
    "pnm": Format(32, strips=True, floats=True, metadata=False, resolution=False, read=40),
}
"""By the names of `engine.headers`: all that is read. HEIC is not written."""
ENDINGS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".avif": "avif",
    ".gif": "gif",
    ".bmp": "bmp",
    ".jp2": "jp2",
    ".pnm": "pnm",
    ".ppm": "pnm",
    ".pgm": "pnm",
    ".pfm": "pnm",
}
"""The format that a file's ending asks for when it is written."""
READABLE_ENDINGS = frozenset(ENDINGS) | {".heic", ".heif", ".j2k", ".jpf", ".pbm", ".pam", ".dib", ".apng"}
"""Endings that mark a file in a folder as a picture."""


def most_whole(bytes_a_pixel: int) -> int:
    """How many pixels of so many bytes each may be decoded whole."""
    return min(MAX_WHOLE_PIXELS, MAX_WHOLE_BYTES // bytes_a_pixel)


def kind_for(path: Path) -> str:
    """The format that ``path``'s ending asks for. Raises PictureError for an unknown one."""
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise PictureError(f"{path}: no picture format to write is called '{path.suffix}'; use one of {', '.join(sorted(ENDINGS))}")
    return kind


def kind_of(path: Path, layout: Layout, metadata: Metadata) -> str:
    """As `kind_for`, and told apart: a PNG of frames that follow one another is an animated one."""
    kind = kind_for(path)
    return "apng" if kind == "png" and layout.pages > 1 and metadata.animation else kind


def check_writable(path: Path, layout: Layout) -> None:
    """Raise PictureError where ``path``'s format cannot hold a picture of this size, before any work is done."""
    kind = kind_for(path)
    holds, pixels, side = FORMATS[kind], layout.width * layout.total_rows, max(layout.width, layout.height)
    here = f"{path}: {layout.width}×{layout.height} pixels"
    if side > holds.side:
        raise PictureError(f"{here}, but {kind.upper()} holds {holds.side} a side; choose PNG or TIFF")
    fitted, _ = fitting(layout, kind)
    most = holds.most_written(((1 if layout.grey else 3) + fitted.alpha) * fitted.dtype.itemsize)
    if holds.in_memory(fitted) and pixels > most:
        limit = f"{most // 1_000_000} megapixels"
        raise PictureError(
            f"{here} are over the {limit} that can be written as {_described(kind, fitted)}; choose PNG, JPEG or integer TIFF"
        )


def check_by_strips(path: Path, layout: Layout) -> None:
    """Raise PictureError where ``path``'s rows are so long that even strips of them would take too much memory."""
    samples = ((1 if layout.grey else 3) + layout.alpha) * layout.dtype.itemsize
    a_column = CODEC_ROWS * samples + (NETWORK_COLUMN_ALPHA if layout.alpha else NETWORK_COLUMN)
    needed, widest = BASE_BYTES + layout.width * a_column, (MOST_STRIP_BYTES - BASE_BYTES) // a_column
    if needed > MOST_STRIP_BYTES:
        raise PictureError(
            f"{path}: rows of {layout.width} pixels would take {needed / 1e9:.1f} GB of memory, over the limit of "
            f"{MOST_STRIP_BYTES / 1e9:.1f} GB; cut it into pieces of at most {widest} pixels in width"
        )


def losses(path: Path, layout: Layout, metadata: Metadata) -> tuple[str, ...]:
    """What ``path``'s format cannot keep of a picture, in words for the user. Raises PictureError for an unknown ending."""
    kind = kind_of(path, layout, metadata)
    holds, (fitted, _) = FORMATS[kind], fitting(layout, kind)
    lost = {
        f"only the first of {layout.pages} pages": layout.pages > 1 and not holds.pages,
        f"{8 * fitted.dtype.itemsize} bits a sample instead of {8 * layout.dtype.itemsize}": fitted.dtype != layout.dtype,
        "transparency (put on white)": layout.alpha and not fitted.alpha,
        "transparency other than all or none": fitted.alpha and holds.mask,
        f"only {holds.colours} colours a picture": holds.colours is not None,
        "the colour profile": metadata.icc is not None and not holds.metadata,
        "EXIF data": metadata.exif is not None and not holds.metadata,
        "XMP": metadata.xmp is not None and not holds.metadata,
        "the print resolution": metadata.resolution is not None and not holds.resolution,
    }
    return tuple(f"{kind.upper()} does not keep everything: {what}" for what, is_lost in lost.items() if is_lost)


def _described(kind: str, layout: Layout) -> str:
    parts = {"float ": layout.dtype.kind == "f", "16-bit ": layout.dtype == np.uint16}
    alpha = " with transparency" if layout.alpha else ""
    return f"{''.join(word for word, is_so in parts.items() if is_so)}{kind.upper()}{alpha}"


def fitting(layout: Layout, kind: str) -> tuple[Layout, Callable[[Strip], Strip]]:
    """The layout that ``kind`` can hold, and what turns strips into it."""
    holds = FORMATS[kind]
    deep_enough = 8 * layout.dtype.itemsize <= holds.bits
    dtype = layout.dtype if deep_enough else np.dtype(np.uint16 if holds.bits == 16 else np.uint8)
    fitted = replace(layout, dtype=dtype, span=layout.span if deep_enough else Span.of(dtype), alpha=layout.alpha and holds.alpha)
    if fitted == layout and not (layout.alpha and holds.mask):
        return layout, lambda strip: strip

    def convert(strip: Strip) -> Strip:
        unit, alpha = to_unit(strip.pixels, layout.span), None if strip.alpha is None else to_unit(strip.alpha)
        if alpha is not None and not fitted.alpha:
            weight = alpha if layout.grey else alpha[..., None]
            unit, alpha = unit * weight + (1 - weight), None
        if alpha is not None and holds.mask:
            alpha = (alpha >= HALF).astype(np.float32)
        return Strip(unit, alpha).stored(fitted)

    return fitted, convert
