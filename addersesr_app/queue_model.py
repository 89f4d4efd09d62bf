"""The jobs as a Qt model: one row a file or folder that a person gave."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from addersesr_app import energies, film_words, numbers_shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QPixmap

    from engine.events import Energy, Finished, Planned, Unit
    from engine.serve.protocol import Network, Output

    AnyIndex = QModelIndex | QPersistentModelIndex

State = Literal["waiting", "running", "paused", "done", "failed", "cancelled", "skipped"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled", "skipped"})
MOST_TOLD = 8
RUNNING: frozenset[State] = frozenset({"running", "paused"})


class Role(IntEnum):
    """What a view asks for beside the text."""

    JOB = Qt.ItemDataRole.UserRole
    FRACTION = Qt.ItemDataRole.UserRole + 1


@dataclass(eq=False, slots=True)
class QueueJob:
    """One input and what became of it.

    ``finished`` are the files of a folder that are done, ``errors`` those that are not; ``warnings`` are what a person should know of them.
    ``energies`` are what those that are done took; ``spent`` and ``speed`` are of the work that goes on, so far. Of a film, ``plan`` is
    what it will take, ``bytes`` are made so far, and ``end`` is what it took.
    """

    id: str
    path: str
    network: Network
    output: Output
    state: State = "waiting"
    done: int = 0
    total: int | None = None
    unit: Unit = "tile"
    seconds: float = 0.0
    energies: list[Energy] = field(default_factory=list)
    spent: Energy | None = None
    speed: str = ""
    message: str = ""
    result: str = ""
    finished: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: int = 0
    picture: QPixmap | None = None
    size: tuple[int, int] | None = None
    plan: Planned | None = None
    end: Finished | None = None
    bytes: int | None = None

    @property
    def name(self) -> str:
        """The file's or folder's name."""
        return Path(self.path).name or self.path

    @property
    def fraction(self) -> float | None:
        """How much is done, 0 to 1; None while unknown."""
        if self.state == "done":
            return 1.0
        return self.done / self.total if self.total else None


def again(job: QueueJob) -> Output | None:
    """Where to make a job's result again exactly: for one picture that is done and there, with its original; else None."""
    there = job.unit == "tile" and job.state == "done" and Path(job.path).is_file() and Path(job.result).is_file()
    return replace(job.output, redo=job.result, existing="rename") if there else None


class QueueModel(QAbstractListModel):
    """The rows, in the order in which they are done. Changed by `QueueRunner` alone."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[QueueJob] = []

    def rowCount(self, parent: AnyIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        """How many jobs there are."""
        return 0 if parent is not None and parent.isValid() else len(self.jobs)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a view or a screen reader asks for."""
        if not index.isValid():
            return None
        job = self.jobs[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return job.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{job.name}: {self.describe(job)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            told = [*job.errors[:MOST_TOLD], *job.warnings[:MOST_TOLD]]
            return "\n".join([job.path, *told]) if told else job.message or job.path
        return {int(Role.JOB): job, int(Role.FRACTION): job.fraction}.get(role)

    def outcome(self) -> tuple[int, int]:
        """How many files are done and how many failed, those of folders counted one by one."""
        done = sum(len(job.finished) or job.state == "done" for job in self.jobs)
        return done, sum(len(job.errors) or job.state == "failed" for job in self.jobs)

    def describe(self, job: QueueJob) -> str:
        """A job's state in words."""
        match job.state:
            case "waiting":
                return " · ".join([self.tr("Waiting"), *(film_words.planned(job.plan) if job.plan else [])])
            case "running" | "paused":
                return self._describe_running(job)
            case "done":
                spent = [numbers_shown.duration(job.seconds), energies.words(energies.total(job.energies))] if job.finished else []
                files = [self.tr("{count} files").format(count=len(job.finished))] if len(job.finished) > 1 else []
                bad = [self.tr("{count} failed").format(count=len(job.errors))] if job.errors else []
                files += film_words.ended(job.end) if job.end else []
                return " · ".join([self.tr("Done"), *files, *bad, *filter(None, spent), *self._notes(job)])
            case "failed":
                return job.message or (job.errors[0] if job.errors else self.tr("Failed"))
            case "skipped":
                return self.tr("Skipped: {reason}").format(reason=job.message)
            case _:
                return self.tr("Cancelled")

    def _notes(self, job: QueueJob) -> list[str]:
        """What was warned of: a single thing itself, of more their number."""
        return job.warnings if len(job.warnings) < 2 else [self.tr("{count} notes").format(count=len(job.warnings))]

    def add(self, job: QueueJob) -> None:
        """Append a job."""
        self.beginInsertRows(QModelIndex(), len(self.jobs), len(self.jobs))
        self.jobs.append(job)
        self.endInsertRows()

    def remove(self, job: QueueJob) -> None:
        """Take a job out."""
        row = self.jobs.index(job)
        self.beginRemoveRows(QModelIndex(), row, row)
        self.jobs.remove(job)
        self.endRemoveRows()

    def move(self, job: QueueJob, steps: int) -> None:
        """Move a job down (or up, negative) as far as the list goes."""
        row = self.jobs.index(job)
        target = min(max(row + steps, 0), len(self.jobs) - 1)
        if target != row:
            self.beginMoveRows(QModelIndex(), row, row, QModelIndex(), target + (target > row))
            self.jobs.insert(target, self.jobs.pop(row))
            self.endMoveRows()

    def changed(self, job: QueueJob) -> None:
        """Tell views that a job's data changed."""
        if job in self.jobs:
            index = self.index(self.jobs.index(job))
            self.dataChanged.emit(index, index)

    def first(self, fits: Callable[[QueueJob], bool]) -> QueueJob | None:
        """The first job that fits."""
        return next((job for job in self.jobs if fits(job)), None)

    def _describe_running(self, job: QueueJob) -> str:
        parts = [self.tr("Paused") if job.state == "paused" else self.tr("Upscaling")]
        if job.fraction is not None:
            parts.append(f"{100 * job.fraction:.0f} %")
        so_far = energies.words(energies.total([*job.energies, *([job.spent] if job.spent else [])]))
        parts += [self.tr("{energy} so far").format(energy=so_far)] if so_far else []
        parts += [self.tr("{size} so far").format(size=film_words.byte_size(job.bytes))] if job.bytes is not None else []
        return " · ".join([*parts, *([job.speed] if job.speed else [])])
