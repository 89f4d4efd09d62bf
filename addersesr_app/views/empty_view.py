"""What is seen before a picture is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QLabel, QWidget

from addersesr_app.views.controls import Button, column, label, row

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from addersesr_app.theme import Theme

ICON = 56


class EmptyView(QWidget):
    """Invites to drop, open or paste a picture, or to try the sample."""

    open_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sample = Button(theme, self.tr("Try the sample"))
        opened = Button(theme, self.tr("Open a picture…"), "open", "primary")
        opened.clicked.connect(self.open_wanted)
        self._sample.clicked.connect(self.sample_wanted)
        title = label(self.tr("Drop a picture here"), "title")
        hint = label(self.tr("or open one, or paste one with Ctrl+V. It stays on this computer."), "muted")
        for text in (title, hint):
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setLayout(
            column(-1, self._icon, 8, title, hint, 12, row(-1, opened, self._sample, -1, spacing=12), -1, margins=(24, 24, 24, 24))
        )
        theme.changed.connect(self._redraw)
        self._redraw()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the place to drop on."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self._theme.colour("line"), 1.5, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([5, 5])
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(20.5, 20.5, -20.5, -20.5), 16, 16)
        painter.end()

    def _redraw(self) -> None:
        self._icon.setPixmap(self._theme.pixmap("picture", "accent", ICON, self.devicePixelRatioF()))
        self.update()
