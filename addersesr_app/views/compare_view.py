"""Before and after in one place: a picture seen twice through one viewport, zoomed and panned together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from addersesr_app.comparison import Comparison
from addersesr_app.viewport import STEP, Viewport
from addersesr_app.views.compare_painter import HANDLE_RADIUS, ComparePainter
from engine.serve.protocol import Region

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent, QWheelEvent

    from addersesr_app.comparison import Mode, Patch
    from addersesr_app.shared_picture import SharedPicture
    from addersesr_app.theme import Theme

WHEEL_NOTCH = 120.0


class CompareView(QWidget):
    """The canvas. ``moved`` tells that another part of the picture is seen, or at another zoom."""

    moved = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._comparison = Comparison()
        self._viewport = Viewport(1, 1, 1, 1)
        self._drag: QPointF | None = None
        self._drags_line = False
        self._loupe = False
        self._pointer: QPointF | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Comparison of before and after"))
        self.setMinimumSize(240, 160)
        theme.changed.connect(self.update)

    @property
    def viewport(self) -> Viewport:
        """What is seen, in output pixels and device pixels."""
        return self._viewport

    @property
    def comparison(self) -> Comparison:
        """What is compared, for reading."""
        return self._comparison

    def show_picture(self, before: SharedPicture | None, scale: int) -> None:
        """Show another picture, whole; None for none. The caller keeps it open until the next call."""
        self._comparison.before, self._comparison.after, self._comparison.patch = before, None, None
        width, height = (before.width, before.height) if before else (1, 1)
        self._viewport = Viewport(width * scale, height * scale, *self._view_size()).fit()
        self._changed()

    def set_before(self, before: SharedPicture | None) -> None:
        """Show another frame of the same size in the same place; what was made of the last one is let go."""
        self._comparison.before, self._comparison.after, self._comparison.patch = before, None, None
        self.update()

    def set_scale(self, scale: int) -> None:
        """Compare at another scale, at the same place; results so far no longer fit."""
        before = self._comparison.before
        if before is not None:
            self.set_result(None)
            self._comparison.patch = None
            self._viewport = self._viewport.rescaled(before.width * scale, before.height * scale)
            self._changed()

    def set_result(self, after: SharedPicture | None) -> None:
        """Show the whole result on the right; None for none (any more)."""
        self._comparison.after = after
        self.update()

    def set_patch(self, patch: Patch | None) -> None:
        """Show both sides of the visible part; None for none (any more)."""
        self._comparison.patch = patch
        self.update()

    def set_names(self, left: str, right: str) -> None:
        """Say what the sides are."""
        self._comparison.left_name, self._comparison.right_name = left, right
        self.update()

    def set_mode(self, mode: Mode) -> None:
        """Compare in another way."""
        self._comparison.mode = mode
        self._viewport = self._viewport.resized(*self._view_size())
        self._changed()

    def set_split(self, fraction: float) -> None:
        """Put the split line at a fraction of the width."""
        self._comparison.split = min(max(fraction, 0.0), 1.0)
        self.update()

    def set_loupe(self, on: bool) -> None:
        """Show what is under the pointer larger (without a pointer, the middle)."""
        self._loupe = on
        self.update()

    def set_held(self, held: bool) -> None:
        """While held, show the left side alone (in the modes that show one)."""
        self._comparison.held = held
        self.update()

    def fit(self) -> None:
        """See the whole picture."""
        self._viewport = self._viewport.fit()
        self._changed()

    def zoom_to(self, zoom: float) -> None:
        """See it at ``zoom`` device pixels an output pixel."""
        self._viewport = self._viewport.zoomed(zoom)
        self._changed()

    def zoom_by(self, factor: float) -> None:
        """See it larger or smaller by a factor."""
        self.zoom_to(self._viewport.zoom * factor)

    def pan(self, dx: float, dy: float) -> None:
        """Move the picture by device pixels."""
        self._viewport = self._viewport.panned(dx, dy)
        self._changed()

    def visible_region(self, scale: int, margin: int = 0) -> Region | None:
        """The input pixels that are seen, whole ones, and ``margin`` more on each side; None where no picture is."""
        before = self._comparison.before
        if before is None:
            return None
        left, top, right, bottom = (value / scale for value in self._viewport.visible())
        x, y = max(int(left) - margin, 0), max(int(top) - margin, 0)
        x, y = min(x, before.width - 1), min(y, before.height - 1)
        end_x, end_y = min(math.ceil(right) + margin, before.width), min(math.ceil(bottom) + margin, before.height)
        return Region(x, y, max(end_x - x, 1), max(end_y - y, 1))

    def reduction(self) -> int:
        """How many times smaller than the full result a preview may be and still fill the screen."""
        return max(int(1 / self._viewport.zoom + 1e-9), 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)
        if self._comparison.before is not None:
            paints = ComparePainter(painter, self._viewport, self._comparison, self._theme, ratio)
            paints.paint()
            if self._loupe:
                middle = QPointF(*(side / 2 for side in self._view_size()))
                paints.paint_loupe(middle if self._pointer is None else self._in_pane(self._pointer))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the place."""
        self._viewport = self._viewport.resized(*self._view_size())
        self._changed()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        notches = event.angleDelta().y() / WHEEL_NOTCH
        if notches:
            at = self._in_pane(event.position())
            self._viewport = self._viewport.zoomed(self._viewport.zoom * STEP**notches, at.x(), at.y())
            self._changed()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the line, or the picture; hold to compare."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = event.position()
            self._drags_line = self._near_line(event.position())
            if self._comparison.mode in {"hold", "heat"}:
                self.set_held(True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the line or the picture; the loupe follows."""
        self._pointer = event.position()
        if self._loupe:
            self.update()
        if self._drag is None:
            self.setCursor(Qt.CursorShape.SplitHCursor if self._near_line(event.position()) else Qt.CursorShape.OpenHandCursor)
        elif self._drags_line:
            self.set_split(event.position().x() / max(self.width(), 1))
        else:
            ratio = self.devicePixelRatioF()
            delta = event.position() - self._drag
            self._drag = event.position()
            self.pan(delta.x() * ratio, delta.y() * ratio)

    def leaveEvent(self, event: QEvent) -> None:
        """Leave the loupe where there is no pointer in the middle."""
        self._pointer = None
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._drag = None
        self.set_held(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Change between the whole picture and 1:1 there."""
        if not self._viewport.fitted:
            self.fit()
            return
        at = self._in_pane(event.position())
        self._viewport = self._viewport.zoomed(1.0, at.x(), at.y())
        self._changed()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the picture, with Shift the line; Space holds to compare."""
        direction = _direction(event.key())
        if direction and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.set_split(self._comparison.split - 0.02 * direction[0])
        elif direction:
            self.pan(80 * direction[0], 80 * direction[1])
        elif event.key() == Qt.Key.Key_Space:
            self.set_held(True)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """End holding."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.set_held(False)
        else:
            super().keyReleaseEvent(event)

    def _view_size(self) -> tuple[float, float]:
        """Device pixels that one side has."""
        ratio = self.devicePixelRatioF()
        width = self.width() * ratio
        return (max((width - ratio) / 2 if self._comparison.mode == "side" else width, 1.0), max(self.height() * ratio, 1.0))

    def _in_pane(self, position: QPointF) -> QPointF:
        ratio, (width, _) = self.devicePixelRatioF(), self._view_size()
        x = position.x() * ratio
        if self._comparison.mode == "side" and x > width:
            x -= width + ratio
        return QPointF(x, position.y() * ratio)

    def _near_line(self, position: QPointF) -> bool:
        return self._comparison.mode == "split" and abs(position.x() - self._comparison.split * self.width()) <= HANDLE_RADIUS

    def _changed(self) -> None:
        self.update()
        self.moved.emit()


def _direction(key: int) -> tuple[int, int] | None:
    """Which way an arrow key moves the picture: found when asked, since the keys' enumeration takes its time to be made."""
    arrows = {Qt.Key.Key_Left: (1, 0), Qt.Key.Key_Right: (-1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
    return next((direction for arrow, direction in arrows.items() if arrow == key), None)
