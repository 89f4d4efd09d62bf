"""What a film will take and how large it will be, from a few short runs of frames that are really decoded, upscaled and encoded.

A film's size depends on what it shows, so nothing but a sample can tell. Runs lie evenly over the film. Each gives the size of a
key frame and of the frames after it; a piece of the film has one key frame and many of the others.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

from engine import video_segments
from engine.events import Prediction
from engine.video_frames import stills
from engine.video_options import Excerpt
from engine.video_source import open_video, video_stream
from engine.videos import upscaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.backends import Backend
    from engine.events import Energy
    from engine.video_frames import Still
    from engine.videos import Film

RUNS = 4
RUN_FRAMES = 16
FEWEST_RUN_FRAMES = 3
BUDGET_S = 6.0
"""About how long the networks of all runs may take together; a slow network's runs are shorter."""
DOUBT = 1.35
"""Beyond the differences between runs, a film has been found up to this much larger or smaller than its sample says."""
COPIED_LIMIT_BYTES = 64 * 2**20
"""Of the streams that are copied so much is read at most; the rest is taken to be as dense."""
HEAD_BYTES, FRAME_BYTES = 2_000, 16
"""What a container adds: once, and for each frame."""
PACKED = {"mpegts": 1.06}
"""By how much a container's packets make streams larger, where that is more than nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of frames: encoded bytes of its key frame and of all others, the network's share that was needed, and seconds."""

    frames: int
    key_bytes: int
    other_bytes: int
    computed: float
    seconds: float

    def bytes_of(self, frames: int) -> float:
        """What a film of so many frames like these takes."""
        keys = -(-frames // video_segments.FRAMES)
        each = self.other_bytes / (self.frames - 1) if self.frames > 1 else self.key_bytes
        return keys * self.key_bytes + (frames - keys) * each

    def share_of(self, frames: int) -> float:
        """How many frames' worth of network so many frames need: pieces begin with a whole one."""
        keys = -(-frames // video_segments.FRAMES)
        each = (self.computed - 1) / (self.frames - 1) if self.frames > 1 else self.computed
        return keys + (frames - keys) * max(each, 0.0)


def estimate(
    film: Film, backends: Sequence[Backend], container: str, energy: Callable[[float], Energy], cancelled: Callable[[], bool]
) -> Prediction | None:
    """What the film will be in a ``container`` of FFmpeg's; None where its length is not known.

    ``energy`` gives the energy of so many frames' worth of network. Raises Cancelled, and what reading, upscaling and encoding raise.
    """
    frames = film.frames
    if frames is None:
        return None
    runs = list(_runs(film, backends, frames, cancelled))
    if not runs:
        return None
    sizes = [run.bytes_of(frames) for run in runs]
    others = copied_bytes(film) + HEAD_BYTES + FRAME_BYTES * frames
    packed = PACKED.get(container, 1.0)
    mean, computed = sum(sizes) / len(sizes), sum(run.share_of(frames) for run in runs) / len(runs)
    least, most = (mean + min(sizes)) / 2 / DOUBT, (mean + max(sizes)) / 2 * DOUBT
    taken = [round((size + others) * packed) for size in (mean, least, most)]
    seconds = frames * sum(run.seconds for run in runs) / sum(run.frames for run in runs)
    return Prediction(seconds, energy(computed), *taken)


def copied_bytes(film: Film) -> int:
    """Bytes of the streams that are copied, as far as the excerpt goes; extrapolated from the beginning where there is much."""
    read, total, last_s = 0, 0, 0.0
    length_s = film.info.seconds or 0.0
    with open_video(film.info.path) as container:
        picture = video_stream(container, film.info.path).index
        wanted = {stream.index for stream in container.streams if stream.index != picture and stream.type in ("audio", "subtitle", "data")}
        attached = sum(len(stream.data or b"") for stream in container.streams.attachments)
        whole = True
        for packet in container.demux() if wanted else ():
            read += packet.size
            total += packet.size if packet.stream_index in wanted else 0
            last_s = max(last_s, float(packet.dts * packet.time_base) if packet.dts is not None else 0.0)
            if read > COPIED_LIMIT_BYTES:
                whole = False
                break
    part = (film.frames or 0) / film.info.frames if film.info.frames else 1.0
    return attached + round(total * part * (1.0 if whole or last_s <= 0 else max(length_s / last_s, 1.0)))


def _runs(film: Film, backends: Sequence[Backend], frames: int, cancelled: Callable[[], bool]) -> Iterator[Run]:
    """Runs evenly over the film (or the whole of a short one); shorter ones where the first shows that the network is slow."""
    count = max(1, min(RUNS, frames // RUN_FRAMES))
    length, start_s = RUN_FRAMES, film.excerpt.start_s or 0.0
    for index in range(count):
        middle = frames * (2 * index + 1) // (2 * count)
        first = max(middle - length // 2, 0)
        excerpt = Excerpt(start_s + first / float(film.info.rate), film.excerpt.end_s)
        run = _run(film, backends, excerpt, length, BUDGET_S / count, cancelled)
        if run is not None:
            yield run


def _run(
    film: Film, backends: Sequence[Backend], excerpt: Excerpt, length: int, budget_s: float, cancelled: Callable[[], bool]
) -> Run | None:
    """Decode, upscale and encode up to ``length`` frames from the excerpt's start on."""
    luma, clock = film.luma_stage(backends, cancelled), _Clock()

    def read() -> Iterator[Still]:
        for number, still in enumerate(stills(film.info, film.filters, None, lambda _: None, excerpt)):
            if number == 0:
                clock.start()  # finding the place is no part of the work
            elif number == length or (number >= FEWEST_RUN_FRAMES and clock.passed() > budget_s):
                return
            yield still

    container = video_segments.piece_format(film.encoding.codec)
    with av.open(io.BytesIO(), "w", format=container) as memory, upscaled(film, luma, read()) as made:
        sizes = [packet.size for packet in video_segments.packets(memory, made, film.info, film.encoding, film.threads)]
    return Run(len(sizes), sizes[0], sum(sizes[1:]), luma.computed, clock.passed()) if sizes else None


class _Clock:
    """Seconds since its start."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin again."""
        self._begun = time.perf_counter()

    def passed(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._begun
