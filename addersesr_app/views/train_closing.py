"""Asks what becomes of a run when the window closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QWidget

from addersesr_app.views.controls import Button, column, label, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.theme import Theme


class ClosingDialog(QDialog):
    """``decided`` tells whether the runs are to stop; nothing comes where the window is to stay."""

    decided = Signal(bool)

    def __init__(self, theme: Theme, names: Sequence[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("A training goes on"))
        self.finish = Button(theme, self.tr("Let it finish"), role="primary")
        self.stop = Button(theme, self.tr("Stop and keep"))
        self.stay = Button(theme, self.tr("Stay here"))
        text = label(
            self.tr(
                "{names} can finish without the window; open it again to see how far it is. "
                "Stopped, it keeps what it has learnt and can go on later."
            ).format(names=", ".join(names)),
            wrap=True,
        )
        text.setMinimumWidth(420)
        buttons = row(self.stay, -1, self.stop, self.finish, spacing=10)
        self.setLayout(column(label(self.tr("A training goes on"), "heading"), text, 8, buttons, margins=(24, 20, 24, 20), spacing=10))
        self.finish.setDefault(True)
        self.stay.clicked.connect(self.reject)
        self.finish.clicked.connect(lambda: self._decide(stop=False))
        self.stop.clicked.connect(lambda: self._decide(stop=True))

    def _decide(self, *, stop: bool) -> None:
        self.accept()
        self.decided.emit(stop)
