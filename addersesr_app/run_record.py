"""What a training run has told so far, kept so that it can be drawn: numbers in arrays that grow, everything else by name."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FIRST_ROOM = 1024
SMOOTHING = 0.95
"""Weight of the past in the smoothed loss."""
STEP_START = b'{"event": "step", '
STEP = re.compile(
    rb'^\{"event": "step", "step": (\d+), "steps": \d+, "loss": ([\d.e+-]+), "rate": ([\d.e+-]+), "steps_per_second": ([\d.e+-]+), ', re.M
)
"""A step's line as `training.folder.Journal` writes it; one that looks otherwise is read as any JSON."""
CHECKPOINT = "checkpoints/last.pt"
End = Literal["", "done", "stopped", "failed"]


class Series:
    """Numbers in float64, appended in constant time each."""

    def __init__(self) -> None:
        self._room = np.empty(FIRST_ROOM)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, values: Sequence[float] | NDArray[np.float64]) -> None:
        """Append numbers."""
        end = self._count + len(values)
        while end > len(self._room):
            self._room = np.concatenate([self._room, np.empty_like(self._room)])
        self._room[self._count : end] = values
        self._count = end

    @property
    def values(self) -> NDArray[np.float64]:
        """All of them, as a view that must not be written to."""
        return self._room[: self._count]

    @property
    def last(self) -> float | None:
        """The newest one."""
        return float(self._room[self._count - 1]) if self._count else None


@dataclass(frozen=True, slots=True)
class Validation:
    """One scoring of the averaged weights: dB and SSIM."""

    step: int
    psnr: float
    ssim: float
    best: bool


@dataclass(frozen=True, slots=True)
class Shot:
    """A sample picture: its step and its file's name inside the run's folder."""

    step: int
    file: str


@dataclass(slots=True)
class Record:
    """A run's story. `take` takes the lines of its events, `apply` one event as `training.events` writes it."""

    begun: int = 0
    model: str = ""
    device: str = ""
    pictures: int = 0
    imitated: tuple[int, int] = (0, 0)
    left_out: int = 0
    bicubic_db: float | None = None
    turning_until: int = 0
    step: int = 0
    steps: int = 0
    saved_step: int = 0
    model_file: str = ""
    seconds: float = 0.0
    eta_s: float | None = None
    energy: Mapping[str, float | None] = field(default_factory=dict)
    paused: bool = False
    end: End = ""
    message: str = ""
    at: Series = field(default_factory=Series)
    loss: Series = field(default_factory=Series)
    smooth: Series = field(default_factory=Series)
    rate: Series = field(default_factory=Series)
    speed: Series = field(default_factory=Series)
    validations: list[Validation] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)

    @property
    def best(self) -> Validation | None:
        """The best validation so far."""
        return max(self.validations, key=lambda one: one.psnr, default=None)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take one event; unknown ones are left alone. Raises KeyError, TypeError or ValueError for one that is damaged."""
        take = getattr(self, f"_on_{event['event']}", None)
        if take is not None:
            take(event)

    def _on_checked(self, event: Mapping[str, Any]) -> None:
        self.left_out = int(event["left_out"])

    def _on_imitated(self, event: Mapping[str, Any]) -> None:
        self.imitated = int(event["done"]), int(event["steps"])

    def _on_begun(self, event: Mapping[str, Any]) -> None:
        self.begun += 1
        self.end, self.message, self.paused = "", "", False
        self.model, self.device = str(event["model"]), str(event["device"])
        self.step, self.steps, self.pictures = int(event["step"]), int(event["steps"]), int(event["pictures"])
        self.bicubic_db = event["bicubic_db"]
        self.turning_until = int(event.get("turning_until", 0))

    def take(self, lines: Sequence[bytes]) -> None:
        """Take lines of ``events.jsonl``; a damaged one costs its own event alone.

        Of many steps in a row only the last is read in full, and of the others what is drawn: there may be millions.
        """
        for steps, group in groupby(lines, key=lambda line: line.startswith(STEP_START)):
            some = list(group)
            if steps:
                some = self._take_steps(some)
            for line in some:
                with suppress(ValueError, KeyError, TypeError):
                    self.apply(json.loads(line))

    def _take_steps(self, lines: list[bytes]) -> list[bytes]:
        """Draw what can be read quickly of all but the last line; the lines that are still to be taken."""
        found = STEP.findall(b"\n".join(lines[:-1]))
        if not found or len(found) != len(lines) - 1:
            return lines
        try:
            numbers = np.array([tuple(map(float, one)) for one in found])
        except ValueError:
            return lines
        self._draw(*numbers.T)
        return lines[-1:]

    def _on_step(self, event: Mapping[str, Any]) -> None:
        names = ("step", "loss", "rate", "steps_per_second")
        numbers = [[float(event[name])] for name in names]
        self.seconds, self.eta_s, self.energy = float(event["seconds"]), float(event["eta_s"]), dict(event["energy"])
        self.step, self.steps = int(event["step"]), int(event["steps"])
        self._draw(*map(np.array, numbers))

    def _draw(self, at: NDArray[np.float64], loss: NDArray[np.float64], rate: NDArray[np.float64], speed: NDArray[np.float64]) -> None:
        for series, values in ((self.at, at), (self.loss, loss), (self.rate, rate), (self.speed, speed)):
            series.add(values)
        before, smooth = self.smooth.last, []
        for value in loss.tolist():
            before = value if before is None else SMOOTHING * before + (1 - SMOOTHING) * value
            smooth.append(before)
        self.smooth.add(smooth)

    def _on_validated(self, event: Mapping[str, Any]) -> None:
        self.validations.append(Validation(int(event["step"]), float(event["psnr"]), float(event["ssim"]), bool(event["best"])))

    def _on_sample(self, event: Mapping[str, Any]) -> None:
        self.shots.append(Shot(int(event["step"]), str(event["file"])))

    def _on_saved(self, event: Mapping[str, Any]) -> None:
        file = str(event["file"])
        if file == CHECKPOINT:
            self.saved_step = int(event["step"])
        elif file.endswith(".safetensors"):
            self.model_file = file

    def _on_paused(self, _event: Mapping[str, Any]) -> None:
        self.paused = True

    def _on_resumed(self, _event: Mapping[str, Any]) -> None:
        self.paused = False

    def _on_changed(self, event: Mapping[str, Any]) -> None:
        self.steps = int(event["steps"])

    def _on_finished(self, event: Mapping[str, Any]) -> None:
        self.step, self.end, self.paused = int(event["step"]), event["reason"], False
        self.model_file = str(event["file"])

    def _on_failed(self, event: Mapping[str, Any]) -> None:
        self.end, self.message, self.paused = "failed", str(event["message"]), False
