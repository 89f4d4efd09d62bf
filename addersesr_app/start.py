"""The first moment: a window that is seen before all that stands behind it is loaded."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtWidgets import QApplication

from addersesr_app import glance
from addersesr_app.places import places
from addersesr_app.theme import Theme
from addersesr_app.views.main_window import MainWindow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from addersesr_app.app import Application
    from addersesr_app.places import Places


class Front(NamedTuple):
    """What is there first."""

    theme: Theme
    window: MainWindow


def make_app() -> QApplication:
    """Qt's application object. The style is an argument since setting one later would load it twice, and its enumerations."""
    app = QApplication.instance() or QApplication([*sys.argv[:1], "-style", "Fusion"])
    assert isinstance(app, QApplication)
    app.setApplicationName("addersesr")
    app.setApplicationDisplayName("AdderSESR")
    return app


def make_front(app: QApplication, where: Places, theme: str | None = None) -> Front:
    """The window without its pages; ``theme`` overrules the one that it had last."""
    last = glance.load(where.glance)
    chosen = Theme(app, theme or last.theme)
    return Front(chosen, MainWindow(chosen, (last.width, last.height)))


def main(files: Sequence[Path] = (), theme: str | None = None, page: str = "upscale") -> int:
    """Open the window with ``files`` and give its exit status."""
    app = make_app()
    where = places()
    front = make_front(app, where, theme)
    furnished: list[Application] = []

    def furnish() -> None:
        from addersesr_app.app import Application  # noqa: PLC0415 (this is what takes its time)

        furnished.append(Application(app, where, theme, front=front))
        furnished[0].start(files, page)
        gc.freeze()
        gc.enable()

    front.window.seen.connect(furnish)
    front.window.show_page(page)
    front.window.show()
    return int(app.exec())
