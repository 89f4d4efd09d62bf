"""Writing through libvips, strip by strip: rows go in from our side, the encoder takes them from its own."""

from __future__ import annotations

import queue
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyvips

from engine import exif, exif_tiff
from engine.codecs import CodecError
from engine.codecs.vips import MILLIMETRES_AN_INCH, reason
from engine.rows import gathered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from engine.picture import Metadata
    from engine.rows import Layout, Strip

AVIF_DEEP_BITS = 12
BIG_TIFF_BYTES = 3 * 2**30
TIFF_ROWS, WIDE_TIFF_ROWS, WIDE_ROW_BYTES = 128, 16, 1 << 16
"""How many rows are compressed together; the library holds some times as many, so of rows of more than so many bytes fewer."""
QUEUED = 4


def encode(layout: Layout, strips: Iterable[Strip], metadata: Metadata, kind: str, quality: int, file: BinaryIO) -> None:
    """Write ``strips``, which together are a picture of ``layout``, to ``file`` as ``kind``.

    uint8 and uint16 go through as they come; float is for TIFF alone and is held whole. Raises CodecError, the OSError that
    writing to ``file`` met, and whatever ``strips`` raises.
    """
    if layout.dtype.kind == "f":
        _save(_in_memory(layout, strips), layout, metadata, kind, quality, _Sink(file))
    else:
        _save_by_strips(layout, strips, metadata, kind, quality, file)
    if kind == "tiff" and metadata.exif and (upright := exif.upright(metadata.exif, layout.width, layout.height)):
        exif_tiff.add(file, upright)


def _save_by_strips(layout: Layout, strips: Iterable[Strip], metadata: Metadata, kind: str, quality: int, file: BinaryIO) -> None:
    feed = _Feed()
    sink = _Sink(file)
    failures: list[Exception] = []
    saver = threading.Thread(target=_save_fed, args=(feed, layout, metadata, kind, quality, sink, failures), name="encoder")
    saver.start()
    try:
        for piece in _carrier(layout, strips):
            if not feed.put(piece):
                break
    finally:
        feed.end()
        saver.join()
    if failures:
        raise failures[0]


def _save_fed(feed: _Feed, layout: Layout, metadata: Metadata, kind: str, quality: int, sink: _Sink, failures: list[Exception]) -> None:
    """The encoder's thread."""
    source = pyvips.SourceCustom()
    source.on_read(feed.read)
    try:
        image = pyvips.Image.pngload_source(source, access="sequential", fail_on="error", unlimited=True)
        _save(image, layout, metadata, kind, quality, sink)
    except (pyvips.Error, CodecError, OSError) as error:
        failures.append(CodecError(reason(error)) if isinstance(error, pyvips.Error) else error)
    finally:
        feed.abandon()


def _save(image: pyvips.Image, layout: Layout, metadata: Metadata, kind: str, quality: int, sink: _Sink) -> None:
    target = pyvips.TargetCustom()
    target.on_write(sink.write)
    target.on_read(sink.read)
    target.on_seek(sink.seek)
    described, keep = _described(image, layout, metadata)
    save = {"avif": "heif"}.get(kind, kind) + "save"
    try:
        getattr(described, f"{save}_target")(target, keep=keep, **_options(layout, kind, quality))
    except pyvips.Error as error:
        if sink.failure is not None:
            raise sink.failure from error
        raise CodecError(reason(error)) from error
    if sink.failure is not None:
        raise sink.failure


def _options(layout: Layout, kind: str, quality: int) -> dict[str, Any]:
    deep = layout.dtype == np.uint16
    if kind == "jpeg":
        return {"Q": quality, "subsample_mode": "off"}
    if kind == "png":
        return {"compression": 6, "filter": "all" if layout.height * layout.width < 4_000_000 else "sub", "bitdepth": 16 if deep else 8}
    if kind == "webp":
        return {"Q": quality, "lossless": quality >= 100, "smart_subsample": True, "alpha_q": 100, "exact": True}
    if kind == "gif":
        return {"dither": 1.0, "effort": 7}
    if kind == "avif":
        return {"Q": quality, "bitdepth": AVIF_DEEP_BITS if deep else 8, "compression": "av1", "subsample_mode": "off", "effort": 4}
    channels = (1 if layout.grey else 3) + layout.alpha
    size = layout.total_rows * layout.width * channels * layout.dtype.itemsize
    predictor = "float" if layout.dtype.kind == "f" else "horizontal"
    lines = WIDE_TIFF_ROWS if size > layout.total_rows * WIDE_ROW_BYTES else TIFF_ROWS
    return {"compression": "deflate", "predictor": predictor, "bigtiff": size > BIG_TIFF_BYTES, "tile_height": lines}


def _described(image: pyvips.Image, layout: Layout, metadata: Metadata) -> tuple[pyvips.Image, str]:
    """The image with its metadata attached, and which kinds of it the encoder shall keep."""
    across, down = metadata.resolution or (72.0, 72.0)
    image = image.copy(xres=across / MILLIMETRES_AN_INCH, yres=down / MILLIMETRES_AN_INCH)
    patched = exif.upright(metadata.exif, layout.width, layout.height) if metadata.exif else None
    blobs = {"icc": ("icc-profile-data", metadata.icc), "xmp": ("xmp-data", metadata.xmp), "exif": ("exif-data", patched)}
    kept = ["other"]
    for keep, (name, blob) in blobs.items():
        if blob:
            image.set_type(pyvips.GValue.blob_type, name, blob)
            kept.append(keep)
    if metadata.resolution and "exif" not in kept:
        kept.append("exif")  # JPEG and WebP tell their print resolution there
    image.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in")
    if layout.pages > 1:
        image.set_type(pyvips.GValue.gint_type, "page-height", layout.height)
    if layout.pages > 1 and metadata.animation:
        image.set_type(pyvips.GValue.array_int_type, "delay", list(metadata.animation.delays_ms))
        image.set_type(pyvips.GValue.gint_type, "loop", metadata.animation.loop)
    return image, "|".join(kept)


def _in_memory(layout: Layout, strips: Iterable[Strip]) -> pyvips.Image:
    samples = np.ascontiguousarray(_interleaved(gathered(layout, strips), layout))
    image = pyvips.Image.new_from_memory(samples.data, layout.width, layout.total_rows, samples.shape[2], "float")
    return image.copy(interpretation="b-w" if layout.grey else "scrgb")


def _interleaved(strip: Strip, layout: Layout) -> NDArray[Any]:
    colours = strip.pixels.reshape(len(strip.pixels), layout.width, -1)
    return colours if strip.alpha is None else np.concatenate([colours, strip.alpha[..., None]], axis=2)


def _carrier(layout: Layout, strips: Iterable[Strip]) -> Iterator[bytes]:
    """The picture as an uncompressed PNG stream: what libvips takes in by the strip, for every integer kind of picture."""
    kind = {(True, False): 0, (False, False): 2, (True, True): 4, (False, True): 6}[layout.grey, layout.alpha]
    header = struct.pack(">IIBBBBB", layout.width, layout.total_rows, 8 * layout.dtype.itemsize, kind, 0, 0, 0)
    yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    deflate = zlib.compressobj(0)
    for strip in strips:
        samples = _interleaved(strip, layout)
        samples = samples.astype(samples.dtype.newbyteorder(">"), copy=False)
        flat = np.ascontiguousarray(samples).view(np.uint8).reshape(len(samples), -1)
        rows = np.zeros((len(samples), 1 + flat.shape[1]), np.uint8)  # each row begins with its filter: none
        rows[:, 1:] = flat
        yield _chunk(b"IDAT", deflate.compress(rows.data))
    yield _chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


class _Feed:
    """Bytes from one thread to another, a few pieces ahead at most; either side may go away."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUED)
        self._gone = threading.Event()
        self._current = memoryview(b"")

    def put(self, piece: bytes) -> bool:
        """Hand over a piece; False where the reader is gone."""
        while not self._gone.is_set():
            try:
                self._queue.put(piece, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def end(self) -> None:
        """Say that nothing more comes."""
        while not self._gone.is_set():
            try:
                self._queue.put(None, timeout=0.1)
            except queue.Full:
                continue
            return

    def abandon(self) -> None:
        """Say that nothing more is read."""
        self._gone.set()

    def read(self, most: int) -> memoryview | None:
        """Up to ``most`` bytes, None at the end."""
        if not self._current:
            piece = self._queue.get()
            if piece is None:
                self._queue.put(None)
                return None
            self._current = memoryview(piece)
        taken, self._current = self._current[:most], self._current[most:]
        return taken


class _Sink:
    """A file as the encoder's target. What goes wrong is kept, for an exception cannot pass through the encoder."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(bytes(data))
        except OSError as error:
            self.failure = self.failure or error
            return -1

    def read(self, most: int) -> bytes:
        return self._file.read(most)

    def seek(self, offset: int, whence: int) -> int:
        return self._file.seek(offset, whence)
