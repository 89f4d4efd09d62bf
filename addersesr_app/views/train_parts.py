"""Parts of the training pages: cards to choose from, drawings of the kinds of block, numbers with names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QLabel, QWidget

from addersesr_app.views.controls import Card, column, label

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent
    from PySide6.QtWidgets import QLayout

    from addersesr_app.theme import Theme


class ChoiceCard(Card):
    """One of several cards to choose from, by mouse or keyboard. ``picked`` tells its value."""

    picked = Signal(str)

    def __init__(self, value: str, name: str, *items: QWidget | QLayout | int) -> None:
        super().__init__(*items, spacing=5, margin=12)
        self.value = value
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.set_chosen(on=False)

    @property
    def chosen(self) -> bool:
        """Whether it is the chosen one."""
        return bool(self.property("chosen"))

    def set_chosen(self, *, on: bool) -> None:
        """Show it as chosen, or not."""
        self.setProperty("chosen", on)
        self.style().unpolish(self)
        self.style().polish(self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose it."""
        if self.rect().contains(event.position().toPoint()):
            self.picked.emit(self.value)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose it with the space bar or Enter."""
        if event.key() in {Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.picked.emit(self.value)
        else:
            super().keyPressEvent(event)


class Figure(QWidget):
    """A number with what it is below it."""

    def __init__(self, name: str, role: str = "heading") -> None:
        super().__init__()
        self._value = label("–", role)
        self._name = label(name, "small")
        self.setLayout(column(self._value, self._name, spacing=1))

    def show_value(self, text: str, tip: str = "") -> None:
        """Show another value."""
        self._value.setText(text)
        self.setToolTip(tip)

    def show_name(self, name: str) -> None:
        """Call it otherwise."""
        self._name.setText(name)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._value.text()


class BlockDrawing(QWidget):
    """What a kind of block is: ``collapsed``, ``expanded`` or ``collapsed_adder``."""

    def __init__(self, theme: Theme, kind: str) -> None:
        super().__init__()
        self._theme, self._kind = theme, kind
        self.setMinimumSize(QSize(180, 62))
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        middle = self.height() / 2
        if self._kind == "collapsed_adder":
            self._box(painter, QRectF(10, middle - 17, 74, 34), "Σ|x − w|", strong=True)
            self._arrow(painter, 84, 104, middle)
            self._box(painter, QRectF(104, middle - 13, 60, 26), "× a + b")
        else:
            self._wide(painter, middle)
            if self._kind == "collapsed":
                self._arrow(painter, 110, 132, middle)
                self._box(painter, QRectF(132, middle - 15, 38, 30), "3×3", strong=True)
        painter.end()

    def _wide(self, painter: QPainter, middle: float) -> None:
        """The expanded pair of convolutions with its identity around it."""
        self._box(painter, QRectF(10, middle - 21, 44, 42), "3×3", strong=self._kind == "expanded")
        self._arrow(painter, 54, 68, middle)
        self._box(painter, QRectF(68, middle - 21, 40, 42), "1×1", strong=self._kind == "expanded")

    def _box(self, painter: QPainter, where: QRectF, text: str, *, strong: bool = False) -> None:
        painter.setPen(QPen(self._theme.colour("accent" if strong else "muted"), 1.3))
        painter.setBrush(self._theme.colour("accent_soft" if strong else "raised"))
        painter.drawRoundedRect(where, 5, 5)
        painter.setPen(self._theme.colour("accent" if strong else "text"))
        painter.drawText(where, Qt.AlignmentFlag.AlignCenter, text)

    def _arrow(self, painter: QPainter, left: float, right: float, y: float) -> None:
        painter.setPen(QPen(self._theme.colour("muted"), 1.3))
        painter.setBrush(self._theme.colour("muted"))
        painter.drawLine(QPointF(left + 2, y), QPointF(right - 5, y))
        painter.drawPolygon(QPolygonF([QPointF(right - 2, y), QPointF(right - 7, y - 3), QPointF(right - 7, y + 3)]))


class ElidedLabel(QLabel):
    """One line that is cut in its middle where there is no room for it; the whole is its tool tip."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self.setProperty("role", role)
        self._whole = ""

    def show_text(self, text: str) -> None:
        """Show another text."""
        self._whole = text
        self.setToolTip(text)
        self.updateGeometry()
        self.update()

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(40, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """The whole text's."""
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 4, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what there is room for."""
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideMiddle, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()
