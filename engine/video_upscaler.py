"""Frames made larger one after another, in two stages that run side by side: the network on luma, then chroma and samples.

What is as it was in the frame before is spared: a frame with the same samples, and in others all but the part that changed.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import Cancelled
from engine.tiles import Region, Tile, run, run_tile
from engine.video_planes import Planes, from_unit, resized, to_unit, upscale_chroma

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from engine.backends import Backend
    from engine.video_frames import Still
    from engine.video_source import VideoInfo

WORTH_CUTTING = 0.6
"""A changed part of a frame is upscaled alone where it is, with its context, at most this share of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Rough:
    """A frame between the two stages: ``luma`` will be the network's, as samples; None: all is as in the frame before."""

    still: Still
    luma: Future[NDArray[Any]] | None


class LumaStage:
    """Runs the network where a frame differs from the one before, several frames at a time: one on each of the back ends.

    Frames side by side keep all processors busy to the end of each, which the parts of one frame do not. ``fresh_every``: so many
    frames depend on nothing before them, so that a film resumed there is the same. ``computed`` counts frames' worth of network
    that were run, ``seen`` frames. To be closed.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        info: VideoInfo,
        fresh_every: int,
        tile: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.spec = backends[0].spec
        self.computed, self.seen = 0.0, 0
        self._info, self._fresh_every, self._tile = info, fresh_every, tile
        self._cancelled, self._asking = cancelled, Lock()
        self._idle: SimpleQueue[Backend] = SimpleQueue()
        for backend in backends:
            self._idle.put(backend)
        self._pool = ThreadPoolExecutor(len(backends), "luma")
        self._before: Planes | None = None
        self._made: Future[NDArray[Any]] | None = None

    def run(self, still: Still) -> Rough:
        """Begin the network's part of a frame. For one thread. Raises Cancelled; what the network raises comes with ``luma``."""
        if self._asked():
            raise Cancelled("cancelled")
        self.seen += 1
        if still.number % self._fresh_every == 0:
            self._before = None
        if self._before is not None and still.planes.same(self._before):
            return Rough(still, None)
        luma = still.planes.luma
        tile = self._changed(luma)
        if tile is None:
            self.computed += 1
            self._made = self._pool.submit(self._whole, luma)
        elif tile.core.height:
            self.computed += tile.context.height * tile.context.width / luma.size
            assert self._made is not None
            self._made = self._pool.submit(self._part, luma, tile, self._made)
        self._before = still.planes
        return Rough(still, self._made)

    def close(self) -> None:
        """End the threads, after what they are doing."""
        self._pool.shutdown(cancel_futures=True)

    def _whole(self, luma: NDArray[Any]) -> NDArray[Any]:
        """The network's output for a whole frame."""
        y = to_unit(luma, self._info.form, self._info.colours.range)
        with self._backend() as backend:
            return self._samples(run(backend, y, self._tile, cancelled=self._asked))

    def _part(self, luma: NDArray[Any], tile: Tile, before: Future[NDArray[Any]]) -> NDArray[Any]:
        """The output of the frame before, one tile of it made anew."""
        joined = before.result().copy()  # begun earlier, so never waiting for this one
        y = to_unit(luma[tile.context.slices()], self._info.form, self._info.colours.range)
        with self._backend() as backend:
            joined[tile.core.slices(scale=self.spec.scale)] = self._samples(run_tile(backend, y, tile))
        return joined

    def _samples(self, unit: NDArray[np.float32]) -> NDArray[Any]:
        """Samples while the network's output is at hand still: what waits for the next stage is a quarter as large."""
        return from_unit(unit, self._info.form, self._info.colours.range)

    def _asked(self) -> bool:
        """Whether to stop; while the answer is held back, as in a pause, one thread asks and the others wait for it."""
        with self._asking:
            return self._cancelled()

    @contextmanager
    def _backend(self) -> Iterator[Backend]:
        """A back end that nobody uses meanwhile."""
        backend = self._idle.get()
        try:
            yield backend
        finally:
            self._idle.put(backend)

    def _changed(self, luma: NDArray[Any]) -> Tile | None:
        """What has to be computed again (empty: nothing), None where that is the whole frame or nearly so."""
        spec = self.spec
        if self._before is None or spec.window is not None or spec.multiple > 1:
            return None
        different = luma != self._before.luma
        rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
        if len(rows) == 0:
            return Tile(Region(0, 0, 0, 0), Region(0, 0, 0, 0))
        radius = spec.receptive_radius
        core = _grown(Region(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1), radius, luma.shape)
        context = _grown(core, radius, luma.shape)
        return Tile(core, context) if context.height * context.width <= WORTH_CUTTING * luma.size else None


@dataclass
class SampleStage:
    """Puts frames together from the network's luma and the source's chroma, at ``size`` (width, height). For one thread."""

    info: VideoInfo
    scale: int
    size: tuple[int, int]
    _after: Planes | None = None

    def run(self, rough: Rough) -> Still:
        """The frame made larger. Raises Cancelled, BackendError."""
        if rough.luma is not None or self._after is None:
            assert rough.luma is not None
            self._after = finished(rough.luma.result(), rough.still.planes, self.info, self.scale, self.size)
        return replace(rough.still, planes=self._after)


def finished(luma: NDArray[Any], planes: Planes, info: VideoInfo, scale: int, size: tuple[int, int]) -> Planes:
    """Samples of an output frame of ``size`` (width, height), from the network's luma and the source's ``planes``."""
    height, width = luma.shape
    chroma = tuple(upscale_chroma(plane, info.form, scale, width, height) for plane in planes.chroma)
    wide, tall = size
    larger = Planes(luma, chroma)
    spare = (height - tall, width - wide)
    if min(spare) >= 0 and max(spare) <= max(info.form.across, info.form.down) - 1:
        return _cropped(larger, info, size)
    return resized(larger, info.form, wide, tall)


def _cropped(planes: Planes, info: VideoInfo, size: tuple[int, int]) -> Planes:
    width, height = size
    wide, tall = info.form.chroma_size(width, height)
    return Planes(planes.luma[:height, :width], tuple(plane[:tall, :wide] for plane in planes.chroma))


def _grown(region: Region, by: int, shape: tuple[int, ...]) -> Region:
    return Region(max(region.top - by, 0), max(region.left - by, 0), min(region.bottom + by, shape[0]), min(region.right + by, shape[1]))
