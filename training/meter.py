"""Time, throughput and energy of a training run, without its pauses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.power import Measurement, find_meters

if TYPE_CHECKING:
    from training.config import TrainConfig

CORE_WATTS = 8.0
"""Assumed draw of one busy core, for the estimate: between a laptop's 5 and a desktop's 15."""
MULTIPLY_PJ, ADD_PJ = 3.7, 0.9
PASSES = 3
"""A step's arithmetic: the network forwards, and two gradients that cost as much each."""
SMOOTHING = 0.8


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used so far; ``measured_mj`` is None where this machine has no meter, or had none for a while."""

    seconds: float = 0.0
    estimated_mj: float = 0.0
    measured_mj: float | None = 0.0


class Meter:
    """Counts on from what was ``spent`` before."""

    def __init__(self, spent: Spent) -> None:
        self._before = spent
        self._rate: float | None = None
        self.start()

    def start(self) -> None:
        """Count from now on: after a pause."""
        self._since, self._processor_since = time.monotonic(), time.process_time()
        self._lap: tuple[float, int] | None = None
        self._measurement = Measurement(find_meters()[0])

    def stop(self) -> None:
        """A pause begins: what follows, until `start`, does not count."""
        self._before = self.spent()
        self._since, self._processor_since = time.monotonic(), time.process_time()

    def spent(self) -> Spent:
        """Everything until now."""
        measured, before = self._measurement.millijoules(), self._before
        return Spent(
            before.seconds + time.monotonic() - self._since,
            before.estimated_mj + (time.process_time() - self._processor_since) * CORE_WATTS * 1000,
            None if measured is None or before.measured_mj is None else before.measured_mj + measured,
        )

    def steps_per_second(self, step: int) -> float:
        """Throughput since this was last asked, smoothed; 0 before there is anything to tell."""
        now = time.monotonic()
        if self._lap is not None and now > self._lap[0]:
            rate = (step - self._lap[1]) / (now - self._lap[0])
            self._rate = rate if self._rate is None else SMOOTHING * self._rate + (1 - SMOOTHING) * rate
        self._lap = (now, step)
        return self._rate or 0.0


def step_energy_mj(config: TrainConfig) -> float:
    """Arithmetic energy of one training step at 45 nm in mJ: kernel taps of the collapsed network, forwards and backwards."""
    pixels = config.batch * config.patch**2
    picojoules = sum(layer.taps * (2 * ADD_PJ if layer.adder else MULTIPLY_PJ + ADD_PJ) for layer in config.spec.layers)
    return PASSES * pixels * picojoules * 1e-9
