"""Reading video: what a file holds, and its frames one after another, damage reported and left behind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

import av
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation

from engine.errors import VideoError
from engine.sequences import sequence
from engine.video_planes import Planes, Sampling, planar_equivalent, planes_of, sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

PROBED_FRAMES = 12
"""Frames that are looked at before a film is called interlaced or not."""
GAP_FRAMES = 2.5
"""In a film of constant rate, frames so far apart that one or more are missing between them."""
SAME_RATE = 0.001
DEFAULT_RATE = Fraction(25)
PQ, HLG = 16, 18
"""Transfer characteristics of high dynamic range (ITU-T H.273)."""


@dataclass(frozen=True, slots=True)
class Colours:
    """H.273 code points, and 1 for studio or 2 for full range."""

    primaries: int
    transfer: int
    matrix: int
    range: int

    @property
    def high_dynamic_range(self) -> bool:
        """Whether it is PQ or HLG."""
        return self.transfer in (PQ, HLG)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video stream before it is worked through. ``frames`` is None where nothing tells.

    ``rotation`` is in degrees counter-clockwise, to be applied by the player; ``light`` holds the HDR side data by name.
    """

    path: Path
    width: int
    height: int
    form: Sampling
    stored_form: str
    colours: Colours
    time_base: Fraction
    rate: Fraction
    frames: int | None
    aspect: Fraction
    rotation: int
    interlaced: bool
    light: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One frame: its samples, its time stamp and duration in the stream's time base, and how many came before it."""

    number: int
    pts: int
    duration: int
    planes: Planes


def examine(path: Path) -> VideoInfo:
    """Open a video and look at its first frames. Raises VideoError."""
    with open_video(path) as container:
        stream = video_stream(container, path)
        first = _first_frames(container, stream, path)
        frame, context = first[0], stream.codec_context
        form = sampling(planar_equivalent(frame.format.name))
        if form is None:
            raise VideoError(f"{path}: its pixel format {frame.format.name} is not supported")
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        colours = Colours(frame.color_primaries, frame.color_trc, frame.colorspace, int(ColorRange.JPEG if full else ColorRange.MPEG))
        return VideoInfo(
            path=path,
            width=frame.width,
            height=frame.height,
            form=form,
            stored_form=frame.format.name,
            colours=colours,
            time_base=stream.time_base or 1 / rate,
            rate=rate,
            frames=_frame_count(container, stream, rate),
            aspect=context.sample_aspect_ratio or Fraction(1),
            rotation=frame.rotation,
            interlaced=any(candidate.interlaced_frame for candidate in first),
            light=_light(frame),
        )


@dataclass(frozen=True, slots=True)
class Codec:
    """What a film was encoded with: FFmpeg's name, the name for people, and whether something was lost."""

    name: str
    long_name: str
    lossy: bool


def codec_of(path: Path) -> Codec:
    """The codec of the film in a file. Raises VideoError."""
    with open_video(path) as container:
        codec = video_stream(container, path).codec_context.codec
        return Codec(codec.canonical_name, codec.long_name, bool(codec.lossy))


def open_video(path: Path) -> InputContainer:
    """Open a video file, or numbered pictures, for reading. Raises VideoError."""
    try:
        if (pictures := sequence(path)) is not None:
            return av.open(str(path), format="image2", options={"start_number": str(pictures.first)})
        return av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: cannot be opened as a video ({_words(error)})") from error


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that is the film: not a cover picture. Raises VideoError."""
    films = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    if not films:
        raise VideoError(f"{path}: there is no video in it")
    films[0].thread_type = "AUTO"
    return films[0]


def stills(info: VideoInfo, deinterlace: bool, after: Still | tuple[int, int] | None, damaged: Callable[[float], None]) -> Iterator[Still]:
    """The frames in the order of their time stamps, those up to ``after`` (number, pts) left out.

    ``damaged`` is called with the time in seconds where something could not be decoded; the rest follows. Raises VideoError.
    """
    number, last = (-1, -1) if after is None else (after.number, after.pts) if isinstance(after, Still) else after
    with open_video(info.path) as container:
        stream = video_stream(container, info.path)
        sought = after is not None and not deinterlace and _seek(container, stream, last)
    with open_video(info.path) as container:
        stream = video_stream(container, info.path)
        if sought:
            container.seek(last, stream=stream)
        frames = decoded(container, stream, damaged)
        if deinterlace:
            frames = _deinterlaced(frames)
        numbered = _numbered(frames, info)
        if sought:
            skipped = (still for still in numbered if still.pts > last)
            yield from (Still(number + i, still.pts, still.duration, still.planes) for i, still in enumerate(skipped, 1))
        else:
            yield from islice(numbered, number + 1, None)


def decoded(container: InputContainer, stream: VideoStream, damaged: Callable[[float], None]) -> Iterator[VideoFrame]:
    """Every frame that can be decoded; ``damaged`` is told where one cannot, is marked as damaged, or is missing."""
    seconds, longest = 0.0, _longest_gap_s(stream)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except (StopIteration, av.error.EOFError):
            return
        except av.error.InvalidDataError:
            damaged(seconds)
            continue
        for frame in frames:
            shown = frame.time if frame.time is not None else seconds
            if frame.is_corrupt or packet.is_corrupt or shown - seconds > longest:
                damaged(seconds)
            seconds = shown
            yield frame


def _longest_gap_s(stream: VideoStream) -> float:
    """The longest time between two frames that nothing need be wrong with; without bound where the rate varies."""
    average, base = stream.average_rate, stream.base_rate
    return GAP_FRAMES / float(average) if average and base and abs(average / base - 1) < SAME_RATE else math.inf


def _numbered(frames: Iterator[VideoFrame], info: VideoInfo) -> Iterator[Still]:
    """Frames as stills in planar YUV, with time stamps that always grow."""
    usual = max(1, round(1 / (info.rate * info.time_base)))
    pts: int | None = None
    for number, frame in enumerate(frames):
        stamped = frame.pts if frame.pts is not None else (0 if pts is None else pts + usual)
        pts = stamped if pts is None else max(stamped, pts + 1)
        yield Still(number, pts, frame.duration or usual, _planar(frame, info))


def _planar(frame: VideoFrame, info: VideoInfo) -> Planes:
    if (frame.width, frame.height) != (info.width, info.height) or frame.format.name not in (info.form.name, info.stored_form):
        frame = frame.reformat(info.width, info.height, info.form.name, interpolation=Interpolation.BICUBIC)
    elif sampling(frame.format.name) is None:
        frame = frame.reformat(format=info.form.name, dst_color_range=info.colours.range)
    return planes_of(frame, info.form)


def _deinterlaced(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Frames through bwdif: one for each, those that are progressive left alone."""
    graph: Graph | None = None
    for frame in frames:
        if graph is None:
            graph = _bwdif(frame)
        base = frame.time_base
        graph.push(frame)
        yield from _pulled(graph, base)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph, base)


def _bwdif(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    filter_ = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    source.link_to(filter_)
    filter_.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph, base: Fraction | None) -> Iterator[VideoFrame]:
    """What the filter has ready, its time stamps in the film's own time base again (the filter halves it)."""
    while True:
        try:
            frame: Any = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if base and frame.pts is not None:
            frame.pts, frame.duration = round(frame.pts * frame.time_base / base), round(frame.duration * frame.time_base / base)
            frame.time_base = base
        yield frame


def _seek(container: InputContainer, stream: VideoStream, pts: int) -> bool:
    """Whether seeking to ``pts`` lands on a frame at or before it, so that going on from there misses nothing."""
    try:
        container.seek(pts, stream=stream)
        frame = next(container.decode(stream))
    except (av.error.FFmpegError, StopIteration):
        return False
    return frame.pts is not None and frame.pts <= pts


def _first_frames(container: InputContainer, stream: VideoStream, path: Path) -> list[VideoFrame]:
    try:
        frames = list(islice(decoded(container, stream, lambda _: None), PROBED_FRAMES))
    except av.error.FFmpegError as error:
        raise VideoError(f"{path}: cannot be decoded ({_words(error)})") from error
    if not frames:
        raise VideoError(f"{path}: no frame of it can be decoded")
    return frames


def _frame_count(container: InputContainer, stream: VideoStream, rate: Fraction) -> int | None:
    """As the file says, else by its duration."""
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return max(1, round(stream.duration * stream.time_base * rate))
    return max(1, round(Fraction(container.duration, av.time_base) * rate)) if container.duration else None


def _light(frame: VideoFrame) -> tuple[tuple[str, bytes], ...]:
    """The HDR side data of a frame: mastering display and content light level."""
    wanted = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
    sides: Any = frame.side_data
    found = {side.type.name: bytes(side) for side in sides}
    return tuple((name, found[name]) for name in wanted if name in found)


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
