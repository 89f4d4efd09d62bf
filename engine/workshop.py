"""What the tasks of one job share: back ends that are made once and replaced where they fail, meters, and the count of energy."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine import cpu
from engine.backends import choose
from engine.cost import known_cost
from engine.errors import AdderSESRError, BackendError, OutputError
from engine.events import Energy, Event, Progress, Unit, Warned
from engine.kinds import kind_of
from engine.material import trained_for
from engine.network import NetworkSpec
from engine.power import Measurement
from engine.storing import unstorable
from engine.strength import FULL, strength_of
from engine.suited import finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.backends import Backend
    from engine.bench import Calibration
    from engine.foreign import AnyModel
    from engine.jobs import Settings
    from engine.power import Meter
    from engine.selection import Selection

PROGRESS_EVERY_S = 0.05
MOST_WORKERS = 4
"""Frames of a film that are upscaled side by side at most: each takes memory."""


@dataclass
class Workshop:
    """Used by one thread."""

    settings: Settings
    chosen: Selection
    calibration: Calibration | None
    meters: Sequence[Meter]
    _backends: dict[str, Backend] = field(default_factory=dict)
    _workers: dict[str, tuple[Backend, ...]] = field(default_factory=dict)
    _failed: dict[str, set[str]] = field(default_factory=dict)
    _untold: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Make the back end that most tasks need, so that what cannot work is known at once. Raises BackendError."""
        self.backend(self.chosen.nominal)

    def backend(self, model: AnyModel) -> Backend:
        """The back end for ``model``, made at the first call. Raises BackendError."""
        if model.id not in self._backends:
            wanted, measured = self.settings, self.calibration.measured if self.calibration else None
            precision = wanted.precision if wanted.precision in model.precisions else "auto"  # one that suits a file may have another
            self._backends[model.id] = choose.create(
                model, wanted.backend, wanted.device, precision, wanted.threads, measured, self._untold.append
            )
        return self._backends[model.id]

    def workers(self, model: AnyModel) -> tuple[Backend, ...]:
        """Back ends for frames side by side, the processors shared out among them; elsewhere one. Raises BackendError."""
        first, threads = self.backend(model), self.settings.threads or cpu.cores()
        count = min(threads, MOST_WORKERS)
        if first.device != "cpu" or count == 1:
            return (first,)
        if model.id not in self._workers:
            made = (choose.create(model, first.name, first.device, first.precision, threads // count) for _ in range(count))
            self._workers[model.id] = tuple(made)
        return self._workers[model.id]

    def model_for(self, source: Path, width: int, height: int, report: Reporter) -> AnyModel:
        """The network for one file: that for its material, if the user wants no other, and why where it is not the plain one."""
        if self.chosen.fixed:
            return self.chosen.nominal
        found = finding(source)
        model = self.chosen.for_size(width, height, found.material)
        if trained_for(model.id) != "clean":
            strength = strength_of(model)
            how = "" if strength == FULL else f" at {100 * strength:.0f} % of its strength"
            report.warn(f"{model.id} is used{how}. {found.reason}")
        return model

    def made_with(self, source: Path) -> tuple[str, str]:
        """The id of the model that one file will be done with, and the precision. Raises BackendError."""
        chosen = self.chosen
        if chosen.fixed:
            model = chosen.nominal
        else:
            width, height = _size_of(source) if chosen.by_size else (1, 1)
            model = chosen.for_size(width, height, finding(source).material)
        return model.id, self.backend(model).precision

    def fall_back(self, model: AnyModel, error: BackendError, report: Reporter) -> None:
        """Replace the back end that failed on ``model``, or raise ``error`` where there is no other.

        A device is replaced by the CPU; a back end on the CPU by the plainest other one, unless the user chose it.
        """
        failed = self._backends.get(model.id)
        self._workers.pop(model.id, None)
        if failed is None:
            raise error
        before = self._failed.setdefault(model.id, set())
        made = self._backends[model.id] = choose.stand_in(model, failed, error, before, self.settings.backend, self.settings.threads)
        report.warn(f"{failed.name} on {failed.device} failed ({error}): going on with {made.name} on the CPU")

    def ready(self, model: AnyModel, report: Reporter) -> Backend:
        """As `backend`; where something else had to be used than what was asked for, that is said once."""
        made = self.backend(model)
        while self._untold:
            report.warn(self._untold.pop(0))
        return made

    def measurement(self) -> Measurement:
        """Energy from now on."""
        return Measurement(self.meters)

    def energy(self, model: AnyModel, sizes: Sequence[tuple[int, int]], measured: Measurement, repeats: float = 1.0) -> Energy:
        """Energy of running ``model`` on luma planes of these sizes (width, height), all of them ``repeats`` times."""
        return replace(self.predicted_energy(model, sizes, repeats), measured_mj=measured.millijoules())

    def predicted_energy(self, model: AnyModel, sizes: Sequence[tuple[int, int]], repeats: float = 1.0) -> Energy:
        """As `energy`, without what only a meter can tell."""
        backend = self._backends[model.id]
        costs = [known_cost(model.spec, width, height, backend.precision) for width, height in sizes]
        arithmetic = sum(one.energy_mj for one in costs if one is not None)
        estimates = [self._estimate_mj(model, backend, width, height) for width, height in sizes]
        known = [estimate for estimate in estimates if estimate is not None]
        estimated = repeats * sum(known) if len(known) == len(sizes) else None
        return Energy(None if None in costs else repeats * arithmetic, estimated)

    def _estimate_mj(self, model: AnyModel, backend: Backend, width: int, height: int) -> float | None:
        if self.calibration is None or not isinstance(model.spec, NetworkSpec):
            return None
        return self.calibration.estimate_mj(model.spec, backend.name, backend.precision, width, height)


def _size_of(source: Path) -> tuple[int, int]:
    """Width and height of a picture or film; 1 and 1 of what cannot be read, which is told in its turn."""
    try:
        if kind_of(source) == "video":
            from engine.video_source import examine  # noqa: PLC0415 (FFmpeg takes a while to load, and pictures do not need it)

            info = examine(source)
            return info.width, info.height
        from engine import images  # noqa: PLC0415 (as late as a file is opened)

        with images.reading(source) as reading:
            return reading.layout.width, reading.layout.height
    except AdderSESRError:
        return 1, 1


@dataclass
class Reporter:
    """Tells of one input: progress, not too often, and what a person should know."""

    source: str
    emit: Callable[[Event], None]
    unit: Unit = "tile"
    last_told_s: float = 0.0

    def progress(self, done: int, total: int | None, so_far: Callable[[], tuple[Energy | None, int | None]] = lambda: (None, None)) -> None:
        """``done`` of ``total`` units are finished; ``so_far`` gives energy and bytes, and is asked only when something is told."""
        now = time.monotonic()
        if done == total or now - self.last_told_s >= PROGRESS_EVERY_S:
            self.last_told_s = now
            self.emit(Progress(self.source, done, total, self.unit, *so_far()))

    def warn(self, message: str) -> None:
        """Something to know; the work goes on."""
        self.emit(Warned(self.source, message))


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it, and see that files can be made in it. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unstorable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written: no permission to write there; choose another folder")
