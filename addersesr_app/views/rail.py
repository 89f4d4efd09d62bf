"""The pages, down the left edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QLabel, QSizePolicy, QToolButton

from addersesr_app.views.controls import column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.theme import Theme

WIDTH, HEIGHT = 84, 58


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
        self._mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setLayout(column(self._mark, 10, *self._buttons.values(), -1, margins=(10, 16, 10, 12), spacing=6))
        theme.changed.connect(self._redraw)
        self._redraw()

    def choose(self, name: str) -> None:
        """Show a page's button as pressed."""
        self._buttons[name].setChecked(True)
        self._redraw()

    def _button(self, name: str, text: str, number: int) -> QToolButton:
        button = QToolButton()
        button.setObjectName("railButton")
        button.setText(text)
        button.setAccessibleName(text)
        button.setToolTip(f"{text} (Ctrl+{number})")
        button.setShortcut(f"Ctrl+{number}")
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
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
