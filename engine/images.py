"""The one door for picture files: a path to a `Picture`, a `Picture` to a path. The bytes decide, never the name's ending."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from engine import exif, headers
from engine.errors import PictureError
from engine.picture import Metadata, Picture
from engine.storing import aside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAX_PIXELS = 300_000_000
"""Above this a picture is refused before it is decoded."""
MAX_FILE_BYTES = 4 * 2**30
QUALITY = 95

READABLE = ("jpeg", "png", "webp", "tiff", "bmp", "avif", "jp2", "pnm")
"""Formats by the names of `engine.headers`."""
ENDINGS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".avif": "avif",
    ".jp2": "jp2",
    ".j2k": "jp2",
    ".pnm": "pnm",
    ".ppm": "pnm",
    ".pgm": "pnm",
}
"""The format that a file's ending asks for when it is written; also what marks a file in a folder as a picture."""

_DEEP = {"png", "tiff", "jp2", "pnm", "avif"}
_WITH_ALPHA = {"png", "tiff", "webp", "avif"}
_METADATA = {"icc": cv2.IMAGE_METADATA_ICCP, "exif": cv2.IMAGE_METADATA_EXIF, "xmp": cv2.IMAGE_METADATA_XMP}
_TURNS = {2: (1, False), 3: (-1, False), 4: (0, False), 5: (None, True), 6: (1, True), 7: (-1, True), 8: (0, True)}
"""EXIF orientation: what to flip (OpenCV's codes) after transposing, where it says so."""


def read(path: Path) -> Picture:
    """Read a picture, upright, with its metadata.

    Raises PictureError for a file that cannot be read, is no picture, is damaged or cut short, or is too large.
    """
    data = _bytes(path)
    try:
        header = headers.probe(data)
    except headers.DamagedError as error:
        raise PictureError(f"{path}: damaged: {error}; get a complete copy of the file") from error
    if header is None or header.format not in READABLE:
        raise PictureError(f"{path}: not a picture of a known format ({', '.join(READABLE)})")
    if header.width is not None and header.height is not None:
        _check_size(path, header.width, header.height)
    return _decode(path, data, header.format)


def write(picture: Picture, path: Path, *, quality: int | None = None, overwrite: bool = False) -> None:
    """Store a picture in the format that ``path`` ends in, whole or not at all.

    ``quality`` (1..100, default 95) is for JPEG, WebP and AVIF. JPEG, WebP and BMP hold 8 bits: deeper pictures are rounded. Raises
    OutputError where the file cannot be stored or exists while ``overwrite`` is false, PictureError for an ending or picture that
    cannot be written.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise PictureError(f"{path}: no picture format is called '{path.suffix}'; use one of {', '.join(sorted(ENDINGS))}")
    data = _encode(picture, path, kind, QUALITY if quality is None else quality)
    with aside(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open_regular) as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise PictureError(f"{path}: over {MAX_FILE_BYTES >> 30} GiB; too large for a picture")
            data = file.read()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise PictureError(f"{path}: the file is empty")
    return data


def _open_regular(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe, and only what is a file."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "it is not a file but a folder, a pipe or a device")
    return handle


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise PictureError(f"{path}: damaged: it says that it is {width}×{height} pixels")
    if width * height > MAX_PIXELS:
        raise PictureError(f"{path}: {width}×{height} is over the limit of {MAX_PIXELS // 1_000_000} megapixels")


def _decode(path: Path, data: bytes, kind: str) -> Picture:
    try:
        decoded, types, blocks = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PictureError(f"{path}: cannot be decoded: {error.err}") from error
    if decoded is None or decoded.size == 0:
        raise PictureError(f"{path}: damaged: its {kind.upper()} data cannot be decoded")
    _check_size(path, decoded.shape[1], decoded.shape[0])
    metadata = _metadata(types, blocks)
    turned = _upright(decoded, exif.orientation(metadata.exif) if metadata.exif else 1)
    pixels, alpha = _channels(path, turned)
    return Picture(pixels, alpha, metadata=metadata, format=kind)


def _metadata(types: Sequence[int], blocks: Sequence[Any]) -> Metadata:
    found = {kind: np.asarray(block).tobytes() for kind, block in zip(types, blocks, strict=True)}
    raw = found.get(cv2.IMAGE_METADATA_EXIF)
    return Metadata(
        icc=found.get(cv2.IMAGE_METADATA_ICCP),
        exif=raw.removeprefix(exif.PREFIX) if raw else None,
        xmp=found.get(cv2.IMAGE_METADATA_XMP),
    )


def _upright(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    if orientation not in _TURNS:
        return stored
    flip, transposed = _TURNS[orientation]
    turned = stored.swapaxes(0, 1) if transposed else stored
    axes: tuple[int, ...] = () if flip is None else {1: (1,), 0: (0,), -1: (0, 1)}[flip]
    return np.ascontiguousarray(np.flip(turned, axes))


def _channels(path: Path, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """OpenCV's BGR or BGRA as RGB and alpha; samples of other types are refused."""
    if stored.dtype == np.float64:
        stored = stored.astype(np.float32)
    if stored.dtype not in (np.uint8, np.uint16, np.float32):
        raise PictureError(f"{path}: samples of type {stored.dtype} are not supported")
    if stored.ndim == 2:
        return stored, None
    channels = stored.shape[2]
    if channels == 2:
        return np.ascontiguousarray(stored[..., 0]), np.ascontiguousarray(stored[..., 1])
    colour = np.ascontiguousarray(stored[..., 2::-1])
    return colour, np.ascontiguousarray(stored[..., 3]) if channels == 4 else None


def _encode(picture: Picture, path: Path, kind: str, quality: int) -> bytes:
    stored = _stored(picture, kind)
    types, blocks = _blocks(picture)
    parameters = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
        "avif": [cv2.IMWRITE_AVIF_QUALITY, quality],
    }.get(kind, [])
    ending = path.suffix.lower() if kind != "jpeg" else ".jpg"
    try:
        done, data = cv2.imencodeWithMetadata(ending, stored, types, blocks, parameters)
    except cv2.error as error:
        raise PictureError(f"{path}: {picture.width}×{picture.height} cannot be stored as {kind.upper()}: {error.err}") from error
    if not done:
        raise PictureError(f"{path}: {picture.width}×{picture.height} cannot be stored as {kind.upper()}")
    return bytes(data.tobytes())


def _stored(picture: Picture, kind: str) -> NDArray[Any]:
    """The array that OpenCV stores: BGR or BGRA, in a depth that the format has."""
    channels = picture.pixels[..., ::-1] if not picture.grey else picture.pixels[..., None]
    if picture.alpha is not None and kind in _WITH_ALPHA:
        channels = np.repeat(channels, 3, axis=2) if picture.grey else channels
        channels = np.dstack([channels, picture.alpha])
    if picture.bits == 32 and kind != "tiff":
        limit = 65535 if kind in _DEEP else 255
        unit = (channels - picture.span.low) / (picture.span.high - picture.span.low)
        channels = (np.clip(unit, 0, 1) * limit + 0.5).astype(np.uint16 if kind in _DEEP else np.uint8)
    elif picture.bits == 16 and kind not in _DEEP:
        channels = ((channels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.ascontiguousarray(channels)


def _blocks(picture: Picture) -> tuple[list[int], list[NDArray[np.uint8]]]:
    kept = picture.metadata
    patched = exif.upright(kept.exif, picture.width, picture.height) if kept.exif else None
    found = {"icc": kept.icc, "exif": patched, "xmp": kept.xmp}
    present = {name: block for name, block in found.items() if block}
    return [_METADATA[name] for name in present], [np.frombuffer(block, np.uint8) for block in present.values()]
