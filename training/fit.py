"""Fitting a small network to somebody's own pictures or clips, in minutes, on the computer at hand.

The material is its own teacher: scaled down it gives pairs. A fifth is held out; the network's
kernels are trained on the rest by SOAP until the time is up, and kept only if it does better on what was held out.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from engine import weights
from engine.errors import DataError, PictureError, TrainingError, VideoError
from engine.events import Energy
from engine.kinds import kind_of
from engine.resize import imresize
from engine.strength import with_plain
from training.clips import sample_frames
from training.config import TrainConfig
from training.data import Pair, Patches, make_pair
from training.events import Begun, Fitted, Problem, Saved, Step, Validated
from training.loop import Trainer
from training.memory import keep_freed_memory
from training.meter import Meter, Spent, step_energy_mj
from training.network import build
from training.networks import begin_from
from training.sources import Source, material_files
from training.validate import averaged, bicubic_upscale, centre, runner, score

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from engine.events import Event
    from engine.weights import Model
    from training.network import FloatNetwork

BATCH, PATCH, LEAST_PATCH = 16, 32, 16
RATE, EMA, WARM_UP = 5e-3, 0.995, 20
HELD_EVERY, HELD_AT = 5, 2
"""Of five pictures or more the third of each five is held out; of fewer, a fifth of each."""
GAP = 4
"""Low-resolution pixels between the two parts of a picture that is split, which neither has: what the cubic mixes across."""
MOST_SCORED, SCORED_SIDE = 12, 320
"""Held-out pictures that are scored, and the side in low-resolution pixels that is scored of each."""
TELL_S = 1.0
EARLIEST = 0.02
"""Part of the time before which the number of steps is not yet estimated."""
STATISTICS_BATCHES, STATISTICS_STEP = 8, 1 << 40
SMALLEST_GAIN_DB = 0.01
FIGURES = ("psnr", "ssim", "int8", "figures")
"""What a card says that holds for the weights it was measured with alone."""


@dataclass(frozen=True)
class Fit:
    """What is asked for: fit ``model`` to ``inputs`` (pictures, clips, folders) within ``minutes``, ``extra`` pictures mixed in.

    With ``steps`` it takes that many steps instead, however long they take, and gives the same every time.
    """

    inputs: Sequence[Path]
    model: Model
    output: Path
    minutes: float = 3.0
    extra: Sequence[Path] = field(default_factory=tuple)
    seed: int = 0
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 24 * 60:
            raise ValueError(f"minutes must lie between 0 and 1440, not {self.minutes}")

    def events(self) -> Iterator[Event]:
        """Fit, telling how it goes. Raises DataError where there is too little material, PictureError, VideoError, ModelError."""
        started, scale = time.monotonic(), self.model.spec.scale
        train, held = split((yield from pairs_of(self.inputs, scale)))
        extra = yield from pairs_of(self.extra, scale)
        train += [pair for pair in extra if min(pair.lr.shape) >= LEAST_PATCH]
        scored = [centre(pair, scale, SCORED_SIDE) for pair in spread(held, MOST_SCORED)]
        fitting = Fitting(self, train, scored)
        before = fitting.score()
        yield Begun(self.model.id, 0, 0, len(train), self.model.spec.parameters, "cpu", score(bicubic_upscale(scale), scored, scale).psnr)
        yield Validated(0, *before, best=True)
        yield from fitting.train(started + 60 * self.minutes)
        after = fitting.score()
        yield Validated(fitting.step, *after, best=after[0] > before[0])
        if after[0] < before[0] + SMALLEST_GAIN_DB:
            yield Fitted(before[0], after[0], None)
            return
        weights.write(self._result(fitting, before[0], after[0]), self.output)
        yield Saved(fitting.step, str(self.output))
        yield Fitted(before[0], after[0], str(self.output))

    def _result(self, fitting: Fitting, before_db: float, after_db: float) -> Model:
        """The fitted model; the figures of the one that it came from no longer hold for it."""
        about = {key: value for key, value in self.model.about.items() if key not in FIGURES}
        about |= {
            "training": f"{about.get('training') or self.model.id}; then {fitting.step:,} steps on one's own pictures or clips",
            "title": f"{self.output.stem} (fitted from {self.model.id})",
            "fitted": {"from": self.model.id, "before_db": before_db, "after_db": after_db, "steps": fitting.step},
        }
        return with_plain(weights.Model(self.output.stem, self.model.spec, fitting.collapsed(), about=about), self.model)


class Fitting:
    """A network on its way from the stock weights to the material's."""

    def __init__(self, fit: Fit, train: Sequence[Pair], scored: Sequence[Pair]) -> None:
        spec = fit.model.spec
        patch = min(PATCH, *(side for pair in train for side in pair.lr.shape))
        patches = Patches(train, spec.scale, patch, BATCH, fit.seed)
        self._scored = scored
        self._batches = [torch.from_numpy(patches.draw(STATISTICS_STEP + i)[0]) for i in range(STATISTICS_BATCHES)]
        keep_freed_memory()
        torch.manual_seed(fit.seed)
        self._network: FloatNetwork = build(spec, expansion=0)
        begin_from(self._network, fit.model, self._batches)
        config = TrainConfig(
            spec, 0, optimiser="soap", batch=BATCH, patch=patch, rate=RATE, warm_up=WARM_UP, ema=EMA, seed=fit.seed, steps=fit.steps or 1
        )
        self._steps = fit.steps
        self._trainer = Trainer(config, self._network, patches)

    @property
    def step(self) -> int:
        """Steps that were taken."""
        return self._trainer.step

    def score(self) -> tuple[float, float]:
        """PSNR in dB and SSIM of the averaged network on what was held out."""
        result = score(runner(self._averaged()), self._scored, self._trainer.config.spec.scale)
        return result.psnr, result.ssim

    def collapsed(self) -> dict[str, Any]:
        """The averaged network's weights."""
        return self._averaged().collapse()

    def train(self, deadline: float) -> Iterator[Event]:
        """Train until ``deadline`` (of the monotonic clock); the rate falls to zero just then, however fast the steps are."""
        trainer, start, meter = self._trainer, time.monotonic(), Meter(Spent())
        told = start
        losses: list[float] = []
        while True:
            now = time.monotonic()
            if (now >= deadline) if self._steps is None else (trainer.step >= self._steps):
                return
            if self._steps is None:
                done = max((now - start) / (deadline - start), EARLIEST)
                trainer.config = replace(trainer.config, steps=max(trainer.step + 1, math.ceil(trainer.step / done)))
            losses.append(trainer.advance())
            if now - told >= TELL_S:
                yield self._told(meter, losses, deadline)
                told, losses = now, []

    def _told(self, meter: Meter, losses: list[float], deadline: float) -> Step:
        trainer, spent = self._trainer, meter.spent()
        return Step(
            step=trainer.step,
            steps=trainer.config.steps,
            loss=sum(losses) / len(losses),
            rate=trainer.rate,
            steps_per_second=meter.steps_per_second(trainer.step) or trainer.step / max(spent.seconds, 1e-9),
            eta_s=max(0.0, deadline - time.monotonic()),
            seconds=spent.seconds,
            energy=Energy(trainer.step * step_energy_mj(trainer.config), spent.estimated_mj, spent.measured_mj),
        )

    def _averaged(self) -> FloatNetwork:
        return averaged(self._network, self._trainer.average, self._batches)


def pairs_of(inputs: Sequence[Path], scale: int) -> Generator[Problem, None, list[Pair]]:
    """Pairs of every picture, and of frames of every clip, that the inputs name or hold.

    A file of a folder that cannot be read is left out and told; one that was named raises PictureError, VideoError or DataError.
    """
    pairs: list[Pair] = []
    for path in inputs:
        if not path.is_dir():
            pairs += _pairs(path, scale)
            continue
        for file in material_files(path):
            try:
                pairs += _pairs(file, scale)
            except (PictureError, VideoError, DataError) as error:
                yield Problem(str(file), "unusable", str(error))
    return pairs


def split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """(training, held out). Raises DataError where too little is left for either."""
    pairs = [pair for pair in pairs if min(pair.lr.shape) >= LEAST_PATCH]
    if len(pairs) >= HELD_EVERY:
        held = pairs[HELD_AT::HELD_EVERY]
        return [pair for index, pair in enumerate(pairs) if index % HELD_EVERY != HELD_AT], held
    halves = [halves for pair in pairs if (halves := _halves(pair))]
    if not halves:
        least = HELD_EVERY * (LEAST_PATCH + GAP)
        raise DataError(f"too little to fit to: at least {least}×{LEAST_PATCH} pixels times the scale are needed, or five smaller pictures")
    return [train for train, _ in halves], [held for _, held in halves]


def spread(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most ``most`` of the pairs, evenly."""
    indices = np.unique(np.linspace(0, len(pairs) - 1, most).astype(int))
    return [pairs[index] for index in indices]


def _pairs(file: Path, scale: int) -> Iterator[Pair]:
    try:
        film = kind_of(file) == "video"
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    if not film:
        yield Pair(file.name, *make_pair(Source(file.stem, file), scale))
        return
    for number, luma in enumerate(sample_frames(file)):
        height, width = luma.shape[0] // scale, luma.shape[1] // scale
        hr = np.ascontiguousarray(luma[: height * scale, : width * scale])
        yield Pair(f"{file.name}#{number}", np.clip(imresize(hr, height, width), 0, 1), hr)


def _halves(pair: Pair) -> tuple[Pair, Pair] | None:
    """Four fifths and one fifth of a picture, across its longer side; None where it is too small for that."""
    scale = pair.hr.shape[0] // pair.lr.shape[0]
    low, high = (pair.lr, pair.hr) if pair.lr.shape[0] >= pair.lr.shape[1] else (pair.lr.T, pair.hr.T)
    cut = len(low) * (HELD_EVERY - 1) // HELD_EVERY
    if len(low) - cut - GAP < LEAST_PATCH or cut < LEAST_PATCH:
        return None
    first = Pair(pair.name, np.ascontiguousarray(low[:cut]), np.ascontiguousarray(high[: cut * scale]))
    second = Pair(pair.name, np.ascontiguousarray(low[cut + GAP :]), np.ascontiguousarray(high[(cut + GAP) * scale :]))
    return first, second


def check_output(output: Path, *, overwrite: bool) -> None:
    """Raise TrainingError where the result could not be stored, before minutes are spent."""
    if output.suffix != ".safetensors":
        raise TrainingError(f"{output}: a model's name must end in .safetensors")
    if output.exists() and not overwrite:
        raise TrainingError(f"{output}: exists already; choose another name or give --overwrite")
    if not output.parent.is_dir():
        raise TrainingError(f"{output.parent}: no such folder")
