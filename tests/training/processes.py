"""Training in processes that can be killed, started from one that has torch already."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import torch

from training.control import Control
from training.folder import RunFolder
from training.session import begin, train


def train_here(folder: str, given: dict[str, Any] | None) -> None:
    """Begin a run with settings, or go on with the one in the folder, to its end."""
    torch.set_num_threads(1)
    place = RunFolder(Path(folder))
    settings = begin(place, given or {}, resume=given is None)
    with Control(place.path) as control:
        for _ in train(place, settings, control):
            pass


def start(folder: Path, given: dict[str, Any] | None) -> Any:
    """The process that runs `train_here`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.session"])
    process = context.Process(target=train_here, args=(str(folder), given))
    process.start()
    return process
