"""Single frames of a film as pictures for the screen, upright, and what they become: the pixels of the film that `engine.videos` makes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import VideoError
from engine.picture import Picture
from engine.serve.preview import FILTER_REACH, crop_to, margins
from engine.serve.protocol_records import Region
from engine.tiles import run
from engine.video_fields import scan
from engine.video_frames import still_at
from engine.video_planes import Planes, from_unit, to_unit
from engine.video_rgb import shown, to_rgb, upright
from engine.video_source import VideoInfo, examine
from engine.video_upscaler import finished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.serve.preview import Margins
    from engine.upscaler import Upscaler

FORMAT = "video"
THUMBNAIL_SHARE = 0.1
"""How far into a film its thumbnail lies: the first frame is often black."""


@dataclass(frozen=True, slots=True, eq=False)
class FilmStill(Picture):
    """A frame as a picture, with the samples that it is made from. ``at_s`` is when it is shown, counted from the first frame."""

    info: VideoInfo | None = None
    planes: Planes | None = None
    at_s: float = 0.0
    deinterlaced: bool = False

    def with_pixels(self, pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Picture:
        """Other pixels are no frame any more."""
        return Picture(pixels, alpha, span=self.span, format=self.format)


def frame_at(path: Path, seconds: float, *, deinterlaced: bool = False) -> FilmStill:
    """The frame that is shown at a moment, counted from the first one. Raises VideoError.

    ``deinterlaced``: of interlaced film as `engine.videos` takes it, which has to be looked at first (see `engine.video_fields`).
    """
    info = examine(path)
    still = still_at(info, seconds, scan(info).filters if deinterlaced else "")
    at_s = float((still.pts - info.start) * info.time_base)
    pixels = shown(still.planes, info)
    return FilmStill(pixels, format=FORMAT, info=info, planes=still.planes, at_s=at_s, deinterlaced=deinterlaced)


def thumbnail(path: Path) -> FilmStill:
    """A frame that stands for the film. Raises VideoError."""
    info = examine(path)
    try:
        return frame_at(path, THUMBNAIL_SHARE * (info.seconds or 0.0))
    except VideoError:
        return frame_at(path, 0.0)


def upscale_region(upscaler: Upscaler, still: FilmStill, region: Region, cancelled: Callable[[], bool]) -> Picture:
    """What the whole film shows of ``region`` (pixels of the upright frame) in this frame, made from it and its context alone.

    Raises Cancelled.
    """
    assert still.info is not None
    assert still.planes is not None
    info, spec = still.info, upscaler.backend.spec
    reach = max(spec.receptive_radius, FILTER_REACH)
    region = stored_region(region, info)
    wide = margins((info.width, info.height), region, reach, math.lcm(spec.grid, info.form.across, info.form.down))
    planes = _cut(still.planes, wide, info)
    unit = run(upscaler.backend, to_unit(planes.luma, info.form, info.colours.range), upscaler.tile, cancelled=cancelled)
    height, width = unit.shape
    larger = finished(from_unit(unit, info.form, info.colours.range), planes, info, spec.scale, (width, height))
    made = crop_to(Picture(to_rgb(larger, info.form, info.colours, info.height)), wide, region, spec.scale)
    return Picture(upright(made.pixels, info), format=FORMAT)


def stored_region(region: Region, info: VideoInfo) -> Region:
    """Where a region of the upright frame lies in the frame as it is stored."""
    right, bottom = region.x + region.width, region.y + region.height
    match info.turns:
        case 1:
            return Region(info.width - bottom, region.x, region.height, region.width)
        case 2:
            return Region(info.width - right, info.height - bottom, region.width, region.height)
        case 3:
            return Region(region.y, info.height - right, region.height, region.width)
    return region


def _cut(planes: Planes, wide: Margins, info: VideoInfo) -> Planes:
    """The samples within the margins, which begin at whole chroma samples."""
    across, down = info.form.across, info.form.down
    rows = slice(wide.rows.start // down, -(-wide.rows.stop // down))
    columns = slice(wide.columns.start // across, -(-wide.columns.stop // across))
    luma = np.ascontiguousarray(planes.luma[wide.rows, wide.columns])
    wide_chroma = info.form.chroma_size(luma.shape[1], luma.shape[0])
    cut = (np.ascontiguousarray(plane[rows, columns][: wide_chroma[1], : wide_chroma[0]]) for plane in planes.chroma)
    return Planes(luma, tuple(cut))
