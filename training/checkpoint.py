"""Checkpoints: one file each, written aside and renamed, read without running anything that the file may hold."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from engine.errors import TrainingError
from engine.storing import aside

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 3
UNREADABLE = (
    *(OSError, EOFError, RuntimeError, LookupError, TypeError, ValueError, AttributeError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)
"""What torch.load raises for files that are none of its own, or damaged."""


@dataclass(frozen=True)
class Progress:
    """What a run remembers beside its weights: losses not yet told, time and energy spent, the best validation so far."""

    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    measured_mj: float | None = 0.0
    estimated_mj: float = 0.0
    best_db: float | None = None
    best_step: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A run at one step: all that it needs to go on to the bit. ``settings`` is its `Settings` as TOML."""

    settings: str
    trainer: dict[str, Any]
    progress: Progress

    @property
    def step(self) -> int:
        """Steps that were taken."""
        return int(self.trainer["step"])


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Store a checkpoint; a crash leaves the one that was there. Raises OutputError."""
    record = {"format": FORMAT, "settings": checkpoint.settings, "trainer": checkpoint.trainer, "progress": asdict(checkpoint.progress)}
    with aside(path, overwrite=True) as temporary:
        torch.save(record, temporary)


def read(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """A checkpoint's content, its tensors on ``device``. Raises TrainingError if it is damaged, unknown or missing."""
    try:
        record = torch.load(path, map_location=device, weights_only=True)
        if record["format"] != FORMAT:
            raise TrainingError(f"{path}: checkpoint format {record['format']!r} is unknown; this version reads format {FORMAT}")
        progress = record["progress"]
        return Checkpoint(record["settings"], record["trainer"], Progress(**{**progress, "losses": tuple(progress["losses"])}))
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"{path}: not a checkpoint that can be read ({reason})") from error
