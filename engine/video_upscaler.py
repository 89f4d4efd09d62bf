"""Frames made larger one after another, in two stages that run side by side: the network on luma, then chroma and samples.

What is as it was in the frame before is spared: a frame with the same samples, and in others all but the part that changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import Cancelled
from engine.tiles import Region, Tile, run, run_tile
from engine.video_planes import Planes, from_unit, resized, to_unit, upscale_chroma

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from engine.backends import Backend
    from engine.video_frames import Still
    from engine.video_source import VideoInfo

WORTH_CUTTING = 0.6
"""A changed part of a frame is upscaled alone where it is, with its context, at most this share of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Rough:
    """A frame between the two stages: ``unit`` is the network's luma, float32 in [0, 1], None where all is as in the frame before."""

    still: Still
    unit: NDArray[np.float32] | None


@dataclass
class LumaStage:
    """Runs the network where a frame differs from the one before. For one thread.

    ``fresh_every``: so many frames depend on nothing before them, so that a film resumed there is the same. ``computed`` counts
    frames' worth of network that were run, ``seen`` frames.
    """

    backend: Backend
    info: VideoInfo
    fresh_every: int
    tile: int | None = None
    cancelled: Callable[[], bool] = lambda: False
    computed: float = 0.0
    seen: int = 0
    _before: Planes | None = None
    _unit: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def run(self, still: Still) -> Rough:
        """The network's part of a frame. Raises Cancelled, BackendError."""
        if self.cancelled():
            raise Cancelled("cancelled")
        self.seen += 1
        if still.number % self.fresh_every == 0:
            self._before = None
        if self._before is not None and still.planes.same(self._before):
            return Rough(still, None)
        self._unit = self._luma(still.planes.luma)
        self._before = still.planes
        return Rough(still, self._unit)

    def _luma(self, luma: NDArray[Any]) -> NDArray[np.float32]:
        """The network's output for the whole frame, float32 in [0, 1]."""
        height, width = luma.shape
        scale, tile = self.backend.spec.scale, self._changed(luma)
        if tile is not None and tile.core.height == 0:
            return self._unit
        y = to_unit(luma, self.info.form, self.info.colours.range)
        if tile is None:
            self.computed += 1
            return run(self.backend, y, self.tile, cancelled=self.cancelled)
        self.computed += tile.context.height * tile.context.width / (height * width)
        joined = self._unit.copy()
        joined[tile.core.slices(scale=scale)] = run_tile(self.backend, y[tile.context.slices()], tile)
        return joined

    def _changed(self, luma: NDArray[Any]) -> Tile | None:
        """What has to be computed again (empty: nothing), None where that is the whole frame or nearly so."""
        spec = self.backend.spec
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
        """The frame made larger."""
        if rough.unit is not None or self._after is None:
            assert rough.unit is not None
            self._after = finished(rough.unit, rough.still.planes, self.info, self.scale, self.size)
        return replace(rough.still, planes=self._after)


def finished(unit: NDArray[np.float32], planes: Planes, info: VideoInfo, scale: int, size: tuple[int, int]) -> Planes:
    """Samples of an output frame of ``size`` (width, height), from the network's luma and the source's ``planes``."""
    height, width = unit.shape
    luma = from_unit(unit.copy(), info.form, info.colours.range)
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
