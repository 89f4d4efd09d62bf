"""One file at a time from its input to its output, with back ends that are made once and replaced where they fail."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from engine import images
from engine.backends import choose
from engine.cost import cost
from engine.errors import BackendError, OutputError
from engine.events import Energy, Event, Finished, Progress, Warned
from engine.naming import next_free
from engine.power import Measurement
from engine.rows import Layout
from engine.storing import unstorable
from engine.upscaler import Upscaler, steps_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.backends import Backend
    from engine.bench import Calibration
    from engine.jobs import Settings
    from engine.picture import Picture
    from engine.planning import Task
    from engine.power import Meter
    from engine.selection import Selection
    from engine.weights import Model

PROGRESS_EVERY_S = 0.05


@dataclass
class Workshop:
    """What the tasks of one job share. Used by one thread."""

    settings: Settings
    chosen: Selection
    calibration: Calibration | None
    meters: Sequence[Meter]
    _backends: dict[str, Backend] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the back end that most tasks need, so that what cannot work is known at once. Raises BackendError."""
        self.backend(self.chosen.nominal)

    def backend(self, model: Model) -> Backend:
        """The back end for ``model``, made at the first call. Raises BackendError."""
        if model.id not in self._backends:
            settings = self.settings
            self._backends[model.id] = choose.create(model, settings.backend, settings.device, settings.precision, settings.threads)
        return self._backends[model.id]

    def fall_back(self, model: Model, failed: Backend) -> bool:
        """Replace the back end that failed on ``model`` by the plainest one; False where the user chose it or it is that already."""
        if self.settings.backend != "auto" or (failed.name == choose.PLAINEST and failed.device == "cpu"):
            return False
        self._backends[model.id] = choose.create(model, choose.PLAINEST, "cpu", failed.precision, self.settings.threads)
        return True

    def picture(self, task: Task, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Finished:
        """Upscale one picture file and store the result. Raises AdderSESRError, Cancelled among them."""
        started, meter = time.perf_counter(), Measurement(self.meters)
        make_folder(task.output.parent)
        picture = images.read(task.source)
        model = self.chosen.for_size(picture.width, picture.height)
        size = self.chosen.target.size(picture.width, picture.height, model.spec.scale)
        upscaled = self._upscale(model, picture, size, _Reporter(str(task.source), emit), cancelled)
        output = self._store(upscaled, task.output)
        backend = self._backends[model.id]
        energy = Energy(*self._counted(model, backend, picture, size), meter.millijoules())
        seconds = time.perf_counter() - started
        return Finished(str(task.source), str(output), seconds, model.id, backend.name, backend.precision, energy, *size)

    def _upscale(self, model: Model, picture: Picture, size: tuple[int, int], report: _Reporter, cancelled: Callable[[], bool]) -> Picture:
        """Run the network, on another back end where the chosen one fails."""
        while True:
            backend = self.backend(model)
            try:
                return Upscaler(backend, tile=self.settings.tile).upscale(picture, report.tile, cancelled, size)
            except BackendError as error:
                if not self.fall_back(model, backend):
                    raise
                instead = self._backends[model.id].name
                report.warn(f"{backend.name} on {backend.device} failed ({error}): going on with {instead} on the CPU")

    def _store(self, picture: Picture, output: Path) -> Path:
        """Write to ``output``, or to the next free name where that has been taken since the job was planned."""
        write = partial(images.write, picture, quality=self.settings.quality)
        if self.settings.existing == "overwrite":
            write(output, overwrite=True)
            return output
        while True:
            try:
                write(output)
            except OutputError:
                if self.settings.existing == "skip" or not os.path.lexists(output):
                    raise
                output = next_free(output, os.path.lexists)
            else:
                return output

    def _counted(self, model: Model, backend: Backend, picture: Picture, size: tuple[int, int]) -> tuple[float, float | None]:
        """Arithmetic and estimated energy in mJ of every run of the network that ``size`` takes."""
        spec = model.spec
        factors = [spec.scale**step for step in range(steps_to(Layout.of(picture), size, spec.scale))]
        sizes = [(picture.width * factor, picture.height * factor) for factor in factors]
        arithmetic = sum(cost(spec, width, height, backend.precision).energy_mj for width, height in sizes)
        if self.calibration is None:
            return arithmetic, None
        estimates = [self.calibration.estimate_mj(spec, backend.name, backend.precision, *side) for side in sizes]
        known = [estimate for estimate in estimates if estimate is not None]
        return arithmetic, sum(known) if len(known) == len(sizes) else None


@dataclass
class _Reporter:
    """Turns the upscaler's tile counts into events, not too many a second."""

    source: str
    emit: Callable[[Event], None]
    last_told_s: float = 0.0

    def tile(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self.last_told_s >= PROGRESS_EVERY_S:
            self.last_told_s = now
            self.emit(Progress(self.source, done, total, "tile"))

    def warn(self, message: str) -> None:
        self.emit(Warned(self.source, message))


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it, and see that files can be made in it. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unstorable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written: no permission to write there; choose another folder")
