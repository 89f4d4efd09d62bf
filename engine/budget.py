"""The best network within a time or an energy: predicted from this machine's speed, and its estimated or measured power.

Arithmetic energy (45 nm) is never weighed here: a computer draws orders of magnitude more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.bench import Calibration
    from engine.catalogue import Entry

JUDGED_BY = "Set5"
_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_MILLIJOULES = {"mj": 1.0, "j": 1e3, "kj": 1e6, "mwh": 3.6e3, "wh": 3.6e6, "kwh": 3.6e9}
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Budget:
    """What the work may take; None is no limit. At least one is given."""

    seconds: float | None = None
    energy_mj: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.energy_mj is None:
            raise ValueError("a budget has a time or an energy")

    def holds(self, option: Option) -> bool:
        """Whether ``option`` stays within; one whose energy is not known does not stay within an energy."""
        in_time = self.seconds is None or option.seconds <= self.seconds
        return in_time and (self.energy_mj is None or (option.energy_mj is not None and option.energy_mj <= self.energy_mj))


@dataclass(frozen=True, slots=True)
class Option:
    """A network for the work: its predicted time, its energy (estimated or measured; None: unknown), and its quality."""

    model: str
    precision: str
    psnr: float | None
    seconds: float
    energy_mj: float | None


def parse(text: str) -> Budget:
    """A budget such as ``2 min``, ``5 Wh`` or ``1 h 30 min, 20 kJ``. Raises UsageError."""
    seconds, energy_mj = 0.0, 0.0
    rest = _PART.sub("", text).strip(" ,;")
    parts = _PART.findall(text)
    for number, unit in parts:
        value, known = float(number.replace(",", ".")), unit.lower()
        if known in _SECONDS:
            seconds += value * _SECONDS[known]
        elif known in _MILLIJOULES:
            energy_mj += value * _MILLIJOULES[known]
        else:
            rest = f"{number} {unit}"
    if rest or seconds + energy_mj <= 0:
        raise UsageError(f"{rest or text or 'nothing'}: not a budget; give a time or an energy, such as “2 min” or “5 Wh”")
    return Budget(seconds or None, energy_mj or None)


def best(options: Iterable[Option], budget: Budget) -> Option | None:
    """The option of the highest quality that stays within ``budget``, of two alike the quicker one; None where none does."""
    fitting = [option for option in options if budget.holds(option)]
    return max(fitting, key=_merit, default=None)


def cheapest(options: Sequence[Option], budget: Budget) -> Option | None:
    """The option that takes least of what is short: energy where that is limited and known, else time."""
    known = [option for option in options if budget.energy_mj is None or option.energy_mj is not None]
    return min(known, key=lambda option: (option.energy_mj or 0.0) if budget.energy_mj is not None else option.seconds, default=None)


def _merit(option: Option) -> tuple[float, float]:
    return (-1.0 if option.psnr is None else option.psnr, -option.seconds)


def options(entries: Iterable[Entry], calibration: Calibration, pixels: int, scale: int, precision: str = "auto") -> list[Option]:
    """What each of our own networks of this scale would take for so many input pixels, as far as this machine's speed is known."""
    found = []
    for entry in entries:
        spec = entry.model.spec
        if not isinstance(spec, NetworkSpec) or spec.scale != scale:
            continue
        for form in entry.model.precisions:
            seconds = calibration.soonest(spec, form, pixels) if precision in ("auto", form) else None
            if seconds is not None:
                energy_mj = None if calibration.watts is None else 1000 * seconds * calibration.watts
                found.append(Option(entry.model.id, form, entry.figures(form)[0].get(JUDGED_BY), seconds, energy_mj))
    return found
