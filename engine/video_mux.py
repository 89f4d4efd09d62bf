"""Pieces and everything of the source beside its film, put together to one file: nothing is encoded here."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av

from engine.errors import OutputError, VideoError
from engine.storing import unstorable
from engine.video_codecs import CONTAINERS
from engine.video_segments import shift
from engine.video_source import open_video, video_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

    from engine.video_segments import Piece
    from engine.video_source import VideoInfo

SET_BY_MUXER = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER", "DURATION", "handler_name", "vendor_id"}
)
NEEDED = frozenset({"language", "title", "filename", "mimetype"})
"""What a stream is known by."""
MUXER_OPTIONS = {"mp4": {"movflags": "+faststart"}, "mov": {"movflags": "+faststart"}}
HOLDERS = {"attachment": ("matroska",), "data": ("mov", "mp4", "mpegts")}
"""Which containers take streams of kinds that FFmpeg does not check itself."""
LEAD_S = 10
"""How much earlier than a part of a film its subtitles are looked for."""
TAGS = {"hevc": "hvc1"}
"""Names by which Apple's players know a codec in MP4."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of the source that the pieces are, in seconds of its own clock; the output's clock starts at 0."""

    start: Fraction
    end: Fraction


def join(
    pieces: Sequence[Piece],
    info: VideoInfo,
    target: Path,
    extension: str,
    tell: Callable[[str], None],
    *,
    cut: bool = False,
    notes: bool = True,
) -> None:
    """Write ``target`` (a path aside) from the pieces and the source's other streams, chapters and metadata.

    ``cut``: the pieces are a part of the source, and of its other streams only that part is copied. Without ``notes`` what the file
    says of itself (when, where and with what it was made) and streams of data are left out. ``tell`` hears what the container cannot
    hold. Raises OutputError, VideoError.
    """
    form = CONTAINERS[extension]
    part = _extent(pieces, info) if cut else None
    try:
        with open_video(info.path) as source, av.open(str(target), "w", format=form, options=MUXER_OPTIONS.get(form, {})) as out:
            with av.open(str(pieces[0].file)) as first:
                film = _add_film(out, first.streams.video[0], info, form)
            others = _add_others(source, out, info, tell, notes=notes)
            _copy_notes(source, out, part, notes=notes)
            packets = heapq.merge(_film_packets(pieces, info, film, part), _other_packets(source, others, part), key=lambda item: item[0])
            for _, packet in packets:
                out.mux(packet)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno is not None and 0 < error.errno < 200 and not isinstance(error, ValueError):
            raise unstorable(target.parent, error) from error
        raise VideoError(f"{info.path}: its streams cannot be put together ({error})") from error


def _add_film(out: OutputContainer, template: Any, info: VideoInfo, form: str) -> Stream:
    try:
        film = out.add_stream_from_template(template, opaque=True)
    except ValueError as error:
        raise OutputError(f"{form} cannot hold this codec ({error}); choose another --codec or --format") from error
    film.time_base = info.time_base
    context, colours = film.codec_context, info.colours
    context.sample_aspect_ratio = info.aspect
    context.color_primaries, context.color_trc = colours.primaries, colours.transfer  # not every codec says so itself
    context.colorspace, context.color_range = colours.matrix, colours.range
    if info.rotation:
        film.set_display_rotation(info.rotation)
    if form in ("mp4", "mov") and (tag := TAGS.get(template.codec_context.name)):
        film.codec_context.codec_tag = tag
    return film  # type: ignore[no-any-return]


def _add_others(
    source: InputContainer, out: OutputContainer, info: VideoInfo, tell: Callable[[str], None], *, notes: bool
) -> dict[int, Stream]:
    """A stream of the output for each of the source's but the film, by the source's index."""
    film = video_stream(source, info.path).index
    made: dict[int, Stream] = {}
    for stream in source.streams:
        if stream.index == film or (stream.type == "data" and not notes):  # cameras note there where they are
            continue
        if out.format.name not in HOLDERS.get(stream.type, (out.format.name,)):
            tell(f"the {stream.type} stream {stream.index} was left out: {out.format.name} holds none")
            continue
        try:
            copy = out.add_stream_from_template(stream, opaque=True)
        except (ValueError, av.error.FFmpegError) as error:
            tell(f"the {stream.type} stream {stream.index} was left out: {error}")
            continue
        copy.metadata.update(
            {name: value for name, value in stream.metadata.items() if (name not in SET_BY_MUXER if notes else name in NEEDED)}
        )
        copy.disposition = stream.disposition
        made[stream.index] = copy
    return made


def _copy_notes(source: InputContainer, out: OutputContainer, part: Cut | None, *, notes: bool) -> None:
    if notes:
        out.metadata.update({name: value for name, value in source.metadata.items() if name not in SET_BY_MUXER})
    chapters: Any = source.chapters()
    if part is not None:
        chapters = [moved for chapter in chapters if (moved := _moved_chapter(chapter, part))]
    if chapters:
        out.set_chapters(chapters)


def _moved_chapter(chapter: dict[str, Any], part: Cut) -> dict[str, Any] | None:
    """A chapter as it lies in the part, None where it lies outside."""
    base = chapter["time_base"]
    start, end = max(chapter["start"] * base, part.start), min(chapter["end"] * base, part.end)
    if start >= end:
        return None
    return {**chapter, "start": round((start - part.start) / base), "end": round((end - part.start) / base)}


def _extent(pieces: Sequence[Piece], info: VideoInfo) -> Cut:
    """From the first frame's time stamp to the last one's end."""
    first = min(packet.pts or 0 for packet in _raw(pieces[:1], info))
    return Cut(first * info.time_base, (pieces[-1].last_pts + pieces[-1].last_duration) * info.time_base)


def _film_packets(pieces: Sequence[Piece], info: VideoInfo, film: Stream, part: Cut | None) -> Iterator[tuple[float, Packet[Any]]]:
    """Every packet of the film with its own time stamp, a decoding time that grows from piece to piece, and a duration up to the next."""
    stamps = [packet.pts or 0 for packet in _raw(pieces, info)]
    order, shown = decoding_times(stamps), sorted(stamps)
    end = shown[-1] + pieces[-1].last_duration
    if part is None and info.end is not None and info.end > shown[-1]:
        end = info.end
    ends = dict(zip(shown, [*shown[1:], end], strict=True))
    rest = (end - shown[0]) - (order[-1] - order[0])  # MP4's length is from decoding time to decoding time, and the last one's duration
    moved = 0 if part is None else round(part.start / info.time_base)
    for packet, pts, dts in zip(_raw(pieces, info), stamps, order, strict=True):
        packet.pts, packet.dts = pts - moved, dts - moved
        packet.duration = rest if dts == order[-1] and rest > 0 else ends[pts] - pts
        packet.stream = film
        yield float((dts - moved) * info.time_base), packet


def _raw(pieces: Sequence[Piece], info: VideoInfo) -> Iterator[Packet[Any]]:
    """The pieces' packets in the film's own time base, their time stamps moved back."""
    for piece in pieces:
        with av.open(str(piece.file)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is None:
                    continue
                pts = round(packet.pts * packet.time_base / info.time_base) - shift(info.time_base)
                packet.time_base = info.time_base
                packet.pts, packet.dts = pts, None
                yield packet


def decoding_times(pts: Sequence[int]) -> list[int]:
    """When packets given in decoding order are decoded: growing, and never after they are shown.

    The packets' sorted time stamps, delayed by as many frames as the most reordered one needs.
    """
    shown = sorted(pts)
    rank = {stamp: i for i, stamp in enumerate(shown)}
    delay = max((i - rank[stamp] for i, stamp in enumerate(pts)), default=0)
    step = max(1, shown[1] - shown[0]) if len(shown) > 1 else 1
    early = [shown[0] - step * (delay - i) for i in range(min(delay, len(shown)))]
    return early + shown[: len(shown) - len(early)]


def _other_packets(source: InputContainer, others: dict[int, Stream], part: Cut | None) -> Iterator[tuple[float, Packet[Any]]]:
    streams = [stream for stream in source.streams if stream.index in others and stream.type != "attachment"]
    if not streams:
        return
    if part is not None:
        source.seek(max(int((part.start - LEAD_S) * av.time_base), 0))
    for packet in source.demux(streams):
        when = packet.dts if packet.dts is not None else packet.pts
        if when is None or (part is not None and not _move(packet, part)):
            continue
        moved = packet.dts if packet.dts is not None else packet.pts
        packet.stream = others[packet.stream_index]
        yield float((moved or 0) * packet.time_base), packet


def _move(packet: Packet[Any], part: Cut) -> bool:
    """Whether a packet lies in the part; if so it is moved to the output's clock.

    Sound begins with the first packet that begins in the part; a subtitle that is already there is shown from the start.
    """
    base, pts = packet.time_base, packet.pts if packet.pts is not None else packet.dts
    assert pts is not None
    start, length = pts * base, (packet.duration or 0) * base
    shows = packet.stream.type == "subtitle" and start < part.start < start + length
    if start >= part.end or (start < part.start and not shows):
        return False
    offset = round(part.start / base)
    late = max(offset - pts, 0)
    packet.pts = pts - offset + late
    packet.dts = None if packet.dts is None else packet.dts - offset + late
    if late:
        packet.duration = (packet.duration or 0) - late
    return True
