"""What is seen before a picture is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QLabel

from addersesr_app.views.controls import Button, column, plain_label, row

if TYPE_CHECKING:
    from addersesr_app.theme import Theme

ICON = 56


class EmptyView(QFrame):
    """Invites to drop, open or paste a picture, or to try the sample."""

    open_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("empty")
        self._theme = theme
        self._icon = QLabel()
        self._sample = Button(theme, self.tr("Try the sample"))
        opened = Button(theme, self.tr("Open…"), "open", "primary")
        opened.clicked.connect(self.open_wanted)
        self._sample.clicked.connect(self.sample_wanted)
        title = plain_label(self.tr("Drop pictures, films or folders here"), "title")
        hint = plain_label(self.tr("or open them, or paste a picture with Ctrl+V. Nothing leaves this computer."), "muted")
        lines = (row(-1, part, -1) for part in (self._icon, title, hint))
        place = QFrame()
        place.setObjectName("dropPlace")
        place.setLayout(column(-1, *lines, 8, row(-1, opened, self._sample, -1, spacing=12), -1, spacing=12, margins=(24, 24, 24, 24)))
        self.setLayout(column(place, margins=(20, 20, 20, 20)))
        theme.changed.connect(self._redraw)
        self._redraw()

    def _redraw(self) -> None:
        self._icon.setPixmap(self._theme.pixmap("picture", "accent", ICON, self.devicePixelRatioF()))
