"""The whole of ``train``: make or reopen the folder, look through the data, run, and write everything down."""

from __future__ import annotations

import tomllib
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import torch

from engine.errors import AdderSESRError, ConfigError, TrainingError
from training import checkpoint, distributed
from training.events import TrainingFailed
from training.folder import Journal, RunFolder, rewind
from training.loop import NotFiniteError
from training.material import Preparation
from training.memory import keep_freed_memory
from training.networks import device_of
from training.runs import Place, Run
from training.settings import Settings, check_names, resolve
from training.tensorboard import Log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.events import Event
    from training.checkpoint import Checkpoint
    from training.control import Control
    from training.distributed import Processes

FIXED = (
    "scale",
    "m",
    "int_features",
    "feature_size",
    "activation",
    "linear_block_type",
    "adder_expansion",
    "optimiser",
    "quant_W",
    "quant_A",
)
"""Settings that a run cannot change once it has begun."""


def begin(folder: RunFolder, given: Mapping[str, Any], *, resume: bool, first: bool = True) -> Settings:
    """Make the folder of a new run, or reopen one with the settings in ``given`` changed. Raises ConfigError, TrainingError.

    Of several processes the ``first`` alone does so; the others just learn the settings.
    """
    if first and folder.running:
        raise TrainingError(f"{folder.path}: a training is going on here already")
    if not resume:
        settings = resolve(given)
        if first:
            folder.create(settings)
        return settings
    stored = folder.settings()
    if folder.last.exists():
        stored = resolve(tomllib.loads(checkpoint.read(folder.last).settings))
    check_names(given)
    for name in FIXED:
        if name in given and given[name] != getattr(stored, name):
            raise ConfigError(f"{name}: a run that has begun keeps its {getattr(stored, name)!r}; start a new run for {given[name]!r}")
    changed = {**asdict(stored), **given}
    if "steps" in given:
        changed["epochs"] = given.get("epochs", 0)
    settings = Settings(**{item.name: changed[item.name] for item in fields(Settings)})
    if first:
        folder.store(settings)
    return settings


def train(folder: RunFolder, settings: Settings, control: Control) -> Iterator[Event]:
    """Train in a folder that `begin` made, from its last checkpoint if it has one. Under ``torchrun`` one process of several.

    Raises AdderSESRError; what went wrong is in the folder's events too.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    keep_freed_memory()
    device = device_of(settings)
    with _together(device) as processes:
        place = Place(folder, device, processes, control)
        if processes.first:
            yield from _recorded(folder, settings, _work(place, settings))
        else:
            for _ in _work(place, settings):
                pass


def _work(place: Place, settings: Settings) -> Iterator[Event]:
    start = _last(place)
    preparation = Preparation(settings, place.folder.path)
    yield from preparation.events()
    yield from Run(place, settings, preparation.material, start).train()


def _last(place: Place) -> Checkpoint | None:
    """The checkpoint to go on from; what was told after it is forgotten. The first process says whether there is one."""
    if place.processes.agree(str(place.folder.last.exists())) == "False":
        return None
    start = checkpoint.read(place.folder.last, place.device)
    if place.processes.first:
        rewind(place.folder, start.step)
    return start


def _recorded(folder: RunFolder, settings: Settings, events: Iterator[Event]) -> Iterator[Event]:
    """The same events, each written down first. A failure is told as the last one."""
    with ExitStack() as stack:
        logs: list[Journal | Log] = []
        try:
            for event in events:
                logs = logs or _logs(folder, settings, stack)
                for log in logs:
                    log.add(event)
                yield event
        except AdderSESRError as error:
            for log in logs or _logs(folder, settings, stack):
                log.add(_failure(folder, error))
            raise


def _logs(folder: RunFolder, settings: Settings, stack: ExitStack) -> list[Journal | Log]:
    """Where events are written down. Made with the first of them, since going on from a checkpoint rewrites the record before."""
    logs: list[Journal | Log] = [Journal(folder), *([Log(folder.path / "tensorboard")] if settings.tensorboard else [])]
    for log in logs:
        stack.callback(log.close)
    return logs


def _failure(folder: RunFolder, error: AdderSESRError) -> TrainingFailed:
    kept = folder.relative(folder.last) if folder.last.exists() else None
    if isinstance(error, NotFiniteError):
        return TrainingFailed(type(error).__name__, f"{error}; last good checkpoint: {kept}", error.step, error.rate, kept)
    return TrainingFailed(type(error).__name__, str(error), checkpoint=kept)


@contextmanager
def _together(device: torch.device) -> Iterator[Processes]:
    processes = distributed.join(device)
    try:
        yield processes
    finally:
        distributed.leave(processes)
