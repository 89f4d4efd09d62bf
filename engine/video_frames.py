"""The frames of a film one after another: decoded, deinterlaced where wanted, damage told and left behind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import TYPE_CHECKING

import av
from av.video.reformatter import Interpolation

from engine.errors import VideoError
from engine.video_fields import filtered
from engine.video_options import WHOLE, Excerpt
from engine.video_planes import Planes, planes_of, sampling
from engine.video_source import decoded, open_video, video_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.video.frame import VideoFrame

    from engine.video_source import VideoInfo

DEINTERLACE_LEAD_S = 1.0
"""Decoding starts this much before an excerpt that is deinterlaced, as the filters look at frames before and after."""


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One frame: its samples, its time stamp and duration in the stream's time base, and how many came before it."""

    number: int
    pts: int
    duration: int
    planes: Planes


def stills(
    info: VideoInfo,
    filters: str,
    after: tuple[int, int] | None,
    damaged: Callable[[float], None],
    excerpt: Excerpt = WHOLE,
) -> Iterator[Still]:
    """The frames of an excerpt in the order of their time stamps, numbered from 0; those up to ``after`` (number, pts) are left out.

    ``filters`` take fields apart (see `engine.video_fields`); empty: frames are as they are. ``damaged`` is called with the time in
    seconds where something could not be decoded; the rest follows. Raises VideoError.
    """
    resumed = after is not None and not filters and _can_seek(info, after[1])
    begin = None if excerpt.start_s is None else info.pts_at(excerpt.start_s)
    end = None if excerpt.end_s is None else info.pts_until(excerpt.end_s)
    place = after[1] if after and resumed else _sought(info, begin, filtering=bool(filters))
    with open_video(info.path) as container:
        stream = video_stream(container, info.path)
        if place is not None:
            container.seek(place, stream=stream)
        frames = decoded(container, stream, damaged, info.start * float(info.time_base) if place is None else None)
        shown = _between(_stamped(filtered(frames, filters) if filters else frames, info), begin, end)
        if after and resumed:
            numbered = enumerate((item for item in shown if item[0] > after[1]), after[0] + 1)
        else:
            numbered = islice(enumerate(shown), 0 if after is None else after[0] + 1, None)  # type: ignore[assignment]
        for number, (pts, frame) in numbered:
            yield Still(number, pts, frame.duration or info.usual_duration, _planar(frame, info))


def still_at(info: VideoInfo, seconds: float, filters: str = "") -> Still:
    """The frame that is shown at a moment counted from the first frame: the last one that is not after it. Raises VideoError.

    ``filters`` as for `stills`, which gives the same frame. The number is what the time says in a film of constant rate.
    """
    wanted, last = info.pts_at(max(seconds, 0.0)), None
    begin = wanted - (round(DEINTERLACE_LEAD_S / info.time_base) if filters else 0)
    with open_video(info.path) as container:
        stream = video_stream(container, info.path)
        if begin > info.start and _can_seek(info, begin):
            container.seek(begin, stream=stream)
        frames: Iterator[VideoFrame] = decoded(container, stream, lambda _: None)
        if filters:  # they need a few frames before, not all since one that was stored whole
            frames = filtered(dropwhile(lambda frame: frame.pts is not None and frame.pts < begin, frames), filters)
        for pts, frame in _stamped(frames, info):
            if last is not None and pts > wanted:
                break
            last = (pts, frame)
        if last is None:
            raise VideoError(f"{info.path}: no frame of it can be decoded at {seconds:.2f} s")
        pts, frame = last
        number = round((pts - info.start) * info.time_base * info.rate)
        return Still(number, pts, frame.duration or info.usual_duration, _planar(frame, info))


def _stamped(frames: Iterator[VideoFrame], info: VideoInfo) -> Iterator[tuple[int, VideoFrame]]:
    """Frames with time stamps that always grow."""
    pts: int | None = None
    for frame in frames:
        stamped = frame.pts if frame.pts is not None else (0 if pts is None else pts + info.usual_duration)
        pts = stamped if pts is None else max(stamped, pts + 1)
        yield pts, frame


def _between(stamped: Iterator[tuple[int, VideoFrame]], begin: int | None, end: int | None) -> Iterator[tuple[int, VideoFrame]]:
    """Those from ``begin`` on and before ``end``; no more are taken."""
    for pts, frame in stamped:
        if end is not None and pts >= end:
            return
        if begin is None or pts >= begin:
            yield pts, frame


def _planar(frame: VideoFrame, info: VideoInfo) -> Planes:
    if (frame.width, frame.height) != (info.width, info.height) or frame.format.name not in (info.form.name, info.stored_form):
        frame = frame.reformat(info.width, info.height, info.form.name, interpolation=Interpolation.BICUBIC)
    elif sampling(frame.format.name) is None:
        frame = frame.reformat(format=info.form.name, dst_color_range=info.colours.range)
    return planes_of(frame, info.form)


def _sought(info: VideoInfo, begin: int | None, *, filtering: bool) -> int | None:
    """Where to seek for frames from ``begin`` on; None: decode from the start."""
    if begin is None:
        return None
    place = begin - (round(DEINTERLACE_LEAD_S / info.time_base) if filtering else 0)
    return place if place > info.start and _can_seek(info, place) else None


def _can_seek(info: VideoInfo, pts: int) -> bool:
    """Whether seeking to ``pts`` lands on a frame at or before it, so that going on from there misses nothing."""
    with open_video(info.path) as container:
        stream = video_stream(container, info.path)
        try:
            container.seek(pts, stream=stream)
            frame = next(container.decode(stream))
        except (av.error.FFmpegError, StopIteration):
            return False
        return frame.pts is not None and frame.pts <= pts
