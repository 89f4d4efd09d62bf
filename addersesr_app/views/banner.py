"""A line that says what went wrong, where it went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QLabel

from addersesr_app.views.controls import IconButton, label, row

if TYPE_CHECKING:
    from addersesr_app.theme import Theme


class Banner(QFrame):
    """Hidden until there is something to say; can be copied and closed."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("toolbar")
        self._theme = theme
        self._icon = QLabel()
        self._text = label("", wrap=True, selectable=True)
        copy = IconButton(theme, "copy", self.tr("Copy the message"))
        close = IconButton(theme, "cancel", self.tr("Close the message"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text()))
        close.clicked.connect(self.clear)
        line = row(self._icon, self._text, copy, close, margins=(16, 8, 8, 8), spacing=10)
        line.setStretch(1, 1)
        self.setLayout(line)
        self.hide()

    def text(self) -> str:
        """What is said; empty while hidden."""
        return self._text.text()

    def say_error(self, text: str) -> None:
        """Say what went wrong."""
        self._say(text, "warning", "danger")

    def say(self, text: str) -> None:
        """Say something that is good to know."""
        self._say(text, "check", "accent")

    def clear(self) -> None:
        """Say nothing."""
        self._text.clear()
        self.hide()

    def _say(self, text: str, icon: str, colour: str) -> None:
        self._icon.setPixmap(self._theme.pixmap(icon, colour, 18, self.devicePixelRatioF()))
        self._text.setText(text)
        self.show()
