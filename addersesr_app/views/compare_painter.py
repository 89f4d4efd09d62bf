"""Paints two sides of a comparison: whole pictures where they are there, patches of the visible part over them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from addersesr_app.comparison import Comparison, Side
    from addersesr_app.shared_picture import SharedPicture
    from addersesr_app.theme import Theme
    from addersesr_app.viewport import Viewport

PIXELS_FROM = 2.0
"""From this zoom on pixels are shown as squares."""
HANDLE_RADIUS = 15.0
CHECKER = 8
LOUPE_ZOOM, LOUPE_RADIUS = 4.0, 110.0
"""How much larger the loupe shows things, and its size in logical pixels."""


class ComparePainter:
    """Paints a `Comparison` through a `Viewport` in device pixels."""

    def __init__(self, painter: QPainter, viewport: Viewport, comparison: Comparison, theme: Theme, ratio: float) -> None:
        self._painter, self._viewport, self._comparison, self._theme, self._ratio = painter, viewport, comparison, theme, ratio

    def paint(self) -> None:
        """Paint everything: sides, line and names."""
        size = QSizeF(self._viewport.view_width, self._viewport.view_height)
        if self._comparison.mode == "side":
            size.setWidth(self._viewport.view_width)
            gap = self._ratio
            self._pane(QRectF(QPointF(0, 0), size), "left")
            self._pane(QRectF(QPointF(size.width() + gap, 0), size), "right")
            self._names(QRectF(QPointF(0, 0), size), QRectF(QPointF(size.width() + gap, 0), size), apart=True)
            return
        whole = QRectF(QPointF(0, 0), size)
        if self._comparison.mode == "split":
            x = round(self._comparison.split * size.width())
            self._pane(whole, "left", QRectF(0, 0, x, size.height()))
            self._pane(whole, "right", QRectF(x, 0, size.width() - x, size.height()))
            self._line(x, size.height())
            self._names(whole, whole, apart=False)
            return
        held = self._comparison.held
        self._pane(whole, "left" if held else "right", heat=self._comparison.mode == "heat" and not held)
        self._pill(self._comparison.left_name if held else self._right_name(), whole, right=False)

    def paint_loupe(self, at: QPointF) -> None:
        """Paint what is at ``at`` (of a side, in device pixels) `LOUPE_ZOOM` times larger into a circle there, in each pane."""
        here, comparison = self._viewport, self._comparison
        left, top = here.origin
        x, y = (at.x() - left) / here.zoom, (at.y() - top) / here.zoom
        if not (0 <= x < here.width and 0 <= y < here.height):
            return
        gap = here.view_width + self._ratio
        shown: list[tuple[float, Side]] = [(0.0, "left"), (gap, "right")]
        if comparison.mode == "split":
            shown = [(0.0, "left" if at.x() < comparison.split * here.view_width else "right")]
        elif comparison.mode != "side":
            shown = [(0.0, "left" if comparison.held else "right")]
        larger = replace(here, zoom=here.zoom * LOUPE_ZOOM)
        for offset, side in shown:
            self._circle(larger, QPointF(at.x() + offset, at.y()), QPointF(x, y), side)

    def _circle(self, larger: Viewport, centre: QPointF, point: QPointF, side: Side) -> None:
        """Paint a side around a point of the picture into a circle around ``centre``."""
        painter, before, radius = self._painter, self._viewport, LOUPE_RADIUS * self._ratio
        path = QPainterPath()
        path.addEllipse(centre, radius, radius)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipPath(path)
        painter.fillPath(path, self._theme.colour("canvas"))
        painter.translate(centre.x() - point.x() * larger.zoom, centre.y() - point.y() * larger.zoom)
        self._viewport = larger
        self._side(side, heat=self._comparison.mode == "heat" and side == "right")
        self._viewport = before
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 90), 4 * self._ratio))
        painter.drawEllipse(centre, radius, radius)
        painter.setPen(QPen(QColor("white"), 2 * self._ratio))
        painter.drawEllipse(centre, radius, radius)

    def _right_name(self) -> str:
        return "Difference, 8×" if self._comparison.mode == "heat" else self._comparison.right_name

    def _pane(self, pane: QRectF, side: Side, clip: QRectF | None = None, *, heat: bool = False) -> None:
        """Paint one side into ``pane``, of which ``clip`` alone is touched."""
        painter = self._painter
        painter.save()
        painter.setClipRect(clip or pane)
        left, top = self._viewport.origin
        painter.translate(pane.x() + left, pane.y() + top)
        self._side(side, heat=heat)
        painter.restore()

    def _side(self, side: Side, *, heat: bool) -> None:
        """Paint one side, its corner at the painter's origin."""
        before, viewport = self._comparison.before, self._viewport
        if before is None:
            return
        whole = QRectF(0, 0, viewport.width, viewport.height)
        self._checker(before, whole)
        after = self._comparison.after
        if side == "right" and after is not None and not heat:
            self._image(after.level(viewport.zoom), whole, viewport.zoom >= PIXELS_FROM)
        else:
            self._image(before.level(viewport.zoom * viewport.width / before.width), whole, squares=False)
            self._patch(side, heat=heat)

    def _patch(self, side: Side, *, heat: bool) -> None:
        patch = self._comparison.patch
        if patch is None:
            return
        image = patch.heat if heat else patch.left if side == "left" else patch.right
        if image is not None:
            self._image(image, patch.rect(), self._viewport.zoom >= PIXELS_FROM)

    def _image(self, image: QImage, rect: QRectF, squares: bool) -> None:
        zoom = self._viewport.zoom
        target = QRectF(rect.x() * zoom, rect.y() * zoom, rect.width() * zoom, rect.height() * zoom)
        whole = zoom == 1 and image.width() == rect.width()
        self._painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not squares and not whole)
        self._painter.drawImage(target, image, QRectF(image.rect()))

    def _checker(self, before: SharedPicture, whole: QRectF) -> None:
        """Lay squares under what is transparent."""
        if before.levels[0].hasAlphaChannel():
            zoom = self._viewport.zoom
            rect = QRectF(0, 0, whole.width() * zoom, whole.height() * zoom)
            self._painter.fillRect(rect, self._theme.colour("surface"))
            self._painter.fillRect(rect, QBrush(self._theme.colour("line"), Qt.BrushStyle.Dense4Pattern))

    def _line(self, x: float, height: float) -> None:
        """Paint the split line and its handle."""
        painter, ratio = self._painter, self._ratio
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(0, 0, 0, 90), 4 * ratio))
        painter.drawLine(QPointF(x, 0), QPointF(x, height))
        painter.setPen(QPen(QColor("white"), 2 * ratio))
        painter.drawLine(QPointF(x, 0), QPointF(x, height))
        centre, radius = QPointF(x, height / 2), HANDLE_RADIUS * ratio
        painter.setPen(QPen(QColor(0, 0, 0, 70), ratio))
        painter.setBrush(QColor("white"))
        painter.drawEllipse(centre, radius, radius)
        solid, round_cap = Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap
        painter.setPen(QPen(QColor("#1a1f27"), 1.8 * ratio, solid, round_cap, Qt.PenJoinStyle.RoundJoin))
        for sign in (-1, 1):
            tip, back, half = sign * 8 * ratio, sign * 4 * ratio, 4 * ratio
            arrow = [centre + QPointF(back, -half), centre + QPointF(tip, 0), centre + QPointF(back, half)]
            painter.drawPolyline(arrow)

    def _names(self, left: QRectF, right: QRectF, *, apart: bool) -> None:
        self._pill(self._comparison.left_name, left, right=False)
        self._pill(self._comparison.right_name, right, right=not apart)

    def _pill(self, text: str, pane: QRectF, *, right: bool) -> None:
        """Write the name of a side into an upper corner."""
        if not text:
            return
        painter, ratio = self._painter, self._ratio
        font = QFont(painter.font())
        font.setPixelSize(round(12 * ratio))
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        width = QFontMetricsF(font).horizontalAdvance(text) + 20 * ratio
        x = pane.right() - width - 12 * ratio if right else pane.x() + 12 * ratio
        pill = QRectF(x, 12 * ratio, width, 26 * ratio)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(12, 14, 18, 190))
        painter.drawRoundedRect(pill, 13 * ratio, 13 * ratio)
        painter.setPen(QColor("white"))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, text)
