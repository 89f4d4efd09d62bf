"""JPEG, PNG, WebP, TIFF, AVIF and GIF through libvips, strip by strip where the format allows it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyvips

from engine import exif
from engine.codecs import CodecError, Decoded
from engine.codecs.turned import turned, upright
from engine.colour import Span
from engine.picture import Animation, Metadata
from engine.rows import Layout, Strip, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

STRIP_BYTES = 2 * 2**20
MOST_IN_MEMORY = 64 * 2**20
"""Bytes of samples up to which a picture is turned upright in memory; larger ones go by way of a file (`engine.codecs.turned`)."""
MILLIMETRES_AN_INCH = 25.4
STRICT, LENIENT = "warning", "error"
"""What a JPEG's decoder stops at: anything odd, or what it cannot get over. Others are read leniently; their checksums tell."""

_LOADERS = {"avif": "heif"}
_FORMATS = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32, "double": np.float64}
_BYTES = {"uchar": 1, "ushort": 2, "float": 4}
_PLAIN = ("srgb", "rgb", "rgb16", "b-w", "grey16", "scrgb", "multiband", "histogram")
_PAGED = ("tiff", "gif", "webp")
_RESOLVED = ("jpeg", "png", "tiff")
"""Of these the library reads the print resolution; of others it makes one up."""

pyvips.cache_set_max(0)  # a cached operation would serve a file that has changed since


def decode(handle: int, kind: str) -> Decoded:
    """Open the file behind the descriptor ``handle``, which stays open until the rows are taken. Raises CodecError."""
    complaints: list[str] = []
    try:
        try:
            opened = _opened(handle, kind, STRICT)
        except pyvips.Error as error:
            _complain(error, kind, complaints)
            opened = _opened(handle, kind, LENIENT)
        span = None
        if _is_float(opened.plain):  # black and white have to be found first: that takes the rows once
            span = _span(opened.plain)
            opened = _opened(handle, kind, LENIENT)
        layout = _layout(opened.plain, opened.pages, span)
    except pyvips.Error as error:
        raise CodecError(reason(error)) from error
    strips = _strips(opened.plain, layout, opened.bits, kind, lambda: _opened(handle, kind, LENIENT).plain, complaints)
    if opened.turned > 1:
        strips, layout = turned(strips, layout, opened.turned), upright(layout, opened.turned)
    return Decoded(Window(layout, strips), _metadata(opened.plain, opened.pages, kind), opened.warnings, complaints)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An image in samples that we have, its number of pages and its file's bits a sample (AVIF's alone).

    ``turned`` is the EXIF orientation in which its rows come, 1 where it is upright already.
    """

    plain: pyvips.Image
    pages: int
    bits: int
    warnings: tuple[str, ...]
    turned: int


def _opened(handle: int, kind: str, fail_on: str) -> _Opened:
    image, left_out = _all_pages(handle, kind, fail_on)
    pages = max(1, image.height // int(_field(image, "page-height") or image.height))
    orientation = _orientation(image) if pages == 1 else 1
    large = image.width * image.height * image.bands * (_BYTES.get(image.format) or 8) > MOST_IN_MEMORY
    by_strips = orientation > 2 and large
    if orientation > 2 and not by_strips:  # rows in another order
        image = _open(handle, kind, fail_on, sequential=False, pages=-1 if pages > 1 else 1)
    plain, converted = _plain(image.autorot() if orientation > 1 and not by_strips else image)
    bits = int(_field(image, "bits-per-sample") or 0) if kind == "avif" else 0
    return _Opened(plain, pages, bits, (*left_out, *converted), orientation if by_strips else 1)


def _complain(error: pyvips.Error, kind: str, complaints: list[str]) -> None:
    """Note what is wrong with a JPEG that can be decoded all the same. Raises CodecError for others, and where some of it is missing."""
    found = reason(error)
    if kind != "jpeg" or "premature end" in found or complaints:
        raise CodecError(found) from error
    complaints.append(f"slightly damaged, what could be decoded was taken ({found})")


def size(handle: int, kind: str) -> tuple[int, int, int, bool]:
    """Width and height, of all pages below one another, as stored, bytes a pixel, and whether rows come in several passes: by the header.

    Such a file (a progressive JPEG, an interlaced PNG) has to be decoded whole. Raises CodecError.
    """
    try:
        image = _open(handle, kind, LENIENT, sequential=True)
    except pyvips.Error as error:
        raise CodecError(reason(error)) from error
    pages = int(_field(image, "n-pages") or 1) if kind in _PAGED else 1
    return image.width, image.height * pages, image.bands * (_BYTES.get(image.format) or 8), bool(_field(image, "interlaced"))


def reason(error: pyvips.Error) -> str:
    """The last line of what libvips says, without its own part's name."""
    lines = [line for line in str(error.detail or error.message).splitlines() if line.strip()]
    return lines[-1].split(": ", 1)[-1].strip() if lines else "unknown error"


def _all_pages(handle: int, kind: str, fail_on: str) -> tuple[pyvips.Image, tuple[str, ...]]:
    """The pages below one another, or the first where they differ in size, which is then said."""
    image = _open(handle, kind, fail_on, sequential=True)
    count = int(_field(image, "n-pages") or 1)
    if count < 2:
        return image, ()
    if kind not in _PAGED:
        return image, (f"only the first of its {count} pictures is taken",)
    try:
        return _open(handle, kind, fail_on, sequential=True, pages=-1), ()
    except pyvips.Error:
        return _open(handle, kind, fail_on, sequential=True), (f"only the first of its {count} pages, which are not all alike, is taken",)


def _open(handle: int, kind: str, fail_on: str, *, sequential: bool, pages: int = 1) -> pyvips.Image:
    load = getattr(pyvips.Image, f"{_LOADERS.get(kind, kind)}load_source")
    options: dict[str, Any] = {"access": "sequential" if sequential else "random", "fail_on": fail_on if kind == "jpeg" else LENIENT}
    if kind in _PAGED:
        options["n"] = pages
    os.lseek(handle, 0, os.SEEK_SET)
    pyvips.vips_lib.vips_error_clear()  # else an earlier file's warnings would be told of this one
    image: pyvips.Image = load(pyvips.Source.new_from_descriptor(handle), **options)
    return image


def _field(image: pyvips.Image, name: str) -> Any:
    return image.get(name) if image.get_typeof(name) else None


def _orientation(image: pyvips.Image) -> int:
    return int(_field(image, "orientation") or 1)


def _is_float(image: pyvips.Image) -> bool:
    return image.format in ("float", "double")


def _plain(image: pyvips.Image) -> tuple[pyvips.Image, tuple[str, ...]]:
    """The image as grey or RGB with or without alpha, in a sample type that we have."""
    warnings: tuple[str, ...] = ()
    if image.interpretation == "cmyk":
        own = image.get_typeof("icc-profile-data") != 0
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth, intent="relative")
        warnings = ("converted from CMYK to sRGB " + ("by its own profile" if own else "by a general profile, as it has none of its own"),)
    elif image.interpretation not in _PLAIN:
        image = image.colourspace("rgb16" if image.format != "uchar" else "srgb")
        warnings = ("converted to RGB",)
    if image.format not in _FORMATS:
        raise CodecError(f"samples of type {image.format} are not supported")
    if image.bands > 4:
        raise CodecError(f"{image.bands} channels; a picture has up to four")
    return image, warnings


def _layout(image: pyvips.Image, pages: int, span: Span | None) -> Layout:
    grey, alpha = image.bands < 3, image.bands in (2, 4)
    dtype = np.dtype(np.float32) if _is_float(image) else np.dtype(_FORMATS[image.format])
    return Layout(image.height // pages, image.width, grey, alpha, dtype, span or Span.of(dtype), pages)


def _span(image: pyvips.Image) -> Span:
    """Black and white of a float picture: 0 and 1, or its own least and greatest sample where they lie outside. Takes all its rows."""
    colours = image[:-1] if image.bands in (2, 4) else image
    low, high, total = colours.stats().crop(0, 0, 3, 1).numpy().ravel()
    if not np.isfinite([low, high, total]).all() or max(abs(low), abs(high)) > np.finfo(np.float32).max / 4:
        raise CodecError("it holds samples that are not finite")
    return Span(min(float(low), 0.0), max(float(high), 1.0))


def _metadata(image: pyvips.Image, pages: int, kind: str) -> Metadata:
    raw = _field(image, "exif-data")
    resolution = None
    if kind in _RESOLVED and image.get_typeof("resolution-unit"):
        resolution = (image.xres * MILLIMETRES_AN_INCH, image.yres * MILLIMETRES_AN_INCH)
    return Metadata(
        icc=_field(image, "icc-profile-data"),
        exif=raw.removeprefix(exif.PREFIX) if raw else None,
        xmp=_field(image, "xmp-data"),
        resolution=resolution,
        animation=_animation(image, pages),
    )


def _animation(image: pyvips.Image, pages: int) -> Animation | None:
    delays = _field(image, "delay")
    if pages < 2 or not delays:
        return None
    return Animation(tuple(int(delays[min(page, len(delays) - 1)]) for page in range(pages)), int(_field(image, "loop") or 0))


def _strips(
    image: pyvips.Image, layout: Layout, bits: int, kind: str, again: Callable[[], pyvips.Image], complaints: list[str]
) -> Iterator[Strip]:
    """The rows. ``again`` opens the image anew, leniently, where something odd comes up, which is noted in ``complaints``."""
    region = pyvips.Region.new(image)
    stored = np.dtype(_FORMATS[image.format])
    tall = max(8, STRIP_BYTES // (image.width * image.bands * stored.itemsize) // 8 * 8)
    for top in range(0, image.height, tall):
        rows = min(tall, image.height - top)
        try:
            data = region.fetch(0, top, image.width, rows)
        except pyvips.Error as error:
            _complain(error, kind, complaints)
            region, data = _resumed(again, top, rows)
        samples = np.frombuffer(data, stored).reshape(rows, image.width, image.bands)
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise CodecError("it holds samples that are not finite")
        yield _split(_full_range(samples, bits), layout)


def _resumed(again: Callable[[], pyvips.Image], top: int, rows: int) -> tuple[pyvips.Region, Any]:
    """The image opened anew, and its rows from ``top`` on."""
    try:
        image = again()
        region = pyvips.Region.new(image)
        return region, region.fetch(0, top, image.width, rows)
    except pyvips.Error as error:
        raise CodecError(reason(error)) from error


def _split(samples: NDArray[Any], layout: Layout) -> Strip:
    """Colour and alpha of (rows, W, bands)."""
    converted = samples.astype(layout.dtype, copy=False)
    colours = converted[..., 0] if layout.grey else converted[..., :3]
    return Strip(np.ascontiguousarray(colours), np.ascontiguousarray(converted[..., -1]) if layout.alpha else None)


def _full_range(samples: NDArray[Any], bits: int) -> NDArray[Any]:
    """AVIF's 10 and 12 bits arrive shifted up to 16; stretch them so that white is 65535."""
    if samples.dtype != np.uint16 or not 8 < bits < 16:
        return samples
    top = (1 << bits) - 1
    return (((samples >> (16 - bits)).astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
