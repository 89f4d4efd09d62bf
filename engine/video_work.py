"""One film from its input to its output, gone on with where it was left."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from engine import video_codecs, videos
from engine.errors import BackendError
from engine.events import Event, Finished
from engine.naming import next_free
from engine.video_segments import Pieces, key_of
from engine.video_source import examine
from engine.videos import Film, FrameUpscaler
from engine.workshop import Reporter, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.foreign import AnyModel
    from engine.planning import Task
    from engine.video_source import VideoInfo
    from engine.workshop import Workshop

MANY_DAMAGES = 5
"""Damaged places that are told one by one; more are only counted."""


def upscale(task: Task, shop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Finished:
    """Upscale one film and store the result. Raises AdderSESRError, Cancelled among them; finished pieces stay for the next run."""
    started, measured = time.perf_counter(), shop.measurement()
    report = Reporter(str(task.source), emit, "frame")
    make_folder(task.output.parent)
    info = examine(task.source)
    model = shop.model_for(task.source, info.width, info.height, report)
    film = _film(info, model, task.output, shop)
    if film.deinterlace:
        report.warn("this film is interlaced: it is deinterlaced (bwdif); --keep-interlaced leaves it alone")
    while True:
        try:
            upscaler = _make(film, model, task.output, shop, report, cancelled)
            break
        except BackendError as error:
            shop.fall_back(model, error, report)
    output = _finish(film, model, task.output, shop, report)
    energy = shop.energy(model, [(info.width, info.height)], measured, upscaler.computed)
    backend, seconds = shop.backend(model), time.perf_counter() - started
    return Finished(str(task.source), str(output), seconds, model.id, backend.name, backend.precision, energy, *film.size)


def _film(info: VideoInfo, model: AnyModel, output: Path, shop: Workshop) -> Film:
    settings = shop.settings
    wanted = shop.chosen.target.size(info.width, info.height, model.spec.scale)
    encoding = video_codecs.choose(info, wanted[0], output.suffix.lower(), settings.codec, settings.quality, settings.effort)
    size = videos.output_size(info, wanted, encoding.codec)
    return Film(info, size, encoding, info.interlaced and not settings.keep_interlaced, settings.threads, settings.tile)


def _pieces(film: Film, model: AnyModel, output: Path, shop: Workshop) -> Pieces:
    backend = shop.backend(model)
    how = {
        "model": model.digest,
        "backend": backend.name,
        "precision": backend.precision,
        "size": film.size,
    }
    key = key_of(film.info, encoding=asdict(film.encoding), deinterlace=film.deinterlace, threads=film.threads, **how)
    return Pieces(videos.work_folder(output), key)


def _make(film: Film, model: AnyModel, output: Path, shop: Workshop, report: Reporter, cancelled: Callable[[], bool]) -> FrameUpscaler:
    """Encode what is missing, and say what was spared and what was damaged."""
    damages: list[float] = []
    pieces = _pieces(film, model, output, shop)
    if pieces.done:
        report.warn(f"going on after frame {pieces.done[-1].last_number + 1}, where an earlier run ended")
    upscaler = FrameUpscaler(shop.backend(model), film, cancelled)
    videos.make_pieces(film, pieces, upscaler, lambda done: report.progress(done, film.info.frames), damages.append)
    for seconds in damages[:MANY_DAMAGES]:
        report.warn(f"damaged at {_clock(seconds)}: what could be decoded was done")
    if len(damages) > MANY_DAMAGES:
        report.warn(f"damaged in {len(damages)} places in all")
    spared = upscaler.seen - upscaler.computed
    if upscaler.seen and spared / upscaler.seen >= 0.01:
        report.warn(f"{100 * spared / upscaler.seen:.0f} % of the work was spared, where frames were as the ones before")
    return upscaler


def _finish(film: Film, model: AnyModel, output: Path, shop: Workshop, report: Reporter) -> Path:
    """Put the pieces together at ``output``, or at the next free name where that has been taken since the job was planned."""
    pieces = _pieces(film, model, output, shop)
    overwrite = shop.settings.existing == "overwrite"
    target = output if overwrite or shop.settings.existing == "skip" else next_free(output, os.path.lexists)
    videos.join(film, pieces, target, overwrite, report.warn)
    return target


def _clock(seconds: float) -> str:
    """A time in a film, as 1:02:03.4."""
    minutes, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}"
