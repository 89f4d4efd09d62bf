"""The visible part of a picture, upscaled before the whole: both sides of a comparison for one region.

The network sees the region with the context that its outputs depend on, so that the pixels are those of the whole result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from engine import images
from engine.colour import BLEED_RADIUS
from engine.picture import Picture
from engine.resize import enlarged_bytes, imresize
from engine.rows import PageRows, Strip, joined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.serve.protocol import Region
    from engine.upscaler import Upscaler

CUBIC_REACH = 4
FILTER_REACH = 16
"""OpenCV's filters round the last columns of an array otherwise than the rest; with this much context those are cut off."""
STRIP_PIXELS = 1 << 22
"""Of a picture that is made small, at a time."""
METHODS = ("nearest", "bicubic", "lanczos")
_INTERPOLATIONS = {"nearest": cv2.INTER_NEAREST, "lanczos": cv2.INTER_LANCZOS4}


@dataclass(frozen=True, slots=True)
class Margins:
    """A region with its context, and where the region lies within."""

    rows: slice
    columns: slice
    top: int
    left: int


def margins(size: tuple[int, int], region: Region, reach: int, grid: int = 1) -> Margins:
    """A region of a picture of ``size`` (width, height), widened by ``reach`` on all sides and cut at the picture's borders.

    It begins at multiples of ``grid``. Raises ValueError for one outside of the picture.
    """
    right, bottom = region.x + region.width, region.y + region.height
    if right > size[0] or bottom > size[1]:
        raise ValueError(f"the region reaches to {right} x {bottom}, the picture to {size[0]} x {size[1]}")
    top, left = (max(start - reach, 0) // grid * grid for start in (region.y, region.x))
    return Margins(slice(top, bottom + reach), slice(left, right + reach), region.y - top, region.x - left)


def upscale_region(upscaler: Upscaler, picture: Picture, region: Region, cancelled: Callable[[], bool]) -> Picture:
    """What the whole result shows of ``region`` (input pixels), made from it and its context alone. Raises Cancelled."""
    spec = upscaler.backend.spec
    reach = max(spec.receptive_radius, FILTER_REACH) + (2 * BLEED_RADIUS if picture.alpha is not None else 0)
    wide = margins((picture.width, picture.height), region, reach, spec.grid)
    upscaled = upscaler.upscale(_cut(picture, wide.rows, wide.columns), cancelled=cancelled)
    return _cut(upscaled, *_inner(wide, region, spec.scale))


def enlarge_region(picture: Picture, region: Region, scale: int, method: str) -> Picture:
    """The region by ``nearest``, ``bicubic`` (as MATLAB's imresize) or ``lanczos`` interpolation."""
    wide = margins((picture.width, picture.height), region, CUBIC_REACH)
    context = _cut(picture, wide.rows, wide.columns)
    size = (context.height * scale, context.width * scale)

    def enlarged(plane: NDArray[Any]) -> NDArray[Any]:
        if method == "bicubic":
            return _bicubic(plane, *size)
        return np.asarray(cv2.resize(plane, size[::-1], interpolation=_INTERPOLATIONS[method]))

    alpha = None if context.alpha is None else enlarged(context.alpha)
    return _cut(context.with_pixels(enlarged(context.pixels), alpha), *_inner(wide, region, scale))


def crop(picture: Picture, region: Region, scale: int) -> Picture:
    """A region (in input pixels) of a picture that is ``scale`` times the input."""
    rows = slice(region.y * scale, (region.y + region.height) * scale)
    return _cut(picture, rows, slice(region.x * scale, (region.x + region.width) * scale))


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture at another size, bicubically; itself at its own."""
    if (picture.width, picture.height) == (width, height):
        return picture
    alpha = None if picture.alpha is None else imresize(picture.alpha, height, width)
    return picture.with_pixels(imresize(picture.pixels, height, width), alpha)


def _bicubic(x: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """As `imresize` by a whole factor, several times as quick: deeper integers plane by plane in float, rounded after each pass."""
    if x.dtype == np.uint8:
        return enlarged_bytes(x, height // x.shape[0])
    if x.dtype.kind == "f":
        return imresize(x, height, width)
    planes = [x] if x.ndim == 2 else list(cv2.split(x))
    most = np.iinfo(x.dtype).max
    passes = ((height, x.shape[1]), (height, width))
    for size in passes:
        planes = [_rounded(imresize(plane.astype(np.float32), *size), most) for plane in planes]
    joined = np.asarray(planes[0] if x.ndim == 2 else cv2.merge(planes))
    return joined.astype(x.dtype)


def _rounded(plane: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Round half up within 0..``most``, in place."""
    np.clip(plane, 0, most, out=plane)
    plane += np.float32(0.5)
    return np.asarray(np.floor(plane, out=plane))


def reduced(picture: Picture, factor: int) -> Picture:
    """The picture with sides ``factor`` times shorter (rounded up), averaged."""
    if factor == 1:
        return picture
    small = _shrunk(Strip(picture.pixels, picture.alpha), factor)
    return picture.with_pixels(small.pixels, small.alpha)


def thumbnail(path: Path, side: int) -> tuple[Picture, int, int]:
    """A picture file's first page with its longer side ``side`` at most, and its own width and height. Taken by the strip.

    Raises PictureError.
    """
    with images.reading(path) as source:
        page = PageRows(source, 0)
        height, width = page.layout.height, page.layout.width
        factor = -(-max(width, height) // side)
        tall = factor * max(1, STRIP_PIXELS // (factor * width))
        strips = (page.rows(top, min(top + tall, height)) for top in range(0, height, tall))
        whole = joined([_shrunk(strip, factor) for strip in strips])
        return Picture(whole.pixels, whole.alpha, span=page.layout.span, format=source.format), width, height


def _shrunk(strip: Strip, factor: int) -> Strip:
    size = (-(-strip.pixels.shape[1] // factor), -(-strip.pixels.shape[0] // factor))

    def mean(plane: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))

    return Strip(mean(strip.pixels), None if strip.alpha is None else mean(strip.alpha))


def crop_to(picture: Picture, wide: Margins, region: Region, scale: int) -> Picture:
    """What of a picture, made from a region with its margins ``scale`` times as large, is the region's own."""
    return _cut(picture, *_inner(wide, region, scale))


def _inner(wide: Margins, region: Region, scale: int) -> tuple[slice, slice]:
    top, left = wide.top * scale, wide.left * scale
    return slice(top, top + region.height * scale), slice(left, left + region.width * scale)


def _cut(picture: Picture, rows: slice, columns: slice) -> Picture:
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[rows, columns])
    return picture.with_pixels(np.ascontiguousarray(picture.pixels[rows, columns]), alpha)
