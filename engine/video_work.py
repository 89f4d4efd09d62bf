"""One film from its input to its output, gone on with where it was left; or only what that would take."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import av

from engine import video_codecs, videos
from engine.errors import BackendError, VideoError
from engine.events import Event, Finished, Planned
from engine.naming import next_free
from engine.sequences import is_pattern
from engine.video_codecs import Wish
from engine.video_estimate import estimate
from engine.video_fields import scan
from engine.video_pictures import Numbered, first_number, make
from engine.video_segments import Pieces, key_of, translated
from engine.video_source import examine
from engine.videos import Film
from engine.workshop import Reporter, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.events import Energy, Prediction
    from engine.foreign import AnyModel
    from engine.planning import Task
    from engine.power import Measurement
    from engine.video_source import VideoInfo
    from engine.video_upscaler import LumaStage
    from engine.workshop import Workshop

MANY_DAMAGES = 5
"""Damaged places that are told one by one; more are only counted."""
WORTH_PREDICTING = 200
"""Films of fewer frames are done before a sample would tell much."""


@dataclass(frozen=True, slots=True)
class Work:
    """One film and all that is needed to do it."""

    task: Task
    shop: Workshop
    report: Reporter
    cancelled: Callable[[], bool]
    model: AnyModel
    film: Film
    measured: Measurement

    def energy(self, computed: float) -> Energy:
        """What has been spent on so many frames' worth of network, with what the meters say."""
        return self.shop.energy(self.model, [(self.film.info.width, self.film.info.height)], self.measured, computed)

    def key(self) -> str:
        """What the output is made from and how."""
        film, backend = self.film, self.shop.backend(self.model)
        how = {"model": self.model.digest, "backend": backend.name, "precision": backend.precision, "size": film.size}
        what = {
            "encoding": asdict(film.encoding),
            "filters": film.filters,
            "threads": film.threads,
            "excerpt": asdict(film.excerpt),
        }
        return key_of(film.info, **what, **how)

    def pieces(self) -> Pieces:
        """The film's pieces; those of an earlier run are among them."""
        return Pieces(videos.work_folder(self.task.output), self.key())

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the output as a player shows it."""
        return self.film.info.shown(*self.film.size)

    @property
    def numbered(self) -> bool:
        """Whether the output is numbered pictures."""
        return is_pattern(self.task.output.name)

    def pictures(self) -> Numbered:
        """The numbered pictures that the film becomes."""
        settings = self.shop.settings
        return Numbered(self.task.output, first_number(self.task.source), self.key(), settings.quality, settings.existing == "overwrite")

    def predict(self) -> Prediction | None:
        """What the film will take, from a sample; None for numbered pictures."""
        if self.numbered:
            return None
        sizes = [(self.film.info.width, self.film.info.height)]
        container = video_codecs.CONTAINERS[self.task.output.suffix.lower()]
        backends = self.shop.workers(self.model)
        return estimate(
            self.film, backends, container, lambda frames: self.shop.predicted_energy(self.model, sizes, frames), self.cancelled
        )


def upscale(task: Task, shop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Finished:
    """Upscale one film and store the result. Raises AdderSESRError, Cancelled among them; finished pieces stay for the next run."""
    started = time.perf_counter()
    make_folder(task.output.parent)
    work = _begin(task, shop, emit, cancelled)
    while True:
        try:
            predicted = _tell_prediction(work, emit)
            luma, frames = _make_pictures(work) if work.numbered else _make(work)
            break
        except BackendError as error:
            shop.fall_back(work.model, error, work.report)
    output = task.output if work.numbered else _finish(work)
    energy, backend = work.energy(luma.computed), shop.backend(work.model)
    return Finished(
        str(task.source),
        str(output),
        time.perf_counter() - started,
        work.model.id,
        backend.name,
        backend.precision,
        energy,
        *work.shown_size,
        frames=frames,
        bytes=None if work.numbered else output.stat().st_size,
        predicted=predicted,
    )


def plan(task: Task, shop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Planned:
    """What `upscale` would make of a film, and what it would take. Raises AdderSESRError, Cancelled among them."""
    work = _begin(task, shop, emit, cancelled)
    try:
        return _planned(work, work.predict())
    except av.error.FFmpegError as error:
        raise translated(error, task.source) from error


def _begin(task: Task, shop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Work:
    """Look at the film and say what a person should know before it is done."""
    measured, report = shop.measurement(), Reporter(str(task.source), emit, "frame")
    info = examine(task.source)
    model = shop.model_for(task.source, info.width, info.height, report)
    shop.ready(model, report)
    film = _film(info, model, task.output, shop, report)
    if film.excerpt.start_s and info.seconds is not None and film.excerpt.start_s >= info.seconds:
        raise VideoError(f"{task.source}: is {info.seconds:.1f} s long: nothing is left from {film.excerpt.start_s:g} s on")
    return Work(task, shop, report, cancelled, model, film, measured)


def _planned(work: Work, predicted: Prediction | None) -> Planned:
    task = work.task
    interlaced = bool(scan(work.film.info).filters)
    return Planned(str(task.source), str(task.output), *work.shown_size, work.model.id, work.film.frames, predicted, interlaced)


def _tell_prediction(work: Work, emit: Callable[[Event], None]) -> Prediction | None:
    """Predict and tell, where the film is long enough for that to be worth its while and nothing of it is done yet."""
    if (work.film.frames or 0) < WORTH_PREDICTING or work.numbered or work.pieces().done:
        return None
    try:
        predicted = work.predict()
    except av.error.FFmpegError as error:
        raise translated(error, work.task.source) from error
    emit(_planned(work, predicted))
    return predicted


def _film(info: VideoInfo, model: AnyModel, output: Path, shop: Workshop, report: Reporter) -> Film:
    settings = shop.settings
    wanted = info.shown(*shop.chosen.target.size(*info.shown(info.width, info.height), model.spec.scale))
    wish = Wish("ffv1" if is_pattern(output.name) else settings.codec, settings.quality, settings.grade, settings.effort)
    encoding = video_codecs.choose(info, wanted[0], output.suffix.lower(), wish, report.warn)
    size = videos.output_size(info, wanted, encoding.coder)
    found = scan(info)
    if found.words and not settings.keep_interlaced:
        report.warn(found.words)
    filters = "" if settings.keep_interlaced else found.filters
    return Film(info, size, encoding, filters, settings.threads, settings.tile, settings.excerpt)


def _make(work: Work) -> tuple[LumaStage, int]:
    """Encode what is missing, and say what was spared and what was damaged; the stage that ran the network, and frames done."""
    damages: list[float] = []
    film, report, pieces = work.film, work.report, work.pieces()
    before = pieces.done[-1].last_number + 1 if pieces.done else 0
    if before:
        report.warn(f"going on after frame {before}, where an earlier run ended")
    luma = film.luma_stage(work.shop.workers(work.model), work.cancelled)

    def on_frame(done: int) -> None:
        report.progress(done, film.frames, lambda: (work.energy(luma.computed), pieces.size()))

    videos.make_pieces(film, pieces, luma, on_frame, damages.append)
    _tell_outcome(luma, damages, report)
    return luma, pieces.done[-1].last_number + 1 - before


def _make_pictures(work: Work) -> tuple[LumaStage, int]:
    """As `_make`, to numbered pictures."""
    damages: list[float] = []
    film, report, pictures = work.film, work.report, work.pictures()
    before = pictures.begin()
    if before:
        report.warn(f"going on after frame {before}, where an earlier run ended")
    luma = film.luma_stage(work.shop.workers(work.model), work.cancelled)

    sizes = [pictures.size(0, before)]

    def on_frame(done: int) -> None:
        sizes.append(pictures.size(done - 1, done))
        report.progress(done, film.frames, lambda: (work.energy(luma.computed), sum(sizes)))

    done = make(film, pictures, before, luma, on_frame, damages.append)
    _tell_outcome(luma, damages, report)
    return luma, done - before


def _tell_outcome(luma: LumaStage, damages: list[float], report: Reporter) -> None:
    """Say what was damaged and what was spared."""
    places = list(dict.fromkeys(_clock(seconds) for seconds in sorted(damages)))
    for place in places[:MANY_DAMAGES]:
        report.warn(f"damaged at {place}: what could be decoded was done")
    if len(places) > MANY_DAMAGES:
        report.warn(f"damaged in {len(places)} places in all")
    spared = luma.seen - luma.computed
    if luma.seen and spared / luma.seen >= 0.01:
        report.warn(f"{100 * spared / luma.seen:.0f} % of the work was spared, where frames were as the ones before")


def _finish(work: Work) -> Path:
    """Put the pieces together at the output, or at the next free name where that has been taken since the job was planned."""
    output, settings = work.task.output, work.shop.settings
    target = output if settings.existing in ("overwrite", "skip") else next_free(output, os.path.lexists)
    videos.join(work.film, work.pieces(), target, settings.existing == "overwrite", work.report.warn, notes=settings.metadata)
    return target


def _clock(seconds: float) -> str:
    """A time in a film, as 1:02:03.4."""
    minutes, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}"
