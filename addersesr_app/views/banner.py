"""A line that says what went wrong, where it went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QLabel

from addersesr_app.views.controls import Button, IconButton, label, row

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self.action = Button(theme, self.tr("Mend it"))
        self.action.hide()
        self.action.clicked.connect(self._act)
        self._do: Callable[[], None] | None = None
        line = row(self._icon, self._text, self.action, copy, close, margins=(16, 8, 8, 8), spacing=10)
        line.setStretch(1, 1)
        self.setLayout(line)
        self.hide()

    def text(self) -> str:
        """What is said; empty while hidden."""
        return self._text.text()

    def say_error(self, text: str, action: str = "", do: Callable[[], None] | None = None) -> None:
        """Say what went wrong, with a button for what can be done about it."""
        self._say(text, "warning", "danger")
        self._offer(action, do)

    def say(self, text: str, action: str = "", do: Callable[[], None] | None = None) -> None:
        """Say something that is good to know, with a button for what can be done about it."""
        self._say(text, "check", "accent")
        self._offer(action, do)

    def _offer(self, action: str, do: Callable[[], None] | None) -> None:
        self._do = do
        self.action.setVisible(do is not None)
        if do is not None:
            self.action.setText(action)

    def clear(self) -> None:
        """Say nothing."""
        self._text.clear()
        self.hide()

    def _act(self) -> None:
        do = self._do
        self.clear()
        if do is not None:
            do()

    def _say(self, text: str, icon: str, colour: str) -> None:
        self._icon.setPixmap(self._theme.pixmap(icon, colour, 18, self.devicePixelRatioF()))
        self._text.setText(text)
        self.action.hide()
        self.show()
