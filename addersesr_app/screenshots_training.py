"""Pictures of the training page: a network set up, and a short training watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QImage

from training.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PySide6.QtCore import SignalInstance

    from addersesr_app.app import Application
    from addersesr_app.run_client import RunClient

SIDE = 160
RUN = {
    "preset": "m3",
    "m": 2,
    "int_features": 8,
    "feature_size": 32,
    "hr_patch": 48,
    "batch_size": 4,
    "steps": 600,
    "learning_rate": 2e-3,
    "log_every": 2,
    "validate_every": 40,
    "device": "cpu",
    "threads": 1,
    "model_name": "my-sesr-m2-x2",
}
PATIENCE_MS = 400_000


def picture_training(application: Application, source: Path, home: Path, out: Path, theme: str) -> None:
    """Write ``train-network-THEME.png`` and ``train-watch-THEME.png``; the pictures to train on are cut out of ``source``."""
    train, valid = home / "pictures", home / "held-out"
    if not train.exists():
        cut(source, train, valid)
    application.window.show_page("train")
    assert application.training is not None
    page = application.training.page
    page.show_setup()
    page.setup.data.give(train)
    wait(page.setup.data.changed, lambda: page.setup.data.ready)
    page.setup.show_step("network")
    application.window.grab().save(str(out / f"train-network-{theme}.png"))
    run = next(iter(page.runs.clients), None) or begin(application, source, train, valid)
    wait(run.state_changed, lambda: run.state == "done")
    page.show_run(run)
    page.refresh()
    settle()
    application.window.grab().save(str(out / f"train-watch-{theme}.png"))


def begin(application: Application, source: Path, train: Path, valid: Path) -> RunClient:
    """A short training."""
    assert application.training is not None
    return application.training.runs.add(resolve({**RUN, "data": str(train), "val": str(valid), "sample": str(source)}))


def cut(source: Path, train: Path, valid: Path) -> None:
    """Squares of a picture: one to validate on, the others to train on."""
    image = QImage(str(source))
    corners = [(x, y) for y in range(0, image.height() - SIDE + 1, SIDE) for x in range(0, image.width() - SIDE + 1, SIDE)]
    for folder in (train, valid):
        folder.mkdir(parents=True)
    for number, (x, y) in enumerate(corners):
        image.copy(x, y, SIDE, SIDE).save(str((train if number else valid) / f"{number}.png"))


def settle(milliseconds: int = 600) -> None:
    """Let the window lay itself out."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait(signal: SignalInstance, reached: Callable[[], bool]) -> None:
    """Let the window live until ``reached``; ``signal`` tells when to look."""
    loop = QEventLoop()
    connection = signal.connect(lambda *_: loop.quit() if reached() else None)
    QTimer.singleShot(PATIENCE_MS, loop.quit)
    if not reached():
        loop.exec()
    signal.disconnect(connection)
    if not reached():
        raise TimeoutError("the training did not get that far")
