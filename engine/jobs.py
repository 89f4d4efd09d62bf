"""What to do with which file: a job is files, folders and settings in, a stream of events out. One bad file never stops the rest."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine import planning, selection
from engine.errors import AdderSESRError, Cancelled
from engine.events import Event, Failed, Finished, Planned, Progress, Skipped, Started, Summary
from engine.naming import Naming, check_template
from engine.selection import Target
from engine.storing import sweep
from engine.stream import stream
from engine.video_options import WHOLE
from engine.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engine.bench import Calibration
    from engine.catalogue import Catalogue
    from engine.existing import Existing
    from engine.kinds import Kind
    from engine.planning import Plan, Task
    from engine.power import Meter
    from engine.selection import Selection
    from engine.video_options import Effort, Excerpt, Grade

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a job's inputs are upscaled and its outputs stored. ``extension`` (with its dot) is the format, None for the source's.

    ``quality`` is 1..100 for formats that lose something; ``tile`` the largest tile's side in input pixels, None for automatic.
    ``metadata`` keeps a picture's EXIF and XMP (its ICC profile stays anyway); without it there is no ``provenance`` either.
    ``codec``, ``grade``, ``effort``, ``keep_interlaced`` and ``excerpt`` are for films (see `engine.video_codecs`). ``provenance``
    puts how a picture was made into its XMP. ``redo`` is a result that is to be made again exactly (see `engine.redo`). ``strength`` is
    for networks that have a plain twin (see `engine.strength`). ``suited``: ``model`` gives way to the network for a file's material.
    """

    model: str | None = None
    target: Target = field(default_factory=Target)
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    tile: int | None = None
    destination: Path | None = None
    template: str | None = None
    extension: str | None = None
    quality: int | None = None
    existing: Existing = "rename"
    codec: str = "auto"
    grade: Grade = "balanced"
    effort: Effort = "balanced"
    keep_interlaced: bool = False
    excerpt: Excerpt = WHOLE
    provenance: bool = True
    metadata: bool = True
    redo: Path | None = None
    strength: float = 1.0
    suited: bool = False

    def __post_init__(self) -> None:
        if self.template is not None:
            check_template(self.template)


@dataclass(frozen=True, slots=True)
class Job:
    """Files and folders, and what to do with them. The files in ``done`` were finished before and are left out silently."""

    inputs: tuple[Path, ...]
    settings: Settings = field(default_factory=Settings)
    done: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class Tools:
    """What a job needs from its surroundings: the models, this machine's speed, and its energy meters."""

    catalogue: Catalogue
    calibration: Calibration | None = None
    meters: Sequence[Meter] = ()
    missing_meters: Sequence[str] = ()


def run(job: Job, tools: Tools, cancelled: Callable[[], bool] = lambda: False, *, dry: bool = False) -> Iterator[Event]:
    """Do ``job`` in a thread and yield its events; the last is a `Summary`. Closing the generator cancels it within a tile.

    ``dry``: nothing is written; each input is answered by a `Planned` that tells what would come of it. Raises Cancelled after the
    summary where ``cancelled`` became true before the end; UsageError, ModelError and BackendError before the first event where
    nothing can be done at all.
    """
    return stream(partial(perform, job, tools, dry=dry), cancelled)


def perform(job: Job, tools: Tools, emit: Callable[[Event], None], cancelled: Callable[[], bool], *, dry: bool = False) -> None:
    """As `run`, in the calling thread: events go to ``emit``; ``cancelled`` is asked at every tile and may block to pause."""
    settings, chosen = _chosen(job, tools.catalogue)
    workshop = Workshop(settings, chosen, tools.calibration, tuple(tools.meters))
    plan = _without(planning.plan(job.inputs, naming(settings, chosen, workshop.made_with)), job.done)
    if plan.tasks:
        workshop.prepare()
    for folder in {task.output.parent for task in plan.tasks} if not dry else ():
        sweep(folder)
    tally = _Tally(emit)
    for notice in plan.notices:
        tally.tell(notice)
    try:
        _work_through(plan, workshop, tally, cancelled, dry=dry)
    finally:
        emit(tally.summary())


def _chosen(job: Job, catalogue: Catalogue) -> tuple[Settings, Selection]:
    """The job's settings and networks; for a result that is to be made again those of its record."""
    settings = job.settings
    if settings.redo is None:
        return settings, selection.select(
            catalogue, settings.model, settings.target, settings.precision, settings.strength, suited=settings.suited
        )
    from engine import redo  # noqa: PLC0415 (it loads the picture libraries, which usage errors can do without)

    redo.check_inputs(job.inputs, settings.redo)
    return redo.prepared(settings, catalogue)


def _without(plan: Plan, done: frozenset[Path]) -> Plan:
    return replace(plan, tasks=tuple(task for task in plan.tasks if task.source not in done))


def naming(settings: Settings, chosen: Selection, made_with: Callable[[Path], tuple[str, str]]) -> Naming:
    """The rules for names that ``settings`` ask for; ``made_with`` gives the model's id and the precision that a file is done with."""
    return Naming(
        chosen.nominal_scale,
        settings.destination,
        settings.template,
        settings.extension,
        settings.existing,
        made_with,
        settings.excerpt.words(),
    )


@dataclass
class _Tally:
    """Passes events on and counts how inputs ended."""

    emit: Callable[[Event], None]
    counts: Counter[type[Event]] = field(default_factory=Counter)

    def tell(self, event: Event) -> None:
        self.counts[type(event)] += 1
        self.emit(event)

    def summary(self) -> Summary:
        return Summary(self.counts[Finished] + self.counts[Planned], self.counts[Failed], self.counts[Skipped])


def _work_through(plan: Plan, workshop: Workshop, tally: _Tally, cancelled: Callable[[], bool], *, dry: bool) -> None:
    """Do every task in turn. Raises Cancelled."""
    members = Counter(task.root for task in plan.tasks)
    done: Counter[Path | None] = Counter()
    for task in plan.tasks:
        if cancelled():
            raise Cancelled("cancelled")
        tally.tell(_attempt(task, workshop, tally.emit, cancelled, dry=dry))
        if task.root is not None and not dry:
            done[task.root] += 1
            tally.tell(Progress(str(task.root), done[task.root], members[task.root], "file"))


def _work_on(kind: Kind) -> Any:
    """The module that does files of this kind; that for films loads FFmpeg, which pictures do not need."""
    return import_module("engine.video_work" if kind == "video" else "engine.picture_work")


def _attempt(task: Task, workshop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool], *, dry: bool) -> Event:
    """Do one task and say how it ended. Raises Cancelled alone: whatever else happens concerns this file only."""
    if not dry:
        emit(Started(str(task.source), str(task.output)))
    try:
        work = _work_on(task.kind)
        return (work.plan if dry else work.upscale)(task, workshop, emit, cancelled)  # type: ignore[no-any-return]
    except Cancelled:
        raise
    except AdderSESRError as error:
        return Failed(str(task.source), type(error).__name__, str(error))
    except MemoryError:
        return Failed(str(task.source), "MemoryError", f"{task.source}: there is not enough memory; try a smaller --tile")
    except Exception as error:
        _log.exception("%s", task.source)
        return Failed(str(task.source), "InternalError", f"{task.source}: something went wrong that should not ({error!r}); see the log")
