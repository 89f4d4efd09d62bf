"""A real window over a real engine's process, for tests."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent

from addersesr_app.app import Application
from addersesr_app.places import Places
from engine import images, weights
from engine.network import NetworkSpec
from engine.picture import Picture

if TYPE_CHECKING:
    from pathlib import Path

SERVE = "import sys; from pathlib import Path; from engine.serve.server import serve; sys.exit(serve([Path(sys.argv[1])]))"
SPECS = {
    "tiny-x2": NetworkSpec(2, 2, 8),
    "adder-x2": NetworkSpec(2, 1, 8, "adder"),
    "other-x3": NetworkSpec(3, 1, 4),
    "slow-x2": NetworkSpec(2, 11, 16),
}
WAIT_MS = 30_000


def store_models(folder, random_model):
    for identity, spec in SPECS.items():
        weights.write(mild(random_model(spec), identity), folder / f"{identity}.safetensors")
    (folder / "catalogue.toml").write_text(f"order = {list(SPECS)}", "utf-8")
    return folder


def mild(model, identity):
    """A random network that changes a picture visibly, but not so much that its result would be refused as damaged."""
    quiet = {name: model.tensors[name] * np.float32(0.2) for name in ("last.weight", "last.bias")}
    return replace(model, id=identity, tensors={**model.tensors, **quiet}, about={"title": identity})


def places_in(folder: Path) -> Places:
    return Places(
        shipped_models=folder / "none",
        user_models=folder / "none",
        calibration=folder / "calibration.json",
        journal=folder / "queue.jsonl",
        log=folder / "log",
        settings=folder / "settings.toml",
    )


def store_photo(path: Path, width: int, height: int, seed: int = 0) -> Path:
    """Blocks of random colours, so that edges are there to be upscaled."""
    small = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    images.write(Picture(np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width].copy()), path)
    return path


def make_application(qapp, home: Path, models: Path, front=None) -> Application:
    return Application(qapp, places_in(home), "dark" if front is None else None, [sys.executable, "-c", SERVE, str(models)], front)


def end_application(qapp, application) -> None:
    """Close the window and let go of all of it, so that the next one is not styled together with it."""
    application.window.close()
    for part in (application.window, application.theme, application):
        part.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def until(qtbot, reached):
    """Let the window live until something is true, for WAIT_MS at most."""
    qtbot.waitUntil(lambda: bool(reached()), timeout=WAIT_MS)


def pixels_of(image):
    """(H, W, 3) RGB of a QImage."""
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()
