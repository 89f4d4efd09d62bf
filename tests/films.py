"""Films upscaled by a job, for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from engine import jobs
from engine.catalogue import Catalogue
from engine.events import Event, Failed, Finished, Warned
from tests.clips import store_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def upscaled(
    model: Path, source: Path, cancelled: Callable[[], bool] = lambda: False, *, dry: bool = False, **settings: Any
) -> list[Event]:
    """The events of upscaling one film."""
    job = jobs.Job((source,), jobs.Settings(model=str(model), **{"backend": "onnx", "threads": 1, **settings}))
    return list(jobs.run(job, jobs.Tools(Catalogue([])), cancelled, dry=dry))


def output_of(events: Sequence[Event]) -> Path:
    """The output of the one film that was done."""
    failures = [event.message for event in events if isinstance(event, Failed)]
    assert not failures
    [finished] = [event for event in events if isinstance(event, Finished)]
    return Path(finished.output)


def store_rich(path: Path) -> Path:
    """A film with sound, subtitles, an attachment, a chapter and a title."""
    plain = store_clip(path.with_name("plain.mkv"), 10, sound=True)
    subtitles = path.with_name("words.srt")
    subtitles.write_text("1\n00:00:00,100 --> 00:00:00,300\nHello\n")
    with av.open(str(plain)) as film, av.open(str(subtitles)) as words, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in film.streams]
        streams[1].metadata["language"] = "deu"
        lines = out.add_stream_from_template(words.streams[0], opaque=True)
        out.add_attachment("font.ttf", "font/ttf", b"font")
        out.metadata["title"] = "A film"
        out.set_chapters([{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}])
        for packet in film.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
        for packet in words.demux():
            if packet.size:
                packet.stream = lines
                out.mux(packet)
    return path


def warnings_of(events: Sequence[Event]) -> list[str]:
    """What a person was told."""
    return [event.message for event in events if isinstance(event, Warned)]
