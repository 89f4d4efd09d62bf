"""A film in, a film out: decoded, upscaled and encoded side by side, a piece at a time, then put together with its sound.

The stages run in threads with short queues between them, so that memory does not grow with the film's length. A piece that is
finished survives a crash; the same job, started again, goes on after the last one.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from engine import video_frames, video_mux, video_segments
from engine.errors import VideoError
from engine.storing import aside
from engine.stream import ahead
from engine.video_options import WHOLE, Excerpt
from engine.video_upscaler import LumaStage, SampleStage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engine.backends import Backend
    from engine.video_codecs import Encoding
    from engine.video_frames import Still
    from engine.video_segments import Pieces
    from engine.video_source import VideoInfo

QUEUE = 4
"""Frames that may wait between two stages."""
ANY_SIDE_CODERS = frozenset({"ffv1", "libvpx-vp9"})
"""Encoders that take a picture whose side is no multiple of its chroma's; the others refuse it."""


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be made: the source, the output's size and encoding, the filters that take its fields apart, and which part of it."""

    info: VideoInfo
    size: tuple[int, int]
    encoding: Encoding
    filters: str
    threads: int | None = None
    tile: int | None = None
    excerpt: Excerpt = WHOLE

    @property
    def frames(self) -> int | None:
        """How many frames there are to do, as far as the source tells; None where it does not."""
        return self.info.frames_in(self.excerpt)

    def luma_stage(self, backends: Sequence[Backend], cancelled: Callable[[], bool] = lambda: False) -> LumaStage:
        """The network at work on this film's frames."""
        return LumaStage(backends, self.info, video_segments.FRAMES, self.tile, cancelled)

    def sample_stage(self, scale: int) -> SampleStage:
        """What makes this film's output frames from those of a network of this scale."""
        return SampleStage(self.info, scale, self.size)


def output_size(info: VideoInfo, wanted: tuple[int, int], coder: str) -> tuple[int, int]:
    """``wanted``, or up to a pixel less a side where the encoder cannot hold it."""
    if coder in ANY_SIDE_CODERS or info.form.grey:
        return wanted
    width, height = wanted
    return max(width - width % info.form.across, info.form.across), max(height - height % info.form.down, info.form.down)


def work_folder(output: Path) -> Path:
    """Where the pieces of ``output`` wait: a hidden folder beside it."""
    return output.with_name(f".addersesr-{hashlib.sha256(output.name.encode(errors='surrogateescape')).hexdigest()[:12]}.pieces")


@contextmanager
def upscaled(film: Film, luma: LumaStage, stills: Iterator[Still]) -> Iterator[Iterator[Still]]:
    """The frames made larger, each stage a little ahead of the next in a thread of its own; they and ``luma`` end with the block."""
    read = ahead(stills, QUEUE)
    rough = ahead(map(luma.run, read), QUEUE)
    made = ahead(map(film.sample_stage(luma.spec.scale).run, rough), QUEUE)
    try:
        yield made
    finally:
        made.close()
        rough.close()
        read.close()
        luma.close()


def make_pieces(film: Film, pieces: Pieces, luma: LumaStage, on_frame: Callable[[int], None], damaged: Callable[[float], None]) -> None:
    """Encode every piece that is missing. ``on_frame`` is told how many frames are encoded, earlier runs' included.

    Raises what reading, upscaling and encoding raise, Cancelled among them; the finished pieces stay.
    """
    last = pieces.done[-1] if pieces.done else None
    after = None if last is None else (last.last_number, last.last_pts)
    with upscaled(film, luma, video_frames.stills(film.info, film.filters, after, damaged, film.excerpt)) as made:
        while (first := next(made, None)) is not None:
            piece = _told(_chain(first, islice(made, video_segments.FRAMES - 1)), on_frame)
            pieces.write(piece, film.info, film.encoding, film.threads)
    if not pieces.done:
        raise VideoError(f"{film.info.path}: no frame of it can be decoded{'' if film.excerpt.whole else ' in this part'}")


def join(film: Film, pieces: Pieces, output: Path, overwrite: bool, tell: Callable[[str], None], *, notes: bool = True) -> None:
    """Put the film together at ``output``, whole or not at all, and throw the pieces away; ``notes`` as `engine.video_mux.join`.

    Raises OutputError, VideoError.
    """
    cut = not film.excerpt.whole
    with aside(output, overwrite=overwrite) as temporary:
        video_mux.join(pieces.done, film.info, temporary, output.suffix.lower(), tell, cut=cut, notes=notes)
    pieces.remove()


def _chain(first: Still, rest: Iterator[Still]) -> Iterator[Still]:
    yield first
    yield from rest


def _told(stills: Iterator[Still], on_frame: Callable[[int], None]) -> Iterator[Still]:
    for still in stills:
        yield still
        on_frame(still.number + 1)
