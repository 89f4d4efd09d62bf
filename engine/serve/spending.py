"""What a piece of work has taken so far: told while it goes on, for whoever watches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.events import Event, Progress
from engine.power import Measurement
from engine.serve.protocol import Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.power import Meter

TELL_EVERY_S = 0.4


class Stopwatch:
    """Takes the time that work takes, without that for which ``cancelled`` holds it."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._start = time.perf_counter()

    def cancelled(self) -> bool:
        """Ask, with the watch stopped."""
        asked = time.perf_counter()
        answer = self._cancelled()
        self._start += time.perf_counter() - asked
        return answer

    def seconds(self) -> float:
        """The time taken so far."""
        return time.perf_counter() - self._start


class Spending:
    """Passes a job's events on and, beside its progress, tells what was spent; ``cancelled`` is to be asked in place of the given one."""

    def __init__(self, meters: Sequence[Meter], tell: Callable[[Event], None], cancelled: Callable[[], bool]) -> None:
        self._tell = tell
        self._watch = Stopwatch(cancelled)
        self._measured = Measurement(meters)
        self._told_s = 0.0
        self.cancelled = self._watch.cancelled

    @property
    def seconds(self) -> float:
        """The time taken so far, pauses left out."""
        return self._watch.seconds()

    def measured_mj(self) -> float | None:
        """What the meters counted so far, pauses among it; None where nothing measures."""
        return self._measured.millijoules()

    def tell(self, event: Event) -> None:
        """Pass ``event`` on."""
        self._tell(event)
        if isinstance(event, Progress) and self.seconds - self._told_s >= TELL_EVERY_S:
            self._told_s = self.seconds
            self._tell(Spent(self._told_s, self.measured_mj()))
