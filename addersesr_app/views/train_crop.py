"""Choosing the part of a picture that a training is watched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QDialog, QWidget

from addersesr_app.views.controls import Button, column, label, row

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent

    from addersesr_app.theme import Theme

SIDE = 128
"""Low-resolution pixels on each side, as the trainer's sample has."""
SHADE = QColor(0, 0, 0, 130)
SIZE = QSize(760, 520)
STEP = 16


class CropDialog(QDialog):
    """Shows a picture and a square to be moved over it. ``chosen`` gives the square's pixels."""

    chosen = Signal(QImage)

    def __init__(self, theme: Theme, picture: Path, scale: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Live sample"))
        reader = QImageReader(str(picture))
        reader.setAutoTransform(True)
        self.crop = CropView(theme, reader.read(), SIDE * scale)
        self.use, cancel = Button(theme, self.tr("Use this part"), role="primary"), Button(theme, self.tr("Cancel"))
        self.use.setDefault(True)
        self.use.clicked.connect(self._choose)
        cancel.clicked.connect(self.reject)
        hint = label(self.tr("Drag the square, or move it with the arrow keys, to the part that you want to watch."), "muted")
        layout = column(hint, self.crop, row(-1, cancel, self.use), margins=(20, 18, 20, 18), spacing=12)
        layout.setStretch(1, 1)
        self.setLayout(layout)

    def _choose(self) -> None:
        self.accept()
        self.chosen.emit(self.crop.cut())


class CropView(QWidget):
    """The picture, as large as there is room, with all but the square darkened."""

    def __init__(self, theme: Theme, image: QImage, side: int) -> None:
        super().__init__()
        self._theme, self._image = theme, image
        self.side = min(side, image.width(), image.height())
        self.centre = QPointF(image.width() / 2, image.height() / 2)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Part of the picture"))
        self.setMinimumSize(QSize(320, 240))

    def sizeHint(self) -> QSize:
        """Large enough to see what one chooses."""
        return SIZE

    @property
    def square(self) -> QRect:
        """The square in the picture's pixels."""
        left = max(0, min(round(self.centre.x() - self.side / 2), self._image.width() - self.side))
        top = max(0, min(round(self.centre.y() - self.side / 2), self._image.height() - self.side))
        return QRect(left, top, self.side, self.side)

    def cut(self) -> QImage:
        """The pixels in the square."""
        return self._image.copy(self.square)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Put the square's middle there."""
        self._move_to(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the square along."""
        self._move_to(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the square by the arrow keys."""
        ways = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        way = ways.get(Qt.Key(event.key()))
        if way is None:
            super().keyPressEvent(event)
            return
        self.centre = QPointF(self.square.center()) + QPointF(*way) * STEP
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture and the square."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        place, zoom = self._place()
        painter.drawImage(place, self._image)
        square = self.square
        shown = QRectF(
            place.left() + square.left() * zoom, place.top() + square.top() * zoom, square.width() * zoom, square.height() * zoom
        )
        shade = QPainterPath()
        shade.addRect(place)
        shade.addRect(shown)
        painter.fillPath(shade, SHADE)
        painter.setPen(QPen(self._theme.colour("accent"), 2))
        painter.drawRect(shown)
        painter.end()

    def _place(self) -> tuple[QRectF, float]:
        """Where the picture is painted, and how much it is enlarged."""
        zoom = min(self.width() / max(1, self._image.width()), self.height() / max(1, self._image.height()))
        width, height = self._image.width() * zoom, self._image.height() * zoom
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height), zoom

    def _move_to(self, where: QPointF) -> None:
        place, zoom = self._place()
        self.centre = (where - place.topLeft()) / zoom
        self.update()
