"""The two pictures of the energy story: quality against multiply-accumulates, and quality against energy."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

import pyqtgraph
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetrics
from PySide6.QtWidgets import QWidget

from addersesr_app import numbers_shown
from addersesr_app.published import psnr
from addersesr_app.views.controls import Card, label, row
from engine import cost
from engine.network import PRESETS, NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QSize

    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

SIZE = (640, 360)
HEIGHT = 260
AXIS = 60
"""Pixels that an axis takes, about."""
DOT = 12.0
ANCHORS = ((0.5, -0.35), (0.5, 1.35), (-0.12, 0.5), (1.12, 0.5), (-0.05, -0.2), (-0.05, 1.2), (1.05, 1.2), (1.05, -0.2))
"""Of a name beside its dot, in the order in which they are tried: below, above, right, left, then the corners."""
PASSES = 5
MARGINS = 0.14, 0.18
"""Beside the outermost dots and above and below them, in parts of what lies between."""
PUBLISHED_OTHERS = {"FSRCNN": 36.98, "VDSR": 37.53}
"""Set5 x2, dB, as SESR's paper (arXiv 2103.09404) lists them."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One network: its place in both plots. ``own`` marks figures from our own cards, ``spoilt`` a network for compressed pictures."""

    name: str
    macs: float
    energy_mj: float
    psnr: float
    own: bool
    spoilt: bool = False


def dots(cards: Sequence[ModelCard]) -> list[Dot]:
    """Our own x2 networks with their cards' Set5 figures, then the published ones."""
    own = []
    for card in cards:
        measured = dict(card.psnr).get("Set5")
        one = cost.known_cost(card.spec, *SIZE)
        if card.scale == 2 and measured is not None and one is not None:
            own.append(Dot(_short(card.title), one.macs, one.energy_mj, measured, own=True, spoilt=bool(card.through_jpeg)))
    known = []
    for name, shape in PRESETS.items():
        one, figure = cost.cost(NetworkSpec(2, *shape), *SIZE), psnr(name, 2, "Set5")
        if figure is not None:
            known.append(Dot(name.upper(), one.macs, one.energy_mj, figure, own=False))
    for name, one in (("FSRCNN", cost.fsrcnn(2, *SIZE)), ("VDSR", cost.vdsr(2, *SIZE))):
        known.append(Dot(name, one.macs, one.energy_mj, PUBLISHED_OTHERS[name], own=False))
    return own + known


def _short(title: str) -> str:
    """A network's name among others of the same factor."""
    return title.replace(" ×2", "")


class Plots(QWidget):
    """Both plots, side by side."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._dots: list[Dot] = []
        self._current = ""
        self.macs, self.energy = self._plot(self.tr("MACs (G)")), self._plot(self.tr("Arithmetic energy, 45 nm (mJ)"))
        legend = label(
            self.tr(
                "Filled: the models here, by their cards. Rings: SESR and others as published. Diamonds: networks for compressed pictures, "
                "here on clean ones, which is not what they are for; their cards tell how they do on such."
            ),
            "small",
            wrap=True,
        )
        cards = [
            Card(label(self.tr("PSNR on Set5 (dB) against MACs"), "heading"), self.macs),
            Card(label(self.tr("PSNR on Set5 (dB) against energy"), "heading"), self.energy),
        ]
        both = row(*cards, spacing=16)
        outer = Card(legend, both, margin=0)
        outer.setProperty("role", "")
        self.setLayout(row(outer))
        theme.changed.connect(self._draw)

    def show_models(self, cards: Sequence[ModelCard], current: str) -> None:
        """Draw a dot a network; the one called ``current`` is marked."""
        self._dots, self._current = dots(cards), _short(current)
        self._draw()

    def _plot(self, text: str) -> pyqtgraph.PlotWidget:
        plot = pyqtgraph.PlotWidget()
        plot.setFixedHeight(HEIGHT)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        plot.setLogMode(x=True, y=False)
        plot.setAccessibleName(text)
        return plot

    def resizeEvent(self, event: object) -> None:
        """Names may have to stand elsewhere, as soon as the plots have been given their own new sizes."""
        QTimer.singleShot(0, self, self._draw)

    def _draw(self) -> None:
        for plot, values in ((self.macs, [dot.macs / 1e9 for dot in self._dots]), (self.energy, [dot.energy_mj for dot in self._dots])):
            plot.clear()
            self._dress(plot)
            if not self._dots:
                continue
            places = [(log10(value), dot.psnr) for dot, value in zip(self._dots, values, strict=True)]
            (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*places, strict=True))
            beside, above = MARGINS
            plot.setYRange(low, high, padding=above)
            plot.getViewBox().setXRange(left, right, padding=beside)
            room = QSizeF(max(plot.width() - AXIS, 200), HEIGHT - AXIS)
            width = room.width() / (1 + 2 * beside) / (right - left or 1)
            height = room.height() / (1 + 2 * above) / (high - low or 1)
            points = [QPointF((x - left) * width, (high - y) * height) for x, y in places]
            sizes = [_metrics(bold=self._is_current(dot)).boundingRect(dot.name).size() for dot in self._dots]
            shown = QRectF(QPointF(-beside * (right - left) * width, -above * (high - low) * height), room)
            for dot, place, anchor in zip(self._dots, places, anchors(points, sizes, shown), strict=True):
                self._draw_dot(plot, dot, place, anchor)

    def _dress(self, plot: pyqtgraph.PlotWidget) -> None:
        """Give a plot the theme's colours."""
        plot.setBackground(self._theme.colour("surface"))
        plot.showGrid(x=True, y=True, alpha=0.12)
        for name in ("bottom", "left"):
            axis = plot.getAxis(name)
            axis.setPen(self._theme.colour("line"))
            axis.setTextPen(self._theme.colour("muted"))
            axis.setTickFont(_font())
        plot.setLabel("bottom", plot.accessibleName(), color=self._theme.colours.muted, **{"font-size": "11px"})

    def _is_current(self, dot: Dot) -> bool:
        return dot.own and dot.name == self._current

    def _draw_dot(self, plot: pyqtgraph.PlotWidget, dot: Dot, place: tuple[float, float], anchor: tuple[float, float]) -> None:
        current = self._is_current(dot)
        colour = self._theme.colour("accent" if dot.own else "muted")
        brush = pyqtgraph.mkBrush(colour) if dot.own else pyqtgraph.mkBrush(self._theme.colour("surface"))
        tip = f"{dot.name}\n{numbers_shown.count(dot.macs)} MACs, {numbers_shown.energy(dot.energy_mj)}, {dot.psnr:.2f} dB"
        item = pyqtgraph.ScatterPlotItem(
            x=place[:1],
            y=place[1:],
            symbol="d" if dot.spoilt else "o",
            size=15 if current else 12 if dot.spoilt else 10,
            pen=pyqtgraph.mkPen(colour, width=2),
            brush=brush,
            hoverable=True,
            tip=None,
        )
        item.setToolTip(tip)
        plot.addItem(item)
        text = pyqtgraph.TextItem(dot.name, color=QColor(self._theme.colour("text" if dot.own else "muted")), anchor=anchor)
        text.setFont(_font(bold=current))
        text.setPos(*place)
        text.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        plot.addItem(text)


def anchors(points: Sequence[QPointF], sizes: Sequence[QSize], shown: QRectF) -> list[tuple[float, float]]:
    """For a name of each size beside each point, in pixels, the anchor that keeps it off the other points and names, and ``shown``.

    Where there is none, the one that covers the least of them, or is cut off least. Names make room for those that came after them: each
    is placed anew while that helps, `PASSES` times at most.
    """
    dots = [QRectF(point.x() - DOT / 2, point.y() - DOT / 2, DOT, DOT) for point in points]
    rooms = [_rooms(point, size) for point, size in zip(points, sizes, strict=True)]
    chosen: dict[int, tuple[float, float]] = {}
    for _ in range(PASSES):
        before = dict(chosen)
        for number, places in enumerate(rooms):
            others = dots[:number] + dots[number + 1 :] + [rooms[other][anchor] for other, anchor in chosen.items() if other != number]
            chosen[number] = min(ANCHORS, key=lambda anchor: _harm(places[anchor], others, shown))
        if chosen == before:
            break
    return [chosen[number] for number in range(len(points))]


def _rooms(point: QPointF, size: QSize) -> dict[tuple[float, float], QRectF]:
    """What a name of this size beside ``point`` covers, by its anchor."""
    width, height = size.width() + 8, size.height() + 4
    return {anchor: QRectF(point.x() - anchor[0] * width, point.y() - anchor[1] * height, width, height) for anchor in ANCHORS}


def _harm(place: QRectF, others: Sequence[QRectF], shown: QRectF) -> int:
    """How much of ``others`` a name there covers, and of itself is not ``shown``."""
    return round(place.width() * place.height() - _common(place, shown) + sum(_common(place, other) for other in others))


def _common(one: QRectF, other: QRectF) -> float:
    """The area that two rectangles share."""
    both = one.intersected(other)
    return both.width() * both.height()


def _metrics(*, bold: bool) -> QFontMetrics:
    return QFontMetrics(_font(bold=bold))


def _font(*, bold: bool = False) -> QFont:
    font = QFont()
    font.setPixelSize(11)
    font.setBold(bold)
    return font
