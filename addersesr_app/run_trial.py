"""Networks measured beside one another: quality on a folder, speed on this machine, energy. One child at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from addersesr_app.child import Child
from engine import cost
from engine.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.network import Precision, Spec

SIZE = (640, 360)
"""Input size that speed and energy are given for, in pixels."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One network at one precision: its name for people, its id or file, its shape; None for bicubic, which has ``options``."""

    name: str
    model: str
    spec: Spec | None
    precision: Precision
    options: tuple[str, ...] = ()

    @property
    def energy_mj(self) -> float | None:
        """Arithmetic energy at 45 nm for `SIZE`; None where it is unknown."""
        known = None if self.spec is None else cost.known_cost(self.spec, *SIZE, self.precision)
        return None if known is None else known.energy_mj

    @property
    def block(self) -> Literal["convolution", "adder", "other"]:
        """What its layers are; ``other`` for somebody else's network."""
        return self.spec.block if isinstance(self.spec, NetworkSpec) else "other"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured of one contender; ``problem`` says why something is missing."""

    psnr: float | None = None
    ssim: float | None = None
    seconds: float | None = None
    problem: str = ""


class Trial(QObject):
    """Measures contenders in turn. ``measured`` gives a contender's place and a `Verdict`, ``over`` comes at the end."""

    measured = Signal(int, object)
    over = Signal()

    def __init__(self, program: Sequence[str], directory: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._child = Child(program, directory, self)
        self._child.told.connect(self._on_told)
        self._child.ended.connect(self._on_ended)
        self._contenders: tuple[Contender, ...] = ()
        self._verdicts: list[Verdict] = []
        self._place, self._data = 0, ""
        self._crops: TemporaryDirectory[str] | None = None

    @property
    def going(self) -> bool:
        """Whether something is being measured."""
        return self._child.running

    def start(self, contenders: Sequence[Contender], data: str) -> None:
        """Measure these on the pictures in ``data``."""
        self.stop()
        self._contenders, self._verdicts = tuple(contenders), [Verdict() for _ in contenders]
        self._crops = TemporaryDirectory(prefix="addersesr-")
        self._place, self._data = -1, data
        self._next()

    def crops(self, place: int) -> Path:
        """Where the middles of the pictures are kept as one contender makes them (`engine.crops`), until the next `start`."""
        assert self._crops is not None
        return Path(self._crops.name) / str(place)

    def stop(self) -> None:
        """Measure no more, and forget the pictures."""
        self._child.stop()
        if self._crops is not None:
            self._crops.cleanup()
            self._crops = None

    def _next(self) -> None:
        self._place += 1
        if self._place >= len(self._contenders):
            self.over.emit()
            return
        one, size = self._contenders[self._place], "x".join(map(str, SIZE))
        words = ("--precision", one.precision, "--data", self._data, "--crops", self.crops(self._place), "--timed", size, *one.options)
        self._child.start("eval", "--model", one.model, *words)

    def _on_told(self, value: dict[str, Any]) -> None:
        if "psnr" in value:
            seconds = float(value["timed"]["median_ms"]) / 1000
            self._verdicts[self._place] = Verdict(float(value["psnr"]), float(value["ssim"]), seconds)

    def _on_ended(self, _status: int, complaint: str) -> None:
        if complaint:
            self._verdicts[self._place] = Verdict(problem=complaint)
        self.measured.emit(self._place, self._verdicts[self._place])
        self._next()
