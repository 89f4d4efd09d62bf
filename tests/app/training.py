"""Small pictures and small runs for the tests of the training page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.images import write
from engine.picture import Picture
from tests.commands import photo
from training.settings import resolve

if TYPE_CHECKING:
    from training.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PROGRAM = (sys.executable, "-m", "addersesr_app")
TINY = {
    "preset": "m3",
    "m": 1,
    "int_features": 4,
    "feature_size": 8,
    "hr_patch": 32,
    "batch_size": 2,
    "steps": 12,
    "log_every": 1,
    "save_every": 4,
    "validate_every": 6,
    "threads": 1,
    "device": "cpu",
}
LONG = 10**6
"""Steps of a run that ends only when it is told to, or killed."""


def store_pictures(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir()
    for number in range(first, first + count):
        write(Picture(photo(128, 112, number)), folder / f"{number}.png")
    return folder


def tiny(data: Path, val: Path, name: str = "mine", **changes: object) -> Settings:
    return resolve({**TINY, "data": str(data), "val": str(val), "model_name": name, **changes})
