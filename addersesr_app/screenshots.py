"""Pictures of every page, light and dark, for the README and for whoever changes a page: `python -m addersesr_app.screenshots OUT`."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QFont, QFontDatabase, QImage

from addersesr_app.app import SAMPLE, Application
from addersesr_app.places import Places, places
from addersesr_app.screenshots_training import picture_training
from addersesr_app.start import make_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from PySide6.QtCore import SignalInstance
    from PySide6.QtWidgets import QApplication

SIZE = (1320, 820)
TIMEOUT_MS = 60_000
FONTS = ("Inter", "Noto Sans", "DejaVu Sans")
PAGES = ("settings", "upscale", "train", "models")
"""The settings first: what they tell of back ends takes a moment to be found, as do the times on the models page."""


def main(out: Path, picture: Path = SAMPLE) -> int:
    """Write ``upscale-light.png``, ``upscale-dark.png`` and so on into ``out``; 1 where the window had a fault, which is told."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = make_app()
    families = QFontDatabase.families()
    app.setFont(QFont(next((name for name in FONTS if name in families), app.font().family())))
    out.mkdir(parents=True, exist_ok=True)
    faults: list[BaseException] = []

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        faults.append(error)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = tell
    with TemporaryDirectory() as home:
        for theme in ("light", "dark"):
            picture_pages(app, own_places(Path(home)), theme, picture, out)
    return 1 if faults else 0


def picture_pages(app: QApplication, where: Places, theme: str, picture: Path, out: Path) -> None:
    """Every page in one theme."""
    application = Application(app, where, theme)
    application.window.resize(*SIZE)
    application.start([picture])
    application.crashes.close()  # nobody is here to read a dialog
    wait(application.session.state_changed, lambda: application.session.state == "done")
    wait(application.session.patch_changed, lambda: application.session.patch is not None)
    for page in PAGES:
        application.window.show_page(page)
        settle(3000 if page in ("settings", "models") else 400)
        application.window.grab().save(str(out / f"{page}-{theme}.png"))
    picture_energy(application, out / f"energy-{theme}.png")
    picture_queue(application, out / f"queue-{theme}.png")
    picture_strength(application, out / f"strength-{theme}.png")
    if find_spec("torch") is not None:
        picture_training(application, picture, where.journal.parent, out, theme)
    application.window.close()


def own_places(home: Path) -> Places:
    """Places below ``home``, so that nothing of the user's is shown or touched."""
    names = {name: home / name for name in ("calibration", "journal", "log", "settings")}
    return places()._replace(user_models=home / "models", **names)


def picture_energy(application: Application, file: Path) -> None:
    """Show where the numbers come from."""
    application.window.show_page("upscale")
    costs = application.upscale_page.costs
    costs.show_sources()
    settle()
    if costs.dialog is not None:
        costs.dialog.grab().save(str(file))
        costs.dialog.accept()


def picture_queue(application: Application, file: Path) -> None:
    """Show a queue in the middle of its work: one picture done, one paused, two waiting."""
    with TemporaryDirectory() as folder:
        names = ("harbour.png", "lighthouse.png", "market.png", "winter.png")
        files = [Path(shutil.copy(SAMPLE, Path(folder) / name)) for name in names]
        application.window.show_page("upscale")
        application.open(files)
        jobs = application.queue.model.jobs
        wait(application.session.patch_changed, lambda: application.session.path == str(files[0]))
        wait(application.queue.model.dataChanged, lambda: all(job.picture is not None for job in jobs))
        application.queue.start()
        wait(application.queue.changed, lambda: jobs[0].state == "done")
        application.queue.pause()
        settle(1500)
        application.window.grab().save(str(file))
        application.queue.remove(list(jobs))
        settle()


def picture_strength(application: Application, file: Path) -> None:
    """Show a picture that compression has spoilt, and the network for such at less than its full strength."""
    network = application.upscale_page.inspector.network
    before = network.models.currentData()
    with TemporaryDirectory() as folder:
        spoilt = Path(folder) / "harbour.jpg"
        QImage(str(SAMPLE)).save(str(spoilt), quality=30)
        application.window.show_page("upscale")
        application.open([spoilt])
        wait(application.session.state_changed, lambda: application.session.path == str(spoilt) and application.session.state == "done")
        network.strength.slider.setValue(network.strength.slider.maximum() * 6 // 10)
        wait(application.session.state_changed, lambda: application.session.state == "done")
        application.upscale_page.view.zoom_to(2.0)
        settle(1500)
        application.window.grab().save(str(file))
        network.strength.slider.setValue(network.strength.slider.maximum())
        network.pick(before)


def wait(signal: SignalInstance, reached: Callable[[], bool]) -> None:
    """Let the window live until ``reached``; ``signal`` tells when to look."""
    loop = QEventLoop()
    connection = signal.connect(lambda: loop.quit() if reached() else None)
    QTimer.singleShot(TIMEOUT_MS, loop.quit)
    if not reached():
        loop.exec()
    signal.disconnect(connection)
    if not reached():
        raise TimeoutError("the window did not get that far")


def settle(milliseconds: int = 400) -> None:
    """Let the window do what it has to."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
