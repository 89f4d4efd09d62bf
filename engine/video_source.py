"""Reading video: what a file holds, and its frames one after another, damage reported and left behind."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

import av
from av.video.reformatter import ColorRange

from engine.errors import VideoError
from engine.sequences import sequence
from engine.video_planes import Sampling, planar_equivalent, sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from engine.video_options import Excerpt

PROBED_FRAMES = 12
"""Frames that are looked at before a film is called interlaced or not."""
GAP_FRAMES, UNEVEN_FRAMES = 2.5, 1.5
"""In a film of constant rate, frames so far apart that one or more are missing between them; and that the rate may be none at all."""
MOST_UNEVEN = 0.05
"""The share of uneven frames from which on a film's rate varies, whatever it says, and gaps mean nothing."""
SAME_RATE = 0.001
LONGEST_BEYOND_S = 1.0
"""A stream that says to be longer than its file by more than this is not believed."""
TIME_SLACK = 1e-3
"""Of a unit of a film's time base: what a time in seconds may be off by its rounding."""
DEFAULT_RATE = Fraction(25)
PQ, HLG = 16, 18
"""Transfer characteristics of high dynamic range (ITU-T H.273)."""


_TAGGED = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)$")


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

    ``start`` is the first frame's time stamp, ``end`` when the last one ends where the file says that for certain. ``rotation`` is in
    degrees counter-clockwise, to be applied by the player; ``light`` holds the HDR side data by name.
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
    start: int
    aspect: Fraction
    rotation: int
    interlaced: bool
    light: tuple[tuple[str, bytes], ...]
    end: int | None = None

    @property
    def turns(self) -> int:
        """Quarter turns counter-clockwise that bring its frames upright."""
        return round(self.rotation / 90) % 4

    def shown(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as they are seen of a frame that is stored in this size; and the other way round."""
        return (height, width) if self.turns % 2 else (width, height)

    @property
    def seconds(self) -> float | None:
        """About how long it is shown; None where nothing tells."""
        return None if self.frames is None else self.frames / float(self.rate)

    @property
    def usual_duration(self) -> int:
        """How long a frame is shown where nothing else is said, in units of the time base."""
        return max(1, round(1 / (self.rate * self.time_base)))

    def pts_at(self, seconds: float) -> int:
        """The last time stamp that is not after a moment, counted from the first frame."""
        return self.start + math.floor(seconds / self.time_base + TIME_SLACK)

    def pts_until(self, seconds: float) -> int:
        """The first time stamp that is not before a moment, counted from the first frame."""
        return self.start + math.ceil(seconds / self.time_base - TIME_SLACK)

    def frames_in(self, excerpt: Excerpt) -> int | None:
        """About how many frames an excerpt has; None where nothing tells."""
        if self.frames is None or excerpt.whole:
            return self.frames
        length = self.frames / self.rate
        end_s = length if excerpt.end_s is None else min(Fraction(excerpt.end_s), length)
        return max(math.ceil((end_s - Fraction(excerpt.start_s or 0)) * self.rate - Fraction(1, 1000)), 1)


def examine(path: Path) -> VideoInfo:
    """Open a video and look at its first frames. Raises VideoError."""
    with open_video(path) as container:
        stream = video_stream(container, path)
        first = _first_frames(container, stream, path)
        frame, context = first[0], stream.codec_context
        form = sampling(planar_equivalent(frame.format.name))
        if form is None:
            raise VideoError(f"{path}: its pixel format {frame.format.name} is not supported")
        rate = _rate(stream)
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
            start=frame.pts or 0,
            aspect=context.sample_aspect_ratio or Fraction(1),
            rotation=frame.rotation,
            interlaced=any(candidate.interlaced_frame for candidate in first),
            light=_light(frame),
            end=_end(container, stream),
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
        return Codec(codec.canonical_name, codec.long_name.partition(" / ")[0], bool(codec.lossy))


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


def decoded(
    container: InputContainer, stream: VideoStream, damaged: Callable[[float], None], begin_s: float | None = None
) -> Iterator[VideoFrame]:
    """Every frame that can be decoded; ``damaged`` is told where one cannot, is marked as damaged, or is missing.

    ``begin_s`` is when the first frame is to be shown, None where that is not known.
    """
    seconds, gaps = begin_s, _Gaps(_even_s(stream))
    packets = container.demux(stream)
    try:
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except (StopIteration, av.error.EOFError):
                return
            except av.error.InvalidDataError:
                damaged(seconds or 0.0)
                continue
            for frame in frames:
                shown = frame.time if frame.time is not None else seconds or 0.0
                seconds = shown if seconds is None else seconds
                if frame.is_corrupt or packet.is_corrupt:
                    damaged(seconds)
                else:
                    gaps.note(seconds, shown)
                seconds = shown
                yield frame
    finally:
        for missing_s in gaps.unexplained():
            damaged(missing_s)


@dataclass
class _Gaps:
    """Where frames are missing from a film that has one every ``even_s`` seconds. What says so may be wrong: then nothing is missing."""

    even_s: float
    frames: int = 0
    uneven: int = 0
    places: list[float] = field(default_factory=list)

    def note(self, before_s: float, shown_s: float) -> None:
        """One frame was shown at one moment, the next one at another."""
        self.frames += 1
        self.uneven += shown_s - before_s > UNEVEN_FRAMES * self.even_s
        if shown_s - before_s > GAP_FRAMES * self.even_s:
            self.places.append(before_s)

    def unexplained(self) -> list[float]:
        """When the frames before the gaps were shown, in seconds."""
        return self.places if self.uneven <= max(MOST_UNEVEN * self.frames, 1) else []


def _even_s(stream: VideoStream) -> float:
    """The time between two frames of a film that says to have a constant rate; without bound where it varies."""
    average, base = stream.average_rate, stream.base_rate
    return 1 / float(average) if average and base and abs(average / base - 1) < SAME_RATE else math.inf


def _rate(stream: VideoStream) -> Fraction:
    """Frames a second. The average, which cannot be more than the rate that all time stamps fit on: then it was taken from too few."""
    average, base = stream.average_rate, stream.base_rate
    if average and base and average > (1 + SAME_RATE) * base:
        return base
    return average or stream.guessed_rate or DEFAULT_RATE


def _first_frames(container: InputContainer, stream: VideoStream, path: Path) -> list[VideoFrame]:
    try:
        frames = list(islice(decoded(container, stream, lambda _: None), PROBED_FRAMES))
    except av.error.FFmpegError as error:
        raise VideoError(f"{path}: cannot be decoded ({_words(error)})") from error
    if not frames:
        raise VideoError(f"{path}: no frame of it can be decoded")
    return frames


def _frame_count(container: InputContainer, stream: VideoStream, rate: Fraction) -> int | None:
    """As the file says, else by the stream's duration (which Matroska has in a tag), else by the file's."""
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return max(1, round(stream.duration * stream.time_base * rate))
    length_s = Fraction(container.duration or 0, av.time_base)
    if match := _TAGGED.match(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(Fraction, match.groups())
        tagged_s = 3600 * hours + 60 * minutes + seconds
        length_s = tagged_s if 0 < tagged_s <= length_s + LONGEST_BEYOND_S else length_s
    return max(1, round(length_s * rate)) if length_s else None


def _end(container: InputContainer, stream: VideoStream) -> int | None:
    """Of MP4 and MOV: elsewhere it is guessed from what is near the end. Frames there have only the time between two decodings."""
    known = "mp4" in container.format.name and stream.duration is not None and stream.start_time is not None
    return stream.start_time + stream.duration if known else None  # type: ignore[operator]


def _light(frame: VideoFrame) -> tuple[tuple[str, bytes], ...]:
    """The HDR side data of a frame: mastering display and content light level."""
    wanted = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
    sides: Any = frame.side_data
    found = {side.type.name: bytes(side) for side in sides}
    return tuple((name, found[name]) for name in wanted if name in found)


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
