"""A small picture at its own pixels, as much of it as there is room for, moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath
from PySide6.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QMouseEvent, QPaintEvent

    from addersesr_app.theme import Theme

ROUND = 8


class PicturePane(QWidget):
    """The part of a picture that there is room for, at its own pixels. ``dragged`` tells how far the hand moved it."""

    dragged = Signal(QPointF)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.image = QImage()
        self.offset = QPointF()
        self._grip: QPointF | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(120, 120))
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def show_image(self, image: QImage) -> None:
        """Show another picture."""
        if image.size() != self.image.size():
            self.setMaximumHeight(max(120, image.height()))
            self.updateGeometry()
        self.image = image
        self.update()

    def set_offset(self, offset: QPointF) -> None:
        """Show the part that is so far from the middle, or the nearest that there is."""
        across, down = (max(0, self.image.width() - self.width()) / 2, max(0, self.image.height() - self.height()) / 2)
        self.offset = QPointF(max(-across, min(offset.x(), across)), max(-down, min(offset.y(), down)))
        self.update()

    def sizeHint(self) -> QSize:
        """The picture's own size."""
        return QSize(256, 256) if self.image.isNull() else self.image.size()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold."""
        self._grip = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move."""
        if self._grip is not None:
            self.dragged.emit(event.position() - self._grip)
            self._grip = event.position()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the middle, moved by the offset as far as there is more to see."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = min(self.width(), self.image.width() or 256), min(self.height(), self.image.height() or 256)
        where = QRectF(0, 0, width, height)
        path = QPainterPath()
        path.addRoundedRect(where, ROUND, ROUND)
        painter.setClipPath(path)
        painter.fillRect(where, self._theme.colour("canvas"))
        if not self.image.isNull():
            left = _clamped((self.image.width() - width) / 2 - self.offset.x(), self.image.width() - width)
            top = _clamped((self.image.height() - height) / 2 - self.offset.y(), self.image.height() - height)
            painter.drawImage(where, self.image, QRectF(left, top, width, height))
        painter.end()


def _clamped(value: float, most: float) -> float:
    return round(max(0.0, min(value, most)))


def drag_alike(panes: Sequence[PicturePane]) -> None:
    """Have these move together."""

    def drag(by: QPointF) -> None:
        offset = panes[0].offset + by
        for pane in panes:
            pane.set_offset(offset)

    for pane in panes:
        pane.dragged.connect(drag)
