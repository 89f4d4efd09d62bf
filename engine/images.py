"""The one door for picture files: a path to a picture, a picture to a path, whole or by the strip.

The bytes decide what a file is, never the ending of its name; what is written is aside until it is whole and checked.
"""

from __future__ import annotations

import functools
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from engine import exif, exif_tiff, headers
from engine.codecs import CodecError, Decoded, RoomError, blocks, pnm
from engine.errors import PictureError
from engine.formats import FORMATS, MAX_PIXELS, check_writable, fitting, kind_of, most_whole
from engine.picture import Metadata, Picture
from engine.rows import Layout, PageRows, PictureRows, Strip, first_rows, gathered, pieces
from engine.storing import aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

QUALITY = 95
IN_PASSES = "a progressive or interlaced file, which has to be decoded whole; save it as a plain one"
WITHOUT_LIBVIPS = "read without libvips (pip install 'pyvips[binary]'): damage and colour profiles go unnoticed"
_BY_VIPS = ("jpeg", "png", "webp", "tiff", "gif", "avif")
_BY_OPENCV = ("bmp", "jp2", "pnm", "apng")


@dataclass(frozen=True, slots=True)
class Reading:
    """An open picture: its rows from the top down, once (see `engine.rows.Source`), and what its file says beside them."""

    path: Path
    format: str
    layout: Layout
    metadata: Metadata
    _noted: tuple[str, ...]
    _decoded: Decoded

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know, in words; all of it once the rows are taken."""
        return (*self._noted, *self._decoded.complaints)

    def rows(self, start: int, stop: int) -> Strip:
        """As `Source.rows`. Raises PictureError where the data turn out to be damaged."""
        try:
            return self._decoded.source.rows(start, stop)
        except CodecError as error:
            raise _damaged(self.path, error) from error


@contextmanager
def reading(path: Path, *, trusted: bool = False) -> Iterator[Reading]:
    """Open a picture to take its rows; ``trusted`` ones, which we wrote, may be of any size.

    Raises PictureError for a file that cannot be read, is no picture, is damaged, or is too large.
    """
    with _opened(path) as file:
        head = file.read(headers.HEAD_BYTES)
        kind = headers.kind(head)
        if kind is None:
            raise PictureError(f"{path}: not a picture of a known format ({', '.join(FORMATS)})")
        decoded = _decode(path, file, kind, head, trusted=trusted)
        warnings = (*decoded.warnings, *headers.left_out(head, kind))
        yield Reading(path, kind, decoded.source.layout, _with_resolution(decoded.metadata), warnings, decoded)


def read(path: Path) -> Picture:
    """Read a picture whole, upright, with its metadata; of several pages the first. Raises PictureError as `reading`."""
    with reading(path) as source:
        return first_page(source)


def first_page(source: Reading) -> Picture:
    """The first page of an open picture, whole. Raises PictureError where its data turn out to be damaged."""
    page, layout = PageRows(source, 0), source.layout
    whole = gathered(page.layout, pieces(page))
    return Picture(whole.pixels, whole.alpha, source.metadata, layout.span, source.format, layout.pages, source.warnings)


def write(picture: Picture, path: Path, *, quality: int | None = None, overwrite: bool = False) -> None:
    """Store a picture in the format that ``path`` ends in. As `write_strips`."""
    layout = Layout.of(picture)
    write_strips(layout, pieces(PictureRows(picture)), picture.metadata, path, quality=quality, overwrite=overwrite)


def write_strips(
    layout: Layout,
    strips: Iterable[Strip],
    metadata: Metadata,
    path: Path,
    *,
    quality: int | None = None,
    overwrite: bool = False,
) -> None:
    """Store strips, which together are a picture of ``layout``, in the format that ``path`` ends in: whole, checked, or not at all.

    ``quality`` (1..100, default 95) is for JPEG, WebP and AVIF. A format that holds fewer bits gets rounded samples; one without
    alpha gets the picture on white; one without pages the first (`engine.formats.losses` tells it all beforehand). Raises
    OutputError where the file cannot be stored, or exists while ``overwrite`` is false; PictureError for an ending or a size that
    cannot be written; and what ``strips`` raises.
    """
    kind = kind_of(path, layout, metadata)
    check_writable(path, layout)
    if layout.pages > 1 and not FORMATS[kind].pages:
        strips, layout = first_rows(strips, layout.height), replace(layout, pages=1)
    fitted, convert = fitting(layout, kind)
    sums = _Sums(layout.height)
    prepared = (sums.added(convert(strip)) for strip in strips)
    with aside(path, overwrite=overwrite) as temporary:
        with temporary.open("wb+") as file:
            try:
                _encode(fitted, prepared, metadata, kind, QUALITY if quality is None else quality, file)
            except CodecError as error:
                raise PictureError(f"{path}: cannot be stored as {kind.upper()}: {error}") from error
        _check_stored(temporary, path, fitted, sums)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open(path, "rb", opener=_open_regular)  # noqa: SIM115 (Path.open has no opener; closed below)
    except (OSError, ValueError) as error:
        raise PictureError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    with file:
        yield file


def _open_regular(path: str, flags: int) -> int:
    """Open only what is a file, and without waiting for the other end of a pipe."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return handle
    os.close(handle)
    raise OSError(0, "the file is empty" if stat.S_ISREG(status.st_mode) else "it is not a file but a folder, a pipe or a device")


def _decode(path: Path, file: BinaryIO, kind: str, head: bytes, *, trusted: bool) -> Decoded:
    """Hand the file, which begins with ``head``, to the library that reads its kind, its size checked first."""
    try:
        if kind in _BY_VIPS and _has_libvips():
            from engine.codecs import vips  # noqa: PLC0415 (each library is loaded when a file needs it)

            if not trusted:
                width, height, bytes_a_pixel, in_passes = vips.size(file.fileno(), kind)
                whole = in_passes or not FORMATS[kind].strips
                form = (IN_PASSES if in_passes else "its format") + (f" at {bytes_a_pixel} bytes a pixel" if bytes_a_pixel > 3 else "")
                _check_size(path, (width, height), most_whole(bytes_a_pixel) if whole else MAX_PIXELS, form)
            return _with_exif(file, kind, lambda: vips.decode(file.fileno(), kind))
        if kind == "pnm" and (known := pnm.header(head)) is not None:
            if not trusted:
                _check_size(path, (known.width, known.height), MAX_PIXELS)
            return pnm.decode(file, known)
        file.seek(0)
        if kind == "heic":
            from engine.codecs import heif  # noqa: PLC0415

            return heif.decode(file.read(), FORMATS[kind].most_read)
        from engine.codecs import opencv  # noqa: PLC0415

        data = file.read()
        if kind in _BY_VIPS:  # OpenCV itself refuses more than 2^30 pixels
            return replace(opencv.decode(data, kind), warnings=(WITHOUT_LIBVIPS,))
        if not trusted:
            _check_size(path, headers.size(data[: headers.HEAD_BYTES], kind) or (0, 0), FORMATS[kind].most_read)
        return opencv.decode(data, kind)
    except CodecError as error:
        raise _damaged(path, error) from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from error


def _with_exif(file: BinaryIO, kind: str, decode: Callable[[], Decoded]) -> Decoded:
    """What ``decode`` gives, with a TIFF file's EXIF, which the library leaves out; read before, as both share one position."""
    block = exif_tiff.block_of(file) if kind == "tiff" else None
    decoded = decode()
    return decoded if block is None else replace(decoded, metadata=replace(decoded.metadata, exif=block))


def _with_resolution(metadata: Metadata) -> Metadata:
    """The metadata with the print resolution that their EXIF tells, where the file itself tells none."""
    if metadata.resolution is not None or metadata.exif is None:
        return metadata
    return replace(metadata, resolution=exif.resolution(metadata.exif))


def _check_size(path: Path, size: tuple[int, int], most_pixels: int, form: str = "its format") -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{path}: damaged: it says that it is {width}×{height} pixels")
    if width * height > most_pixels:
        raise PictureError(f"{path}: {width}×{height} pixels are over the limit of {most_pixels // 1_000_000} megapixels for {form}")


def _damaged(path: Path, error: CodecError) -> PictureError:
    if isinstance(error, RoomError):
        return PictureError(f"{path}: {error}")
    reason = " ".join(str(error).split())
    return PictureError(f"{path}: damaged or not supported: {reason}; try a complete copy, or save it as PNG elsewhere")


def _encode(layout: Layout, strips: Iterable[Strip], metadata: Metadata, kind: str, quality: int, file: BinaryIO) -> None:
    if kind == "pnm":
        pnm.encode(layout, strips, file)
        return
    without_libvips = kind not in _BY_OPENCV and not _has_libvips()
    if without_libvips and (metadata != Metadata() or layout.alpha or layout.pages > 1):
        raise CodecError("alpha, pages, profiles and metadata need libvips: pip install 'pyvips[binary]'")
    if kind in _BY_OPENCV or without_libvips:
        from engine.codecs import opencv  # noqa: PLC0415

        if kind == "apng":
            file.write(opencv.encode_frames(gathered(layout, strips), layout, metadata.animation))
            return
        data = opencv.encode(gathered(layout, strips).pixels, kind)
        file.write(blocks.with_resolution(data, metadata.resolution) if kind == "bmp" and metadata.resolution else data)
        return
    from engine.codecs import vips_save  # noqa: PLC0415

    vips_save.encode(layout, strips, metadata, kind, quality, file)


@functools.cache
def _has_libvips() -> bool:
    """Whether libvips is installed. A machine that only trains may do without: OpenCV reads most of what it reads, less carefully."""
    try:
        import_module("pyvips")
    except (ImportError, OSError):
        return False
    return True


class _Sums:
    """Sums of some rows' samples, to know a picture again after encoding and decoding."""

    def __init__(self, height: int) -> None:
        self._step = max(1, height // 256)
        self.total: NDArray[np.float64] | float = 0.0
        self.rows = 0
        self._top = 0

    def added(self, strip: Strip) -> Strip:
        """Count a strip, the next one down, and pass it on."""
        rows = slice(-self._top % self._step, None, self._step)
        sampled = strip.pixels[rows]
        if strip.alpha is not None:  # what cannot be seen need not be kept
            seen = strip.alpha[rows] > 0
            sampled = sampled * (seen if sampled.ndim == 2 else seen[..., None])
        self.total = self.total + sampled.sum(axis=(0, 1), dtype=np.float64)
        self.rows += len(sampled)
        self._top += len(strip.pixels)
        return strip

    def mean(self, layout: Layout) -> NDArray[np.float64]:
        """The mean sample of each channel, black 0 and white 1."""
        mean = np.asarray(self.total) / max(1, self.rows * layout.width)
        return (mean - layout.span.low) / (layout.span.high - layout.span.low)


MEAN_TOLERANCE = 0.1
"""How far a lossy format may move a channel's mean, of the whole range, before the file counts as spoilt."""


def _check_stored(stored: Path, path: Path, layout: Layout, written: _Sums) -> None:
    """Decode what was written, and raise PictureError unless it is the picture that was meant."""
    found = _Sums(layout.height)
    with reading(stored, trusted=True) as source:
        found_size, meant = ((each.width, each.height, each.pages) for each in (source.layout, layout))
        if found_size != meant:
            raise PictureError(f"{path}: was not stored right (width, height and pages are {found_size}, not {meant})")
        for strip in pieces(source):
            found.added(strip)
        shift = np.abs(found.mean(source.layout) - written.mean(layout)).max()
    if not shift <= MEAN_TOLERANCE:
        raise PictureError(f"{path}: its colours were not stored right (off by {shift:.1%}); choose another format")
