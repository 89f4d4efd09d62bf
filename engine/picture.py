"""A picture in memory, free of any file format and library."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.colour import UNIT, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Animation:
    """How a file's pages follow one another: how long each is shown, and how often all are (0: for ever)."""

    delays_ms: tuple[int, ...]
    loop: int = 0


@dataclass(frozen=True, slots=True)
class Metadata:
    r"""What a file says beside its pixels, as raw blocks: kept from input to output.

    ``exif`` starts with its TIFF header (no ``Exif\\0\\0``); ``resolution`` is the print resolution in pixels an inch, across and down.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    resolution: tuple[float, float] | None = None
    animation: Animation | None = None

    def bare(self) -> Metadata:
        """What is needed to show the pixels as they are meant, and nothing about where they came from: no EXIF, no XMP."""
        return replace(self, exif=None, xmp=None)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels as they are to be looked at: upright, RGB or grey.

    ``pixels`` is (H, W, 3) RGB or (H, W) grey, of uint8, uint16 or float32; ``alpha`` is (H, W) of the same dtype, not
    premultiplied, or None. ``span`` holds the sample values of black and white: a dtype's own, for float by default 0..1.
    ``format`` is the lower-case name of the file format it came from (``jpeg``, ``png``, …), empty if from none; ``pages`` is how many
    its file has, of which this is the first, and ``warnings`` are what could not be taken from there, in words for the user.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    span: Span = UNIT
    format: str = ""
    pages: int = 1
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise ValueError(f"a picture's samples are uint8, uint16 or float32, not {self.pixels.dtype}")
        if self.pixels.ndim not in (2, 3) or self.pixels.shape[2:] not in ((), (3,)) or self.pixels.size == 0:
            raise ValueError(f"a picture is (H, W) or (H, W, 3), not {self.pixels.shape}")
        if self.alpha is not None and (self.alpha.shape != self.pixels.shape[:2] or self.alpha.dtype != self.pixels.dtype):
            raise ValueError(f"alpha is {self.alpha.shape} {self.alpha.dtype}, its picture {self.pixels.shape} {self.pixels.dtype}")
        if self.pixels.dtype.kind == "u":
            object.__setattr__(self, "span", Span.of(self.pixels.dtype))

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    @property
    def grey(self) -> bool:
        """Whether it has luma alone."""
        return self.pixels.ndim == 2

    @property
    def bits(self) -> int:
        """Bits a sample in memory: 8, 16 or 32 (float)."""
        return self.pixels.dtype.itemsize * 8

    def with_pixels(self, pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Picture:
        """Return the picture with other pixels and all else the same."""
        return replace(self, pixels=pixels, alpha=alpha)

    def rgb8(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 for a screen: grey repeated, deeper samples rounded, alpha left out."""
        colour = self.pixels if not self.grey else np.repeat(self.pixels[..., None], 3, axis=2)
        if colour.dtype == np.uint8:
            return np.ascontiguousarray(colour)
        unit = (colour.astype(np.float32) - np.float32(self.span.low)) / np.float32(self.span.high - self.span.low)
        eight: NDArray[np.uint8] = (np.clip(unit, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
        return eight
