"""The two pictures of the energy story: quality against multiply-accumulates, and quality against energy."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

import pyqtgraph
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QWidget

from addersesr_app import numbers_shown
from addersesr_app.published import psnr
from addersesr_app.views.controls import Card, label, row
from engine import cost
from engine.network import PRESETS, NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.theme import Theme
    from engine.protocol import ModelCard

SIZE = (640, 360)
HEIGHT = 260
PUBLISHED_OTHERS = {"FSRCNN": 36.98, "VDSR": 37.53}
"""Set5 x2, dB, as SESR's paper (arXiv 2103.09404) lists them."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One network: its place in both plots. ``own`` marks figures from our own cards."""

    name: str
    macs: float
    energy_mj: float
    psnr: float
    own: bool


def dots(cards: Sequence[ModelCard]) -> list[Dot]:
    """Our own x2 networks with their cards' Set5 figures, then the published ones."""
    own = []
    for card in cards:
        measured = dict(card.psnr).get("Set5")
        one = cost.known_cost(card.spec, *SIZE)
        if card.scale == 2 and measured is not None and one is not None:
            own.append(Dot(card.title.removesuffix(" ×2"), one.macs, one.energy_mj, measured, own=True))
    known = []
    for name, shape in PRESETS.items():
        one, figure = cost.cost(NetworkSpec(2, *shape), *SIZE), psnr(name, 2, "Set5")
        if figure is not None:
            known.append(Dot(name.upper(), one.macs, one.energy_mj, figure, own=False))
    for name, one in (("FSRCNN", cost.fsrcnn(2, *SIZE)), ("VDSR", cost.vdsr(2, *SIZE))):
        known.append(Dot(name, one.macs, one.energy_mj, PUBLISHED_OTHERS[name], own=False))
    return own + known


class Plots(QWidget):
    """Both plots, side by side."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._dots: list[Dot] = []
        self._current = ""
        self.macs, self.energy = self._plot(self.tr("MACs (G)")), self._plot(self.tr("Arithmetic energy, 45 nm (mJ)"))
        legend = label(
            self.tr("Filled: the models here, by their cards. Rings: SESR and others as published. For 640 × 360 pixels, enlarged ×2."),
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
        self._dots, self._current = dots(cards), current.removesuffix(" ×2")
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

    def _draw(self) -> None:
        for plot, values in ((self.macs, [dot.macs / 1e9 for dot in self._dots]), (self.energy, [dot.energy_mj for dot in self._dots])):
            plot.clear()
            self._dress(plot)
            for dot, value in zip(self._dots, values, strict=True):
                self._draw_dot(plot, dot, value)
            if self._dots:
                plot.setYRange(min(dot.psnr for dot in self._dots), max(dot.psnr for dot in self._dots), padding=0.18)
                plot.getViewBox().setXRange(log10(min(values)), log10(max(values)), padding=0.14)

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

    def _draw_dot(self, plot: pyqtgraph.PlotWidget, dot: Dot, value: float) -> None:
        current = dot.own and dot.name == self._current
        colour = self._theme.colour("accent" if dot.own else "muted")
        brush = pyqtgraph.mkBrush(colour) if dot.own else pyqtgraph.mkBrush(self._theme.colour("surface"))
        tip = f"{dot.name}\n{numbers_shown.count(dot.macs)} MACs, {numbers_shown.energy(dot.energy_mj)}, {dot.psnr:.2f} dB"
        item = pyqtgraph.ScatterPlotItem(
            x=[log10(value)],
            y=[dot.psnr],
            size=15 if current else 10,
            pen=pyqtgraph.mkPen(colour, width=2),
            brush=brush,
            hoverable=True,
            tip=None,
        )
        item.setToolTip(tip)
        plot.addItem(item)
        ink = QColor(self._theme.colour("text" if dot.own else "muted"))
        text = pyqtgraph.TextItem(dot.name, color=ink, anchor=(0.5, 1.4) if dot.own else (0.5, -0.35))
        text.setFont(_font(bold=current))
        text.setPos(log10(value), dot.psnr)
        text.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        plot.addItem(text)


def _font(*, bold: bool = False) -> QFont:
    font = QFont()
    font.setPixelSize(11)
    font.setBold(bold)
    return font
