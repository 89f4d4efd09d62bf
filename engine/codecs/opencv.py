"""BMP, JPEG 2000, animated PNG and the rarer kinds of PNM through OpenCV, whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from engine.codecs import CodecError, Decoded, blocks
from engine.colour import Span
from engine.picture import Animation, Picture
from engine.rows import Layout, PictureRows, Strip, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_JP2 = 32
"""OpenCV always makes five wavelet levels, which need this many pixels a side."""

cv2.utils.logging.setLogLevel(
    cv2.utils.logging.LOG_LEVEL_SILENT
)  # what goes wrong comes as a return value or an exception; the log would go to standard error


def decode(data: bytes, kind: str) -> Decoded:
    """A picture from a file's bytes. Raises CodecError."""
    if kind == "apng":
        return _decode_frames(data)
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise CodecError(str(error.err)) from error
    if stored is None or stored.size == 0:
        raise CodecError(f"its {kind.upper()} data cannot be decoded")
    if stored.dtype not in (np.uint8, np.uint16, np.float32):
        raise CodecError(f"samples of type {stored.dtype} are not supported")
    pixels, alpha = _rgb(stored)
    return Decoded(PictureRows(Picture(pixels, alpha, span=_span(pixels), format=kind)), blocks.metadata(data, kind))


def encode_frames(whole: Strip, layout: Layout, animation: Animation | None) -> bytes:
    """The bytes of an animated PNG of ``layout``'s pages, which lie below one another in ``whole``. Raises CodecError."""
    colours = np.repeat(whole.pixels[..., None], 3, axis=2) if layout.grey else whole.pixels[..., ::-1]
    stored = colours if whole.alpha is None else np.concatenate([colours, whole.alpha[..., None]], axis=2)
    film = cv2.Animation()
    film.frames = [np.ascontiguousarray(frame) for frame in np.split(stored, layout.pages)]
    film.durations = list(animation.delays_ms) if animation else [100] * layout.pages
    film.loop_count = animation.loop if animation else 0
    try:
        done, data = cv2.imencodeanimation(".png", film)
    except cv2.error as error:
        raise CodecError(str(error.err)) from error
    if not done:
        raise CodecError("its frames cannot be stored")
    return bytes(data.tobytes())


def _decode_frames(data: bytes) -> Decoded:
    try:
        done, film = cv2.imdecodeanimation(np.frombuffer(data, np.uint8))
    except cv2.error as error:
        raise CodecError(str(error.err)) from error
    frames = film.frames if done else ()
    if not frames or len({(frame.shape, frame.dtype) for frame in frames}) != 1 or frames[0].dtype != np.uint8:
        raise CodecError("its frames cannot be decoded")
    pixels, alpha = _rgb(np.concatenate(frames))
    height, width = frames[0].shape[:2]
    layout = Layout(height, width, pixels.ndim == 2, alpha is not None, pixels.dtype, Span.of(np.uint8), len(frames))
    animation = Animation(tuple(int(delay) for delay in np.ravel(film.durations)), int(film.loop_count))
    return Decoded(Window(layout, iter([Strip(pixels, alpha)])), replace(blocks.metadata(data, "apng"), animation=animation))


def encode(pixels: NDArray[Any], kind: str) -> bytes:
    """The bytes of a file with (H, W) or (H, W, 3) RGB ``pixels``. Raises CodecError."""
    if kind == "jp2" and min(pixels.shape[:2]) < SMALLEST_JP2:
        raise CodecError(f"JPEG 2000 is written from {SMALLEST_JP2} pixels a side on; choose PNG or TIFF")
    parameters = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if kind == "jp2" else []
    try:
        done, data = cv2.imencode(f".{kind}", pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1]), parameters)
    except cv2.error as error:
        raise CodecError(str(error.err)) from error
    if not done:
        raise CodecError(f"cannot be stored as {kind.upper()}")
    return bytes(data.tobytes())


def _rgb(stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """OpenCV's BGR or BGRA as RGB, or grey, and alpha."""
    if stored.ndim == 2:
        return stored, None
    if stored.shape[2] == 2:
        return np.ascontiguousarray(stored[..., 0]), np.ascontiguousarray(stored[..., 1])
    colours = np.ascontiguousarray(stored[..., 2::-1])
    return colours, np.ascontiguousarray(stored[..., 3]) if stored.shape[2] == 4 else None


def _span(pixels: NDArray[Any]) -> Span:
    if pixels.dtype.kind == "u":
        return Span.of(pixels.dtype)
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():
        raise CodecError("it holds samples that are not finite")
    return Span(min(low, 0.0), max(high, 1.0))
