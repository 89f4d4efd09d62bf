"""Whether a film's frames are whole pictures or two fields woven into one, found by looking at them; and its fields taken apart.

What a film says of itself is often wrong both ways: captures are interlaced and do not say so, progressive film is broadcast as
interlaced. FFmpeg's idet compares each frame's lines with those of the frames before and after; what it says of a sample of frames
goes before what the film says, where it is sure. Where it is not, the film is believed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
from av.filter import Graph

from engine.sequences import sequence
from engine.video_source import decoded, open_video, video_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction
    from pathlib import Path

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from engine.video_source import VideoInfo

Kind = Literal["unknown", "progressive", "interlaced", "telecined", "mixed"]

PLACES, PLACE_FRAMES = 4, 32
"""Where a film is looked at, evenly from its beginning on, and how many frames there."""
ENOUGH = 8
"""Frames that must agree before idet is called sure."""
OFTEN = 0.2
"""The share of all frames that must have their fields seen: progressive film that hardly moves has up to 0.11, interlaced one 0.6."""
ONE_ORDER = 10
"""So many frames with one field first for each with the other: noise gives both, interlaced film one."""
NEARLY_ALL, NEXT_TO_NONE = 0.75, 0.05
"""The share of interlaced frames, of those that idet can tell, that makes a film interlaced as a whole, or progressive."""
REPEATED, REPEAT_RATIO = 0.1, 1.5
"""The share of frames that repeat each field of the one before from which on a film is telecined (3:2 pulldown gives 0.2), and how
many times as much the other field must change."""
PLAIN, CONVINCING = 0.5, 0.5
"""Interlaced film has so large a share of frames with plain fields, or of those with fields so many that are convincing."""
FAR = 2.0
"""See `_convincing`: how many times as far lines must be off the one frame as off the other."""
STRIPED = 0.12
"""How much of a frame's comb must be one set of lines being brighter than the other to be a pattern: natural film has up to 0.06."""
COLUMNS = 4
"""Every so many columns of a frame are looked at closely."""
FEWEST_LINES = 32
ORDERS = {True: "tff", False: "bff"}


@dataclass(frozen=True, slots=True)
class Votes:
    """What idet says of a sample, of each frame alone and of those before it alike: the top or bottom field first, or progressive.

    ``top_again`` and ``bottom_again`` repeat that field of the frame before. Of those with a field first, ``plain`` are no pattern of
    lines, and ``convincing`` cannot well be anything else either. ``flagged`` are said to be interlaced by the film.
    """

    frames: int = 0
    top: int = 0
    bottom: int = 0
    progressive: int = 0
    top_again: int = 0
    bottom_again: int = 0
    plain: int = 0
    convincing: int = 0
    flagged: int = 0

    @property
    def fielded(self) -> int:
        """Frames with either field first."""
        return self.top + self.bottom

    def plus(self, other: Votes) -> Votes:
        """Both together."""
        return Votes(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Scan:
    """How a film was scanned. ``flagged``: it says that it is interlaced. ``top_first`` counts where it was found to be."""

    kind: Kind = "unknown"
    flagged: bool = False
    top_first: bool = True
    frames: int = 0

    @property
    def filters(self) -> str:
        """FFmpeg's filters that make whole pictures of its frames, one for each; empty where they are left alone."""
        order = ORDERS[self.top_first]
        match self.kind:
            case "progressive":
                return ""
            case "interlaced":
                return f"bwdif=mode=send_frame:parity={order}:deint=all"
            case "telecined":
                return f"fieldmatch=order={order},bwdif=mode=send_frame:parity={order}:deint=interlaced"
            case "mixed":
                return "idet,bwdif=mode=send_frame:deint=interlaced"
        return "bwdif=mode=send_frame:deint=interlaced" if self.flagged else ""

    @property
    def words(self) -> str:
        """What was found and what comes of it, in one sentence; empty where there is nothing to say."""
        order = "top" if self.top_first else "bottom"
        seen = f"seen in {self.frames} of its frames{'' if self.flagged else ', which it does not say itself'}"
        choice = "; it can be left interlaced"
        match self.kind:
            case "progressive" if self.flagged:
                return f"this film says that it is interlaced, but {self.frames} of its frames are not: it is left as it is"
            case "interlaced":
                return f"this film is interlaced ({order} field first, {seen}): it is deinterlaced (bwdif){choice}"
            case "telecined":
                return f"this film is telecined ({order} field first, {seen}): its fields are put together as pictures again{choice}"
            case "mixed":
                return f"parts of this film are interlaced ({seen}): those alone are deinterlaced (bwdif){choice}"
            case "unknown" if self.flagged:
                return f"this film says that it is interlaced: it is deinterlaced (bwdif){choice}"
        return ""


def scan(info: VideoInfo) -> Scan:
    """Look at some frames of a film. What cannot be read is left out; numbered pictures are taken to be progressive."""
    if sequence(info.path) is not None:
        return Scan()
    found = _scan(info, info.path.stat().st_mtime_ns)
    if info.form.grey and found.kind == "telecined":  # fieldmatch takes no grey film
        return replace(found, kind="interlaced")
    return found


@lru_cache(maxsize=32)
def _scan(info: VideoInfo, modified_ns: int) -> Scan:
    """As `scan`, once for a film that is planned and then done; one whose file was changed is another."""
    votes, frames = Votes(), info.frames
    if frames is None or frames < 2 * PLACES * PLACE_FRAMES:
        return judged(_looked_at(info.path, None, PLACES * PLACE_FRAMES))
    for place in range(PLACES):
        begin = info.start + info.usual_duration * (frames * place // PLACES) if place else None
        votes = votes.plus(_looked_at(info.path, begin, PLACE_FRAMES))
    return judged(votes)


def judged(votes: Votes) -> Scan:
    """What the votes say."""
    fielded, told = votes.fielded, votes.fielded + votes.progressive
    sure = fielded >= max(ENOUGH, OFTEN * votes.frames) and max(votes.top, votes.bottom) >= ONE_ORDER * min(votes.top, votes.bottom)
    kind: Kind = "unknown"
    if votes.progressive >= ENOUGH and fielded <= NEXT_TO_NONE * told:
        kind = "progressive"
    elif sure and min(votes.top_again, votes.bottom_again) >= REPEATED * votes.frames:
        kind = "telecined"
    elif sure and (votes.plain >= PLAIN * votes.frames or votes.convincing >= CONVINCING * fielded):
        kind = "interlaced" if fielded >= NEARLY_ALL * told else "mixed"
    return Scan(kind, votes.flagged > 0, votes.top >= votes.bottom, votes.frames)


def filtered(frames: Iterable[VideoFrame], filters: str) -> Iterator[VideoFrame]:
    """Frames through FFmpeg's filters, one for each, with the time stamps that they had."""
    graph: Graph | None = None
    base: Fraction | None = None
    for frame in frames:
        if graph is None:
            graph = _graph(frame, filters)
        base = frame.time_base
        graph.push(frame)
        yield from _pulled(graph, base)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph, base)


def _looked_at(path: Path, place: int | None, count: int) -> Votes:
    """The votes of ``count`` frames from a time stamp on, None for the beginning."""
    with open_video(path) as container:
        stream = video_stream(container, path)
        try:
            if place is not None:
                container.seek(place, stream=stream)
            return votes_of(islice(_alike(decoded(container, stream, lambda _: None)), count))
        except av.error.FFmpegError:  # reported where the film itself is read
            return Votes()


def _alike(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Frames that are whole and of the first one's size and format."""
    first: tuple[Any, ...] | None = None
    for frame in frames:
        form = (frame.width, frame.height, frame.format.name)
        first = first or form
        if form == first and not frame.is_corrupt and frame.height >= FEWEST_LINES:
            yield frame


def votes_of(frames: Iterable[VideoFrame]) -> Votes:
    """What idet says of these frames, which follow one another."""
    said: list[bool] = []
    last: deque[tuple[VideoFrame, Votes]] = deque(maxlen=3)
    votes = Votes()
    for number, frame in enumerate(filtered(_noted(frames, said), f"idet=rep_thres={REPEAT_RATIO}")):
        last.append((frame, _vote(frame, flagged=said[number])))
        votes = votes.plus(last[-1][1])
        if len(last) == 3 and last[1][1].fielded:
            before, lines, after = (_lines(one) for one, _ in last)
            plain = not _striped(lines)
            votes = votes.plus(Votes(plain=plain, convincing=plain and _convincing(before, lines, after)))
    return votes


def _vote(frame: VideoFrame, *, flagged: bool) -> Votes:
    """What idet says of one frame."""
    single, run, repeated = (frame.metadata[f"lavfi.idet.{name}.current_frame"] for name in ("single", "multiple", "repeated"))
    kind = single if single == run else "undetermined"
    return Votes(1, kind == "tff", kind == "bff", kind == "progressive", repeated == "top", repeated == "bottom", flagged=flagged)


def _noted(frames: Iterable[VideoFrame], said: list[bool]) -> Iterator[VideoFrame]:
    """The frames, noting which say that they are interlaced; idet overwrites that."""
    for frame in frames:
        said.append(frame.interlaced_frame)
        yield frame


def _striped(lines: NDArray[np.float32]) -> bool:
    """Whether a frame's even lines are brighter or darker than the odd ones, in most of its columns.

    So are scan lines that are drawn into a picture, which idet takes for fields while a scene is faded. Of woven fields, edges comb
    both ways, and a large one that moves does so in few columns.
    """
    comb = 2 * lines[1:-1] - lines[:-2] - lines[2:]
    columns = (comb[::2].mean(axis=0) - comb[1::2].mean(axis=0)) / 2
    return abs(float(np.median(columns))) > STRIPED * float(np.abs(comb).mean())


def _convincing(before: NDArray[np.float32], lines: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether a frame that idet finds interlaced is that, by how its lines go with those of the frames beside it.

    Of woven fields, one set of lines goes with the frame before as well as within its own frame and not at all with the one after, the
    other set the other way round. Of progressive film, an edge that hardly moves on lines of one parity goes better with one of the
    frames than within its own, and worse with the other by as much: idet takes that for fields.
    """
    around = lines[:-2] + lines[2:]
    own, with_before, with_after = (np.abs(around - 2 * other[1:-1]).sum(axis=1) for other in (lines, before, after))
    one = float(with_before[::2].sum() + with_after[1::2].sum() - own.sum())
    other = float(with_after[::2].sum() + with_before[1::2].sum() - own.sum())
    return max(one, other) >= FAR * abs(min(one, other))


def _lines(frame: VideoFrame) -> NDArray[np.float32]:
    """Luma of some of the columns, (H, W / COLUMNS)."""
    plane = frame.planes[0]
    sample = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    lines: NDArray[Any] = np.frombuffer(memoryview(plane), sample).reshape(plane.height, -1)
    return lines[:, : frame.width : COLUMNS].astype(np.float32)


def _graph(frame: VideoFrame, filters: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    chain = [source, *(graph.add(*filter_.split("=", 1)) for filter_ in filters.split(",")), graph.add("buffersink")]
    for one, next_one in pairwise(chain):
        one.link_to(next_one)
    graph.configure()
    return graph


def _pulled(graph: Graph, base: Fraction | None) -> Iterator[VideoFrame]:
    """What the filters have ready, its time stamps in the film's own time base again (bwdif halves it)."""
    while True:
        try:
            frame: Any = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if base and frame.pts is not None:
            frame.pts, frame.duration = round(frame.pts * frame.time_base / base), round(frame.duration * frame.time_base / base)
            frame.time_base = base
        yield frame
