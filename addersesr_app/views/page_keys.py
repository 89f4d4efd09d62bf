"""Every action of the first page has a key; F1 shows them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QKeySequence, QShortcut

from addersesr_app.viewport import STEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QComboBox

    from addersesr_app.theme import Theme
    from addersesr_app.views.keys_dialog import KeysDialog
    from addersesr_app.views.queue_view import QueueView
    from addersesr_app.views.upscale_page import UpscalePage

    Keys = list[tuple[str, str, Callable[[], object]]]


class PageKeys(QObject):
    """Keys of ``page`` and of the queue below it."""

    def __init__(self, theme: Theme, page: UpscalePage, queue: QueueView) -> None:
        super().__init__(page)
        self._theme, self._page, self._queue = theme, page, queue
        self.dialog: KeysDialog | None = None
        self._groups = {
            self.tr("LOOK"): self._looking(),
            self.tr("COMPARE"): self._comparing(),
            self.tr("NETWORK AND RESULT"): self._working(),
            self.tr("QUEUE"): self._queueing(),
        }
        for keys in self._groups.values():
            for names, _, action in keys:
                for name in names.split(" / "):
                    QShortcut(QKeySequence(name), page, action)
        QShortcut(QKeySequence("F1"), page, self.show_all)

    def show_all(self) -> None:
        """Show the keys."""
        from addersesr_app.views.keys_dialog import KeysDialog  # noqa: PLC0415 (not before somebody asks)

        shown = [(heading, [(names, text) for names, text, _ in keys]) for heading, keys in self._groups.items()]
        shown[0][1].append(("Left / Right / Up / Down", self.tr("Move the picture")))
        shown[1][1].append(("Space", self.tr("Hold to compare")))
        shown[1][1].append(("Shift+Left / Shift+Right", self.tr("Move the split line")))
        shown[3][1].extend(self._queue.list_keys())
        pages = [
            ("Ctrl+1", self.tr("Upscale")),
            ("Ctrl+2", self.tr("Train")),
            ("Ctrl+3", self.tr("Models")),
            ("Ctrl+4", self.tr("Settings")),
        ]
        others = [("Ctrl+O", self.tr("Open")), ("Ctrl+V", self.tr("Paste")), ("F1", self.tr("These keys"))]
        self.dialog = KeysDialog(self._theme, [*shown, (self.tr("WINDOW"), [*pages, *others])], self._page)
        self.dialog.open()

    def _looking(self) -> Keys:
        view = self._page.view
        return [
            ("0", self.tr("Fit"), view.fit),
            ("1", self.tr("Actual pixels"), lambda: view.zoom_to(1.0)),
            ("2", self.tr("Twice as large"), lambda: view.zoom_to(2.0)),
            ("+ / =", self.tr("Nearer"), lambda: view.zoom_by(STEP)),
            ("-", self.tr("Further"), lambda: view.zoom_by(1 / STEP)),
            ("L", self.tr("Loupe"), self._page.bar.loupe.click),
        ]

    def _comparing(self) -> Keys:
        wanted = self._page.bar.mode_wanted
        return [
            ("D", self.tr("Split line"), lambda: wanted.emit("split")),
            ("B", self.tr("Side by side"), lambda: wanted.emit("side")),
            ("H", self.tr("Hold to compare"), lambda: wanted.emit("hold")),
            ("X", self.tr("Difference"), lambda: wanted.emit("heat")),
            ("N", self.tr("Another left side"), lambda: step(self._page.bar.left)),
        ]

    def _working(self) -> Keys:
        page = self._page
        network, output = page.inspector.network, page.inspector.output
        return [
            ("M", self.tr("Next network"), lambda: step(network.models)),
            ("F", self.tr("Next factor"), network.scales.choose_next),
            ("P", self.tr("Next precision"), network.precisions.choose_next),
            ("[", self.tr("Weaker"), lambda: network.strength.step(-1)),
            ("]", self.tr("Stronger"), lambda: network.strength.step(1)),
            ("Ctrl+B", self.tr("Best network within…"), page.budget.limit.setFocus),
            ("E", self.tr("Cost and energy"), page.costs.show_sources),
            ("Ctrl+F", self.tr("Format"), output.format.setFocus),
            ("Ctrl+Return", self.tr("Upscale"), page.inspector.upscale_wanted.emit),
            ("Esc", self.tr("Cancel"), page.inspector.cancel_wanted.emit),
            ("Ctrl+S", self.tr("Save"), page.save),
            ("Ctrl+Shift+S", self.tr("Save as…"), page.save_as),
        ]

    def _queueing(self) -> Keys:
        queue = self._queue
        return [
            ("Ctrl+R", self.tr("Start or pause"), queue.start_or_pause),
            ("Ctrl+Shift+R", self.tr("Retry failed"), queue.retry.click),
            ("Ctrl+Shift+Del", self.tr("Remove what has ended"), queue.clear.click),
            ("Ctrl+L", self.tr("Go to the list"), queue.list.setFocus),
        ]


def step(box: QComboBox) -> None:
    """Pick the next of a list, after the last one the first, as a person would."""
    if box.count():
        box.setCurrentIndex((box.currentIndex() + 1) % box.count())
        box.activated.emit(box.currentIndex())
