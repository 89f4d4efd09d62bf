"""The pages, down the left edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QLabel, QSizePolicy, QToolButton

from addersesr_app.views.controls import column, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.theme import Theme

WIDTH, HEIGHT = 84, 58
TEXT_UNDER_ICON = 3
"""Qt.ToolButtonStyle.ToolButtonTextUnderIcon, by its number (see `addersesr_app.theme`)."""


class Rail(QFrame):
    """One button a page, with Ctrl+1 and so on. ``chosen`` tells the page that a person wants."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, pages: Sequence[tuple[str, str]]) -> None:
        """``pages`` are (name, text) pairs; an icon has its page's name."""
        super().__init__()
        self.setObjectName("rail")
        self.setMinimumWidth(WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._theme = theme
        self._group = QButtonGroup(self)
        self._buttons = {name: self._button(name, text, number) for number, (name, text) in enumerate(pages, 1)}
        self._mark = QLabel()
        self.setLayout(column(row(-1, self._mark, -1), 10, *self._buttons.values(), -1, margins=(10, 16, 10, 12), spacing=6))
        theme.changed.connect(self._redraw)
        self._redraw()

    def choose(self, name: str) -> None:
        """Show a page's button as pressed."""
        self._buttons[name].setChecked(True)
        self._redraw()

    def add_keys(self) -> None:
        """Give every page its key; apart from the rest, since the keys' enumeration takes longer to load than the rail."""
        for number, button in enumerate(self._buttons.values(), 1):
            button.setShortcut(f"Ctrl+{number}")

    def _button(self, name: str, text: str, number: int) -> QToolButton:
        button = QToolButton()
        button.setObjectName("railButton")
        button.setText(text)
        button.setAccessibleName(text)
        button.setToolTip(f"{text} (Ctrl+{number})")
        button.setCheckable(True)
        button.setProperty("toolButtonStyle", TEXT_UNDER_ICON)
        button.setIconSize(QSize(24, 24))
        button.setMinimumSize(WIDTH - 20, HEIGHT)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: self.chosen.emit(name))
        self._group.addButton(button)
        return button

    def _redraw(self) -> None:
        self._mark.setPixmap(self._theme.pixmap("addersesr", "accent", 32, self.devicePixelRatioF()))
        for name, button in self._buttons.items():
            button.setIcon(self._theme.icon(name, "accent" if button.isChecked() else "muted", 24))
