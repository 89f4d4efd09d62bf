"""Small pictures and small runs for the tests of the training page."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt

from engine.images import write
from engine.picture import Picture
from tests.commands import photo
from training import control
from training.folder import RunFolder
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
WAIT_MS = 150_000
LONG = 10**6
"""Steps of a run that ends only when it is told to, or killed."""


def store_pictures(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir()
    for number in range(first, first + count):
        write(Picture(photo(128, 112, number)), folder / f"{number}.png")
    return folder


def tiny(data: Path, val: Path, name: str = "mine", /, **changes: object) -> Settings:
    return resolve({**TINY, "data": str(data), "val": str(val), "model_name": name, **changes})


def kill(run):
    contact = run.folder.path / control.FILE
    if run.going and contact.exists():
        os.kill(json.loads(contact.read_text())["pid"], signal.SIGKILL)


def click(qtbot, button):
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def until(qtbot, reached):
    qtbot.waitUntil(lambda: bool(reached()), timeout=WAIT_MS)


def stored_run(folder, count, name="mine", **changes):
    """A run's folder as a trainer that was switched off at its last step leaves it."""
    path = folder / name
    path.mkdir(parents=True)
    RunFolder(path).store(tiny(Path("data"), Path("val"), name, **changes))
    begun = {
        "event": "begun",
        "model": name,
        "step": 0,
        "steps": count,
        "pictures": 3,
        "parameters": 1,
        "device": "cpu",
        "bicubic_db": 30.0,
    }
    losses = np.random.default_rng(0).uniform(0.01, 0.02, count).round(5).tolist()
    energy = {"arithmetic_mj": 1.0, "estimated_mj": 2000.0, "measured_mj": None}
    step = {"event": "step", "steps": count, "rate": 1e-3, "steps_per_second": 5.0, "eta_s": 1.0, "seconds": 1.0, "energy": energy}
    with RunFolder(path).events.open("w") as file:
        file.write(json.dumps(begun) + "\n")
        rest = json.dumps(step)[1:]
        file.writelines(f'{{"step": {number}, "loss": {loss}, {rest}\n' for number, loss in enumerate(losses, 1))
        file.write(json.dumps({"event": "validated", "step": count, "psnr": 31.5, "ssim": 0.9, "best": True}) + "\n")
        file.write(json.dumps({"event": "saved", "step": count - 2, "file": "checkpoints/last.pt"}) + "\n")
    return path
