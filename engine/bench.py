"""How fast networks run on this machine, measured side by side, and what that predicts for other sizes and networks."""

from __future__ import annotations

import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from engine import cpu
from engine.backends import choose
from engine.errors import BackendError, ModelError, OutputError
from engine.network import NetworkSpec
from engine.power import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.foreign import AnyModel
    from engine.power import Meter

    Run = Callable[[NDArray[np.float32]], object]

FORMAT_VERSION = 1
ROUNDS = 5
SEED = 1
RESAMPLERS = {"bicubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one network took for a luma plane of ``width`` × ``height`` input pixels, over several rounds."""

    backend: str
    model: str
    precision: str
    width: int
    height: int
    median_ms: float
    min_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to be timed. ``spec`` is None for a plain resampler and for somebody else's network."""

    backend: str
    model: str
    precision: str
    spec: NetworkSpec | None
    run: Run


@dataclass(frozen=True, slots=True)
class Rate:
    """The speed of one network on one back end, in nanoseconds an input pixel."""

    backend: str
    precision: str
    spec: NetworkSpec
    ns_a_pixel: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured on ``machine``. ``watts`` is the power while networks ran, None where nothing measures it."""

    machine: str
    rates: tuple[Rate, ...]
    watts: float | None = None

    def seconds(self, spec: NetworkSpec, backend: str, precision: str, width: int, height: int) -> float | None:
        """Predicted time for a luma plane, None where nothing like it was measured.

        Another network's time is taken in proportion to the number of taps, from the nearest one with the same kind of block.
        """
        fitting = [rate for rate in self.rates if (rate.backend, rate.precision) == (backend, precision)]
        if not fitting:
            return None
        nearest = min(fitting, key=lambda rate: _unlikeness(rate.spec, spec))
        return nearest.ns_a_pixel * 1e-9 * width * height * spec.parameters / nearest.spec.parameters

    def soonest(self, spec: NetworkSpec, precision: str, pixels: int) -> float | None:
        """Predicted time for so many input pixels on the back end that is taken without being asked for; None where that is unknown."""
        times = (self.seconds(spec, name, precision, pixels, 1) for name in (kind.name for kind in choose.KINDS))
        return next((seconds for seconds in times if seconds is not None), None)

    def measured(self, spec: NetworkSpec, backend: str, precision: str) -> float | None:
        """Nanoseconds an input pixel of this very network, None where it was not measured: what `choose.create` decides by."""
        wanted = (backend, precision, spec)
        return next((rate.ns_a_pixel for rate in self.rates if (rate.backend, rate.precision, rate.spec) == wanted), None)

    def estimate_mj(self, spec: NetworkSpec, backend: str, precision: str, width: int, height: int) -> float | None:
        """Predicted time times measured power, in mJ; None where either is unknown."""
        seconds = self.seconds(spec, backend, precision, width, height)
        return None if seconds is None or self.watts is None else 1000 * seconds * self.watts


def candidates(
    models: Iterable[AnyModel], backend: str = "auto", threads: int | None = None
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Every network on every back end at every precision that can run here, and for each that cannot the reason.

    ``auto`` stands for all back ends, and adds OpenCV's bicubic and Lanczos for each scale that a network has.
    """
    found: list[Candidate] = []
    reasons: list[str] = []
    names = [info.name for info in choose.found() if info.problem is None] if backend == "auto" else [backend]
    models = tuple(models)
    for model in models:
        for name, precision in ((name, precision) for name in names for precision in model.precisions):
            try:
                made = choose.create(model, name, "auto", precision, threads)
            except (BackendError, ModelError) as error:
                reasons.append(f"{model.id} {precision} on {name}: {error}")
            else:
                spec = model.spec if isinstance(model.spec, NetworkSpec) else None
                found.append(Candidate(name, model.id, precision, spec, made.run))
    if backend == "auto":
        found.extend(resampler(name, scale) for scale in sorted({model.spec.scale for model in models}) for name in RESAMPLERS)
    return tuple(found), tuple(reasons)


def measure(tested: Sequence[Candidate], width: int, height: int, rounds: int = ROUNDS) -> tuple[Timing, ...]:
    """Time every candidate ``rounds`` times after one run to warm up, in turn, so that a slow moment of the machine hits all alike.

    Raises BackendError.
    """
    y_hw = np.random.default_rng(SEED).random((height, width), np.float32)
    for candidate in tested:
        candidate.run(y_hw)
    times_ms = [[_time_ms(candidate, y_hw) for candidate in tested] for _ in range(rounds)]
    return tuple(_timing(candidate, width, height, column) for candidate, column in zip(tested, zip(*times_ms, strict=True), strict=True))


def calibrate(tested: Sequence[Candidate], timings: Sequence[Timing], watts: float | None) -> Calibration:
    """Turn timings into rates. ``watts`` as `Calibration` has it."""
    rates = (
        Rate(timing.backend, timing.precision, candidate.spec, timing.median_ms * 1e6 / (timing.width * timing.height))
        for candidate, timing in zip(tested, timings, strict=True)
        if candidate.spec is not None
    )
    return Calibration(machine(), tuple(rates), watts)


def measure_watts(work: Callable[[], object], meters: Sequence[Meter]) -> float | None:
    """Mean power in W while ``work`` runs, None where nothing measures it."""
    meter, start = Measurement(meters), time.perf_counter()
    work()
    energy_mj = meter.millijoules()
    return None if energy_mj is None else energy_mj / 1000 / (time.perf_counter() - start)


def machine() -> str:
    """What a calibration is valid for: this processor, its number of cores and this system."""
    return f"{cpu.name()}, {cpu.cores()} cores, {platform.system()} {platform.machine()}"


def save(calibration: Calibration, path: Path) -> None:
    """Store a calibration. Raises OutputError."""
    text = json.dumps({"format": FORMAT_VERSION, **asdict(calibration)}, indent=1)
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: the calibration cannot be stored ({error.strerror})") from error


def load(path: Path) -> Calibration | None:
    """The stored calibration, None where there is none for this machine or it cannot be understood."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        calibration = _parse(stored)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return calibration if calibration.machine == machine() else None


def _parse(stored: dict[str, Any]) -> Calibration:
    if stored["format"] != FORMAT_VERSION:
        raise ValueError("unknown format")
    rates = (Rate(rate["backend"], rate["precision"], NetworkSpec(**rate["spec"]), float(rate["ns_a_pixel"])) for rate in stored["rates"])
    watts = stored["watts"]
    return Calibration(str(stored["machine"]), tuple(rates), None if watts is None else float(watts))


def resampler(name: str, scale: int) -> Candidate:
    """OpenCV's ``bicubic`` or ``lanczos``, to compare with."""

    def run(y_hw: NDArray[np.float32]) -> object:
        return cv2.resize(y_hw, None, fx=scale, fy=scale, interpolation=RESAMPLERS[name])

    return Candidate("opencv", f"{name}-x{scale}", "fp32", None, run)


def _time_ms(candidate: Candidate, y_hw: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    candidate.run(y_hw)
    return 1000 * (time.perf_counter() - start)


def _timing(candidate: Candidate, width: int, height: int, times_ms: Sequence[float]) -> Timing:
    median_ms = statistics.median(times_ms)
    return Timing(candidate.backend, candidate.model, candidate.precision, width, height, median_ms, min(times_ms), max(times_ms))


def _unlikeness(known: NetworkSpec, wanted: NetworkSpec) -> tuple[bool, bool, bool, int]:
    """Smaller for a network whose speed says more of another's."""
    return (
        known.block != wanted.block,
        known.f != wanted.f,
        known.activation != wanted.activation,
        abs(known.parameters - wanted.parameters),
    )
