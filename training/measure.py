"""How long one training step takes on this machine, and how much memory, found by taking some over made-up pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.events import Event
from engine.footprint import peak_bytes
from training.data import Pair, Patches
from training.loop import Trainer
from training.memory import keep_freed_memory
from training.models import find_model
from training.networks import device_of, frozen, make_network

if TYPE_CHECKING:
    from training.settings import Settings

WARM_UP_STEPS, LEAST_STEPS = 2, 3
PICTURES, PATCHES_A_SIDE = 4, 4


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """The median time of a step, and the most memory that the process had (or, on CUDA, the device); None where that is unknown.

    ``devices`` are all that could be trained on.
    """

    name = "measured"
    step_seconds: float
    memory_mb: float | None
    device: str
    devices: tuple[str, ...]


def measure(settings: Settings, seconds: float = 3.0) -> Measured:
    """Take steps for about ``seconds``. Raises TrainingError, ConfigError or ModelError where a run would."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    keep_freed_memory()
    device = device_of(settings)
    patch = settings.hr_patch // settings.scale
    patches = Patches(_pairs(settings.scale, patch), settings.scale, patch, settings.batch_size, settings.seed, settings.equal_pictures)
    batches = [torch.from_numpy(patches.draw(0)[0])]
    network = make_network(settings, batches).to(device)
    teacher = frozen(find_model(settings.teacher)).to(device) if settings.teacher else None
    trainer = Trainer(settings.train_config(PICTURES), network, patches, teacher)
    times: list[float] = []
    began = time.monotonic()
    while len(times) < WARM_UP_STEPS + LEAST_STEPS or time.monotonic() - began < seconds:
        before = time.perf_counter()
        trainer.advance()
        times.append(time.perf_counter() - before)
    devices = ("cpu", *(("cuda",) if torch.cuda.is_available() else ()))
    return Measured(float(np.median(times[WARM_UP_STEPS:])), _memory_mb(device), str(device), devices)


def _pairs(scale: int, patch: int) -> list[Pair]:
    draw = np.random.default_rng(0)
    side = PATCHES_A_SIDE * patch
    return [
        Pair(str(number), draw.random((side, side), np.float32), draw.random((side * scale, side * scale), np.float32))
        for number in range(PICTURES)
    ]


def _memory_mb(device: torch.device) -> float | None:
    """The most that was in use, in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_bytes() / 2**20 or None
