"""What the running job takes: energy and speed, told file by file and in between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from addersesr_app.energies import estimated_mj
from engine.events import Energy
from engine.serve.protocol import Spent

if TYPE_CHECKING:
    from collections.abc import Callable

    from addersesr_app.queue_model import QueueJob
    from engine.events import Finished


class JobSpending:
    """Keeps a job's account. ``watts`` gives the power that networks draw here, None while unknown."""

    def __init__(self) -> None:
        self.watts: Callable[[], float | None] = lambda: None
        self._now = self._file_began = Spent(0.0, 0.0)

    def begin(self, job: QueueJob) -> None:
        """A job begins, or begins again."""
        self._now = self._file_began = Spent(0.0, 0.0)
        job.spent, job.speed = None, ""

    def finish(self, job: QueueJob, event: Finished) -> None:
        """A file is done: its energy is known, estimated with the power known here where the engine knows none."""
        energy = event.energy
        if energy.estimated_mj is None:
            energy = replace(energy, estimated_mj=estimated_mj(event.seconds, self.watts()))
        job.energies.append(energy)
        job.spent, self._file_began = None, self._now

    def go_on(self, job: QueueJob, event: Spent) -> None:
        """The engine tells what all files of the job took so far."""
        self._now, began = event, self._file_began
        measured = None if event.measured_mj is None else event.measured_mj - (began.measured_mj or 0.0)
        estimated = estimated_mj(event.seconds - began.seconds, self.watts())
        job.spent = None if measured is None and estimated is None else Energy(None, estimated, measured)
        job.speed = _speed(job, event.seconds)


def _speed(job: QueueJob, seconds: float) -> str:
    """Frames or megapixels of input a second; empty while unknown."""
    if seconds <= 0:
        return ""
    if job.unit == "frame":
        return QCoreApplication.translate("JobSpending", "{rate:.1f} frames/s").format(rate=job.done / seconds)
    if job.unit == "file" or job.size is None or not job.fraction:
        return ""
    rate = job.size[0] * job.size[1] * job.fraction / 1e6 / seconds
    return QCoreApplication.translate("JobSpending", "{rate:.2f} MP/s").format(rate=rate)
