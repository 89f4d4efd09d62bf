"""Works through the queue, one job at a time, and keeps a journal, so that no crash loses or repeats finished work."""

from __future__ import annotations

import dataclasses
import logging
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPixmap

from addersesr_app import film_words
from addersesr_app.engine_client import STOPPED
from addersesr_app.job_spending import JobSpending
from addersesr_app.queue_model import ENDED, RUNNING, QueueJob, QueueModel, again
from addersesr_app.shared_picture import SharedPicture
from engine import journal
from engine.errors import OutputError
from engine.events import Event, Failed, Finished, Planned, Progress, Skipped, Summary, Warned
from engine.journal import Entry, Journal
from engine.serve.protocol import CancelledRequest, Network, Output, Plan, Spent, Thumbnail, Thumbnailed, Told, Upscale

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from addersesr_app.engine_client import EngineClient
    from addersesr_app.queue_model import State
    from engine.journal import State as Recorded

THUMBNAIL_SIDE = 96
MAX_CRASHES = 2
"""A job during which the engine died more often than this is given up."""
_log = logging.getLogger(__name__)


class QueueRunner(QObject):
    """The queue's owner. ``changed`` tells that something about it did, ``ended`` that the last waiting job is through."""

    changed = Signal()
    ended = Signal()

    def __init__(self, client: EngineClient, model: QueueModel, journal_file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client, self.model = client, model
        self._file = journal_file
        self._journal: Journal | None = None
        self._current: QueueJob | None = None
        self._request = 0
        self._crashes = 0
        self._started_s = 0.0
        self.spending = JobSpending()
        self.running = False

    def restore(self) -> int:
        """Bring back what a crash left unfinished, waiting; how many jobs that are. Before anything else is done."""
        try:
            entries = journal.read(self._file)
            left = journal.unfinished(entries)
            finished = _finished_files(entries)
            for identity, entry in left.items():
                job = _job_of(identity, entry)
                if job is not None:
                    job.finished = finished.get(identity, [])
                    self.model.add(job)
            if entries:
                journal.rewrite(self._file, (entry for entry in entries if entry.job in left))
        except OutputError as error:
            _log.warning("%s", error)
        for job in self.model.jobs:
            self._ask_picture(job)
            self._ask_plan(job)
        return len(self.model.jobs)

    def add(self, paths: Iterable[str], network: Network, output: Output) -> None:
        """Append jobs, waiting."""
        for path in paths:
            job = QueueJob(uuid.uuid4().hex, path, network, output)
            self.model.add(job)
            self._record(job, "queued", _data_of(job))
            self._ask_picture(job)
            self._ask_plan(job)
        self.changed.emit()
        if self.running:
            self._next()

    def start(self) -> None:
        """Work, or go on after a pause."""
        self.running = True
        if self._current is not None and self._current.state == "paused":
            self._client.resume(self._request)
            self._set_state(self._current, "running")
        self._next()
        self.changed.emit()

    def pause(self) -> None:
        """Hold after the present tile."""
        self.running = False
        if self._current is not None and self._current.state == "running":
            self._client.pause(self._request)
            self._set_state(self._current, "paused")
        self.changed.emit()

    def cancel(self, job: QueueJob) -> None:
        """Stop a job, or take it off its turn."""
        if job is self._current:
            self._client.cancel(self._request)
        elif job.state == "waiting":
            self._end(job, "cancelled")

    def retry(self, jobs: Sequence[QueueJob]) -> None:
        """Let ended jobs wait again; what they finished before is not repeated."""
        for job in jobs:
            if job.state in ENDED and not (job.state == "done" and not job.errors):
                job.done, job.total, job.message = 0, None, ""
                job.errors.clear()
                job.warnings.clear()
                self._set_state(job, "waiting")
                self._record(job, "queued", _data_of(job))
        self.start()

    def make_again(self, jobs: Iterable[QueueJob]) -> None:
        """Make the results of these jobs again exactly, where they can be, as new jobs."""
        for job in jobs:
            if (output := again(job)) is not None:
                self.add([job.path], job.network, output)
        self.start()

    def use(self, identity: str, jobs: Iterable[QueueJob]) -> None:
        """Do those of these jobs that wait still with another network."""
        for job in jobs:
            if job.state == "waiting" and job in self.model.jobs:
                job.network = dataclasses.replace(job.network, model=identity, precision="auto", strength=1.0, suited=False)
                self._record(job, "queued", _data_of(job))

    def remove(self, jobs: Sequence[QueueJob]) -> None:
        """Take jobs out of the queue; one that runs is cancelled."""
        for job in jobs:
            if job is self._current:
                self._client.forget(self._request)
                self._current = None
            if job.state not in ENDED:
                self._record(job, "removed")
                self._ledger(job).unlink(missing_ok=True)
            self.model.remove(job)
        self._next()
        self.changed.emit()

    def close(self) -> None:
        """Close the journal; what is unfinished stays in it."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def remaining_seconds(self) -> float | None:
        """How long the running job still takes, by its own speed so far; None while unknown."""
        job = self._current
        if job is None or not job.fraction or job.state != "running":
            return None
        return (time.monotonic() - self._started_s) * (1 - job.fraction) / job.fraction

    def _next(self) -> None:
        """Begin the first waiting job, if nothing runs."""
        if not self.running or self._current is not None:
            return
        job = self.model.first(lambda job: job.state == "waiting")
        if job is None:
            self.running = False
            self.changed.emit()
            self.ended.emit()
            return
        self._current, self._crashes = job, 0
        self._record(job, "started")
        self._begin(job)

    def _begin(self, job: QueueJob) -> None:
        self._set_state(job, "running")
        self._started_s = time.monotonic()
        self.spending.begin(job)

        def request(identity: int) -> Upscale:
            return Upscale(identity, (job.path,), job.network, job.output, tuple(job.finished), str(self._ledger(job)))

        self._request = self._client.ask(request, lambda event: self._on_event(job, event))
        self.changed.emit()

    def _on_event(self, job: QueueJob, event: Event) -> None:
        if isinstance(event, CancelledRequest):
            self._end(job, "cancelled")
        elif isinstance(event, Told):
            self._on_told(job, event.event)

    def _on_told(self, job: QueueJob, event: Event) -> None:
        match event:
            case Progress():
                self._progress(job, event)
            case Finished():
                job.finished.append(event.input)
                job.seconds += event.seconds
                self.spending.finish(job, event)
                job.result = event.output
                job.end, job.bytes = (event if event.frames else None), None
                self._record(job, "started", {"finished": event.input})
            case Planned():
                job.plan = event
            case Spent():
                self.spending.go_on(job, event)
            case Failed(input=None):
                self._on_failed(job, event)
            case Failed():
                job.errors.append(event.message)
            case Warned():
                job.warnings.append(event.message)
            case Skipped():
                job.skipped += 1
                job.message = event.reason
            case Summary():
                self._on_summary(job)
        self.model.changed(job)

    def _progress(self, job: QueueJob, event: Progress) -> None:
        """A folder counts its files, a file its tiles or frames."""
        if event.unit == "file" or event.input == job.path:
            job.done, job.total, job.unit, job.bytes = event.done, event.total, event.unit, event.bytes
            self.changed.emit()

    def _on_failed(self, job: QueueJob, event: Failed) -> None:
        """The whole job ended: by a crash it is begun again, else it failed."""
        self._crashes += event.error == STOPPED
        if event.error == STOPPED and self._crashes <= MAX_CRASHES:
            self._begin(job)
            return
        job.message = event.message
        self._end(job, "failed")

    def _on_summary(self, job: QueueJob) -> None:
        if job.errors and not job.finished:
            job.message = job.errors[0]
            self._end(job, "failed")
        elif job.finished or not job.skipped:
            self._end(job, "done")
        else:
            self._end(job, "skipped")

    def _end(self, job: QueueJob, state: State) -> None:
        kinds: dict[State, Recorded] = {"done": "finished", "failed": "failed", "skipped": "skipped"}
        self._record(job, kinds.get(state, "removed"))
        self._ledger(job).unlink(missing_ok=True)
        self._set_state(job, state)
        if job is self._current:
            self._current = None
            self._next()
        self.changed.emit()

    def _set_state(self, job: QueueJob, state: State) -> None:
        job.state = state
        self.model.changed(job)

    def _record(self, job: QueueJob, state: Recorded, data: Mapping[str, object] | None = None) -> None:
        """Write to the journal; without one the queue works on, only a crash would lose it."""
        try:
            if self._journal is None:
                self._journal = Journal(self._file)
            self._journal.append(Entry(job.id, state, data or {}))
        except OutputError as error:
            _log.warning("%s", error)

    def _ledger(self, job: QueueJob) -> Path:
        """Where the engine notes what it did for a job."""
        return self._file.with_name(f"{self._file.stem}-{job.id}.jsonl")

    def _ask_plan(self, job: QueueJob) -> None:
        """Have a film that waits tried out; one that is begun at once tells by itself."""

        def show(event: Event) -> None:
            if isinstance(event, Told) and isinstance(event.event, Planned):
                job.plan = event.event
                self.model.changed(job)

        if not self.running and Path(job.path).suffix.lower() in film_words.ENDINGS:
            self._client.ask(lambda identity: Plan(identity, (job.path,), job.network, job.output), show)

    def _ask_picture(self, job: QueueJob) -> None:
        def show(event: Event) -> None:
            if isinstance(event, Thumbnailed):
                shared = SharedPicture(event.pixels)
                self._client.release(event.pixels.name)
                job.picture, job.size = QPixmap.fromImage(shared.levels[0].copy()), (event.width, event.height)
                shared.close()
                self.model.changed(job)

        self._client.ask(lambda identity: Thumbnail(identity, job.path, THUMBNAIL_SIDE), show)


def is_running(job: QueueJob) -> bool:
    """Whether the engine has the job."""
    return job.state in RUNNING


def _data_of(job: QueueJob) -> dict[str, object]:
    """A job as the journal keeps it."""
    return {"input": job.path, "network": dataclasses.asdict(job.network), "output": dataclasses.asdict(job.output)}


def _finished_files(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """The files that each job had finished."""
    finished: dict[str, list[str]] = {}
    for entry in entries:
        if isinstance(file := entry.data.get("finished"), str):
            finished.setdefault(entry.job, []).append(file)
    return finished


def _job_of(identity: str, entry: Entry) -> QueueJob | None:
    """A job from its journal's entry; None where that is of another version's making."""
    try:
        return QueueJob(identity, entry.data["input"], Network(**entry.data["network"]), Output(**entry.data["output"]))
    except (KeyError, TypeError) as error:
        _log.warning("a job of the journal is not understood: %s", error)
        return None
