"""Encoded pieces of a film, each complete on its own: what was finished before a crash is not done again.

A piece is a NUT file of the video alone, started by a key frame, named when it is whole. Its time stamps are moved up by an
hour, because NUT cannot hold the negative decoding times with which encoders begin.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av

from engine.errors import VideoError
from engine.sequences import sequence
from engine.storing import unstorable
from engine.video_planes import frame_of, uncoloured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction
    from pathlib import Path

    from av.packet import Packet
    from av.video.stream import VideoStream

    from engine.video_codecs import Encoding
    from engine.video_frames import Still
    from engine.video_options import Codec
    from engine.video_source import VideoInfo

FRAMES = 240
"""Frames in a piece: a key frame at least this often, and at most this much lost in a crash."""
SHIFT_S = 3600
NOT_NUT: dict[Codec, str] = {"prores": "mov"}
"""The container of a piece whose codec NUT has no name for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One finished piece: the number, time stamp and duration of its last frame."""

    file: Path
    last_number: int
    last_pts: int
    last_duration: int


class Pieces:
    """The folder of one film's pieces. ``key`` says what they are made from and how; pieces of another key are thrown away."""

    def __init__(self, folder: Path, key: str) -> None:
        """Raises OutputError."""
        self.folder = folder
        self.done: list[Piece] = []
        note = folder / "key.json"
        try:
            if not note.exists() or note.read_text("utf-8") != key:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                note.write_text(key, "utf-8")
            for leftover in folder.glob("*.part"):
                leftover.unlink()
            self._find()
        except OSError as error:
            raise unstorable(folder, error) from error

    def write(self, stills: Iterable[Still], info: VideoInfo, encoding: Encoding, threads: int | None) -> None:
        """Encode the next piece; it counts once it is whole. Raises OutputError, VideoError, and what ``stills`` raises."""
        name = f"{len(self.done):06d}"
        aside, last = self.folder / f"{name}.part", None
        try:
            last = _encode(aside, stills, info, encoding, threads)
            if last is None:
                aside.unlink(missing_ok=True)
                return
            with aside.open("rb+") as file:
                os.fsync(file.fileno())
            target = self.folder / f"{name}.{last.number}.{last.pts}.{last.duration}.piece"
            aside.replace(target)
        except av.error.FFmpegError as error:
            raise translated(error, aside) from error
        except OSError as error:
            raise unstorable(aside, error) from error
        self.done.append(Piece(target, last.number, last.pts, last.duration))

    def size(self) -> int:
        """Bytes of the pieces so far, that which is being made included."""
        with contextlib.suppress(OSError):
            return sum(file.stat().st_size for file in self.folder.iterdir())
        return 0

    def remove(self) -> None:
        """Throw the pieces away, once they have become a film."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _find(self) -> None:
        for file in sorted(self.folder.glob("*.*.*.*.piece")):
            index, *last = (int(part) for part in file.name.split(".")[:4])
            if index == len(self.done):
                self.done.append(Piece(file, *last))


def key_of(info: VideoInfo, **settings: object) -> str:
    """What pieces are made from and how, as text that changes when either does."""
    pictures = sequence(info.path)
    status = (info.path if pictures is None else pictures.file(pictures.last)).stat()
    facts = {"file": str(info.path.resolve()), "bytes": status.st_size, "modified_ns": status.st_mtime_ns, "pieces": FRAMES}
    if pictures is not None:
        facts |= {"first": pictures.first, "last": pictures.last}
    return json.dumps({**facts, **settings}, sort_keys=True, default=str)


def piece_format(codec: Codec) -> str:
    """FFmpeg's name of the container of a codec's pieces."""
    return NOT_NUT.get(codec, "nut")


def shift(time_base: Fraction) -> int:
    """By how much a piece's time stamps are moved up, in units of ``time_base``."""
    return round(SHIFT_S / time_base)


def _encode(file: Path, stills: Iterable[Still], info: VideoInfo, encoding: Encoding, threads: int | None) -> Still | None:
    """Encode to a file; the last frame, None where there was none."""
    last: list[Still] = []

    def noted() -> Iterator[Still]:
        for still in stills:
            last[:] = [still]
            yield still

    with av.open(str(file), "w", format=piece_format(encoding.codec)) as container:
        for packet in packets(container, noted(), info, encoding, threads):
            container.mux(packet)
    return last[0] if last else None


def packets(
    container: av.container.OutputContainer, stills: Iterable[Still], info: VideoInfo, encoding: Encoding, threads: int | None
) -> Iterator[Packet[Any]]:
    """What the encoder makes of the frames, for a new stream of ``container``. Raises FFmpegError, and what ``stills`` raises."""
    stream: VideoStream | None = None
    for still in stills:
        if stream is None:
            stream = _add_stream(container, still, info, encoding, threads)
        if info.form.grey and not encoding.form.grey:
            frame = frame_of(uncoloured(still.planes, info.form, encoding.planar), encoding.planar)
        else:
            frame = frame_of(still.planes, info.form)
        frame.color_range, frame.colorspace = info.colours.range, info.colours.matrix
        if encoding.form.name != frame.format.name:
            frame = frame.reformat(format=encoding.form.name)
        frame.pts, frame.time_base, frame.duration = still.pts + shift(info.time_base), info.time_base, still.duration
        yield from stream.encode(frame)
    if stream is not None:
        yield from stream.encode(None)


def _add_stream(
    container: av.container.OutputContainer, still: Still, info: VideoInfo, encoding: Encoding, threads: int | None
) -> VideoStream:
    stream: VideoStream = container.add_stream(encoding.coder, rate=info.rate, options=dict(encoding.options))  # type: ignore[assignment]
    context = stream.codec_context
    context.height, context.width = still.planes.luma.shape
    context.pix_fmt = encoding.form.name
    context.time_base = info.time_base
    context.sample_aspect_ratio = info.aspect
    context.color_range = info.colours.range
    context.color_primaries = info.colours.primaries
    context.color_trc = info.colours.transfer
    context.colorspace = info.colours.matrix
    context.gop_size = FRAMES
    if threads is not None:
        context.thread_count = threads
    return stream


def translated(error: av.error.FFmpegError, file: Path) -> Exception:
    """FFmpeg's error as one of ours: a full disk is one to store, anything else the encoder's."""
    if isinstance(error, OSError) and error.errno is not None and 0 < error.errno < 200:
        return unstorable(file.parent, error)
    return VideoError(f"the encoder failed ({error})")
