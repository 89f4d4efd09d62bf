"""Networks measured beside one another: quality on a folder, speed on this machine, arithmetic energy. One child at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from addersesr_app.child import Child
from engine import cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.network import NetworkSpec, Precision

SIZE = (640, 360)
"""Input size that speed and energy are given for, in pixels."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One network at one precision: its name for people, its id or file, its shape."""

    name: str
    model: str
    spec: NetworkSpec
    precision: Precision

    @property
    def energy_mj(self) -> float:
        """Arithmetic energy at 45 nm for `SIZE`."""
        return cost.cost(self.spec, *SIZE, self.precision).energy_mj


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured of one contender; ``problem`` says why something is missing."""

    psnr: float | None = None
    ssim: float | None = None
    seconds: float | None = None
    problem: str = ""


class Trial(QObject):
    """Measures contenders in turn. ``measured`` gives the contender's place and a `Verdict`, ``over`` the end."""

    measured = Signal(int, object)
    over = Signal()

    def __init__(self, program: Sequence[str], directory: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._child = Child(program, directory, self)
        self._child.told.connect(self._on_told)
        self._child.ended.connect(self._on_ended)
        self._contenders: tuple[Contender, ...] = ()
        self._data = ""
        self._place, self._timing = 0, False
        self._verdict = Verdict()
        self.going = False

    def start(self, contenders: Sequence[Contender], data: str) -> None:
        """Measure these on the pictures in ``data``."""
        self._contenders, self._data = tuple(contenders), data
        self._place, self._timing, self.going = -1, False, True
        self._next()

    def stop(self) -> None:
        """Measure no more."""
        self._child.stop()
        self.going = False

    def _next(self) -> None:
        self._place += 1
        if self._place >= len(self._contenders):
            self.going = False
            self.over.emit()
            return
        one = self._contenders[self._place]
        self._verdict, self._timing = Verdict(), False
        self._child.start("eval", "--model", one.model, "--precision", one.precision, "--data", self._data)

    def _on_told(self, value: dict[str, Any]) -> None:
        if "psnr" in value:
            self._verdict = Verdict(float(value["psnr"]), float(value["ssim"]))
        for line in value.get("values", ()):
            if line.get("precision") == self._contenders[self._place].precision:
                best = min(float(line["median_ms"]) / 1000, self._verdict.seconds or float("inf"))
                self._verdict = Verdict(self._verdict.psnr, self._verdict.ssim, best)

    def _on_ended(self, _status: int, complaint: str) -> None:
        if complaint:
            self._verdict = Verdict(self._verdict.psnr, self._verdict.ssim, self._verdict.seconds, complaint)
        self.measured.emit(self._place, self._verdict)
        if self._timing or self._verdict.psnr is None:
            self._next()
            return
        self._timing = True
        width, height = SIZE
        self._child.start("bench", "--model", self._contenders[self._place].model, "--width", width, "--height", height)
