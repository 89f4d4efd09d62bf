"""A film in, a film out: decoded, upscaled and encoded side by side, a piece at a time, then put together with its sound.

The three stages run in threads with short queues between them, so that memory does not grow with the film's length. A piece
that is finished survives a crash; the same job, started again, goes on after the last one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import video_mux, video_segments, video_source
from engine.errors import Cancelled, VideoError
from engine.storing import aside
from engine.stream import ahead
from engine.tiles import Region, Tile, run, run_tile
from engine.video_planes import Planes, from_unit, resized, to_unit, upscale_chroma

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.backends import Backend
    from engine.video_codecs import Encoding
    from engine.video_segments import Pieces
    from engine.video_source import Still, VideoInfo

QUEUE = 4
"""Frames that may wait between two stages."""
WORTH_CUTTING = 0.6
"""A changed part of a frame is upscaled alone where it is, with its context, at most this share of it."""
EVEN_CODECS = {"x264", "x265", "av1", "prores", "h264-nvenc", "hevc-nvenc", "h264-videotoolbox", "hevc-videotoolbox"}
"""Those that refuse a picture whose side is no multiple of its chroma's."""


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be made: the source, the output's size and encoding, and whether to deinterlace."""

    info: VideoInfo
    size: tuple[int, int]
    encoding: Encoding
    deinterlace: bool
    threads: int | None = None
    tile: int | None = None


def output_size(info: VideoInfo, wanted: tuple[int, int], codec: str) -> tuple[int, int]:
    """``wanted``, or up to a pixel less a side where the codec cannot hold it."""
    if codec not in EVEN_CODECS or info.form.grey:
        return wanted
    width, height = wanted
    return max(width - width % info.form.across, info.form.across), max(height - height % info.form.down, info.form.down)


def work_folder(output: Path) -> Path:
    """Where the pieces of ``output`` wait: a hidden folder beside it."""
    return output.with_name(f".addersesr-{hashlib.sha256(output.name.encode(errors='surrogateescape')).hexdigest()[:12]}.pieces")


def make_pieces(
    film: Film, pieces: Pieces, upscaler: FrameUpscaler, on_frame: Callable[[int], None], damaged: Callable[[float], None]
) -> None:
    """Encode every piece that is missing. ``on_frame`` is told how many frames are encoded, earlier runs' included.

    Raises what reading, upscaling and encoding raise, Cancelled among them; the finished pieces stay.
    """
    last = pieces.done[-1] if pieces.done else None
    after = None if last is None else (last.last_number, last.last_pts)
    stills = ahead(video_source.stills(film.info, film.deinterlace, after, damaged), QUEUE)
    upscaled = ahead(map(upscaler.upscale, stills), QUEUE)
    try:
        while (first := next(upscaled, None)) is not None:
            piece = _told(_chain(first, islice(upscaled, video_segments.FRAMES - 1)), on_frame)
            pieces.write(piece, film.info, film.encoding, film.threads)
    finally:
        upscaled.close()  # type: ignore[attr-defined]
        stills.close()  # type: ignore[attr-defined]
    if not pieces.done:
        raise VideoError(f"{film.info.path}: no frame of it can be decoded")


def join(film: Film, pieces: Pieces, output: Path, overwrite: bool, tell: Callable[[str], None]) -> None:
    """Put the film together at ``output``, whole or not at all, and throw the pieces away. Raises OutputError, VideoError."""
    with aside(output, overwrite=overwrite) as temporary:
        video_mux.join(pieces.done, film.info, temporary, output.suffix.lower(), tell)
    pieces.remove()


@dataclass
class FrameUpscaler:
    """Upscales frames one after another, sparing itself what is as it was in the frame before. For one thread.

    ``computed`` counts frames' worth of network that were run, ``seen`` frames.
    """

    backend: Backend
    film: Film
    cancelled: Callable[[], bool]
    computed: float = 0.0
    seen: int = 0
    _before: Planes | None = None
    _unit: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    _after: Planes | None = None

    def upscale(self, still: Still) -> Still:
        """The frame made larger. Raises Cancelled, BackendError."""
        if self.cancelled():
            raise Cancelled("cancelled")
        if still.number % video_segments.FRAMES == 0:
            self._before = None  # a piece depends on nothing before it: resumed or not, it is the same
        self.seen += 1
        if self._before is None or self._after is None or not still.planes.same(self._before):
            self._unit = self._luma(still.planes.luma)
            self._before, self._after = still.planes, self._finished(still.planes)
        return replace(still, planes=self._after)

    def _luma(self, luma: NDArray[Any]) -> NDArray[np.float32]:
        """The network's output for the whole frame, float32 in [0, 1]."""
        height, width = luma.shape
        info, scale = self.film.info, self.backend.spec.scale
        tile = self._changed(luma)
        if tile is not None and tile.core.height == 0:
            return self._unit
        y = to_unit(luma, info.form, info.colours.range)
        if tile is None:
            self.computed += 1
            return run(self.backend, y, self.film.tile, cancelled=self.cancelled)
        self.computed += tile.context.height * tile.context.width / (height * width)
        joined = self._unit.copy()
        joined[tile.core.slices(scale=scale)] = run_tile(self.backend, y[tile.context.slices()], tile)
        return joined

    def _changed(self, luma: NDArray[Any]) -> Tile | None:
        """What has to be computed again (empty: nothing), None where that is the whole frame or nearly so."""
        if self._before is None:
            return None
        different = luma != self._before.luma
        rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
        if len(rows) == 0:
            return Tile(Region(0, 0, 0, 0), Region(0, 0, 0, 0))
        radius = self.backend.spec.receptive_radius
        core = _grown(Region(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1), radius, luma.shape)
        context = _grown(core, radius, luma.shape)
        return Tile(core, context) if context.height * context.width <= WORTH_CUTTING * luma.size else None

    def _finished(self, planes: Planes) -> Planes:
        """Samples of the output frame, from the network's luma and the source's chroma."""
        info, scale = self.film.info, self.backend.spec.scale
        height, width = self._unit.shape
        luma = from_unit(self._unit.copy(), info.form, info.colours.range)
        chroma = tuple(upscale_chroma(plane, info.form, scale, width, height) for plane in planes.chroma)
        wide, tall = self.film.size
        larger = Planes(luma, chroma)
        spare = (height - tall, width - wide)
        if min(spare) >= 0 and max(spare) <= max(info.form.across, info.form.down) - 1:
            return _cropped(larger, self.film)
        return resized(larger, info.form, wide, tall)


def _cropped(planes: Planes, film: Film) -> Planes:
    width, height = film.size
    wide, tall = film.info.form.chroma_size(width, height)
    return Planes(planes.luma[:height, :width], tuple(plane[:tall, :wide] for plane in planes.chroma))


def _grown(region: Region, by: int, shape: tuple[int, ...]) -> Region:
    return Region(max(region.top - by, 0), max(region.left - by, 0), min(region.bottom + by, shape[0]), min(region.right + by, shape[1]))


def _chain(first: Still, rest: Iterator[Still]) -> Iterator[Still]:
    yield first
    yield from rest


def _told(stills: Iterator[Still], on_frame: Callable[[int], None]) -> Iterator[Still]:
    for still in stills:
        yield still
        on_frame(still.number + 1)
