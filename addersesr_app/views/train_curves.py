"""Curves of a training run: drawn by pyqtgraph, in the theme's colours, smooth with a million points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from addersesr_app.theme import Theme

SERIES_LIGHT = ("#0f7a55", "#b4582a", "#3d63b8", "#8a4fa3", "#8a7a12", "#197a8a")
SERIES_DARK = ("#46c08f", "#f0a06f", "#85a7f2", "#cf9be6", "#dcc95a", "#62c8d8")
"""Colours that tell runs apart, the shown run's first. Each has a contrast of at least 3 on its ground."""
FINE = 3000
"""Points up to which lines are drawn wide and smooth; both take seconds for ragged lines of many points."""
FONT_PIXELS = 11
FEWEST_NAMES, MOST_NAMES = 2, 8
"""Of a logarithmic axis' ticks."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line: x and y, which of the runs' colours, and how. ``points`` marks each value."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    series: int = 0
    width: float = 2.0
    faint: bool = False
    points: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A level that is drawn across: its height, and what it is."""

    y: float
    text: str


class PlainAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis that on a logarithmic scale names 1, 2 and 5 of each decade alone, so that names do not run into one another.

    Where that would be fewer than `FEWEST_NAMES`, it names every other tick, or all.
    """

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """What pyqtgraph writes beside ticks."""
        numbers = [float(10**value) for value in values]
        names = [f"{number:.3g}" if f"{number:e}"[:3] in {"1.0", "2.0", "5.0"} else "" for number in numbers]
        if sum(map(bool, names)) >= FEWEST_NAMES:
            return names
        stride = 1 if len(numbers) <= MOST_NAMES else 2
        return [f"{number:.3g}" if place % stride == 0 else "" for place, number in enumerate(numbers)]


class CurvePlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot that can be zoomed (wheel), moved (drag), reset (double click), and read with the cursor."""

    def __init__(self, theme: Theme, title: str, unit: str, form: str = "{:.4g}") -> None:
        """``form`` is how a value is read out."""
        super().__init__(axisItems={"left": PlainAxis("left")})
        self._theme, self._title, self._unit, self._form = theme, title, unit, form
        self._curves: tuple[Curve, ...] = ()
        self._targets: tuple[Target, ...] = ()
        self._items: list[pg.PlotDataItem] = []
        self._lines: list[pg.InfiniteLine] = []
        self.setAccessibleName(title)
        self.getPlotItem().vb.setDefaultPadding(0.07)
        self.setMinimumHeight(150)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFrameShape(pg.QtWidgets.QFrame.Shape.NoFrame)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.hide()
        self.addItem(self._cursor, ignoreBounds=True)
        self.read_out = ""
        self.scene().sigMouseMoved.connect(self._moved)
        theme.changed.connect(self._dress)
        self._dress()

    def show_curves(self, curves: Sequence[Curve], targets: Sequence[Target] = ()) -> None:
        """Draw these instead; what was drawn before is kept where it can be, so that following costs little."""
        dressed = [self._look(curve) for curve in self._curves] == [self._look(curve) for curve in curves]
        self._curves = tuple(curves)
        if dressed and self._items:
            for item, curve in zip(self._items, curves, strict=True):
                item.setData(curve.x, curve.y)
        else:
            self._redraw()
        if tuple(targets) != self._targets:
            self._targets = tuple(targets)
            self._redraw_targets()

    def set_title(self, title: str) -> None:
        """Call it otherwise."""
        if title != self._title:
            self._title = title
            self.setAccessibleName(title)
            self._tell("")
            self.enableAutoRange()

    def set_log(self, on: bool) -> None:
        """Show values on a logarithmic scale, or on a plain one."""
        if on != self.getAxis("left").logMode:
            self.getPlotItem().setLogMode(y=on)
            self._redraw_targets()
            self.enableAutoRange()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Show everything again."""
        self.enableAutoRange()
        event.accept()

    def leaveEvent(self, event: Any) -> None:
        """No read-out without a cursor."""
        self._cursor.hide()
        self._tell("")
        super().leaveEvent(event)

    def _look(self, curve: Curve) -> tuple[object, ...]:
        return curve.series, curve.width, curve.faint, curve.points, curve.name, len(curve.x) < FINE

    def colour(self, series: int) -> pg.QtGui.QColor:
        """The colour of one run."""
        colours = SERIES_DARK if self._theme.is_dark else SERIES_LIGHT
        return pg.mkColor(colours[series % len(colours)])

    def _dress(self) -> None:
        """Put on the theme's colours."""
        self.setBackground(self._theme.colour("surface"))
        font = QFont(self.font())
        font.setPixelSize(FONT_PIXELS)
        for name in ("left", "bottom"):
            axis = self.getAxis(name)
            axis.setPen(self._theme.colour("line"))
            axis.setTextPen(self._theme.colour("muted"))
            axis.setStyle(tickFont=font, tickLength=-4)
            axis.enableAutoSIPrefix(False)
        self.getAxis("left").setWidth(54)
        self.showGrid(x=False, y=True, alpha=0.18)
        self._cursor.setPen(pg.mkPen(self._theme.colour("muted"), width=1))
        self._tell("")
        self._redraw()
        self._redraw_targets()

    def _tell(self, read_out: str) -> None:
        self.read_out = read_out
        self.setTitle(
            f"{self._title}   {read_out}" if read_out else self._title, color=self._theme.colour("muted"), size="9pt", justify="left"
        )

    def _redraw(self) -> None:
        for item in self._items:
            self.removeItem(item)
        self._items = [self._item(curve) for curve in self._curves]

    def _item(self, curve: Curve) -> pg.PlotDataItem:
        colour = self.colour(curve.series)
        if curve.faint:
            colour.setAlphaF(0.35)
        fine = len(curve.x) < FINE
        marks = {"symbol": "o", "symbolSize": 5, "symbolBrush": colour, "symbolPen": None} if curve.points else {}
        item = self.plot(
            curve.x, curve.y, pen=pg.mkPen(colour, width=curve.width if fine else 1), name=curve.name or None, antialias=fine, **marks
        )
        item.setDownsampling(auto=True, method="peak")
        item.setClipToView(True)
        return item

    def _redraw_targets(self) -> None:
        for line in self._lines:
            self.removeItem(line)
        log = self.getAxis("left").logMode
        pen = pg.mkPen(self._theme.colour("muted"), width=1, style=Qt.PenStyle.DashLine)
        self._lines = []
        for target in self._targets:
            label = {"position": 0.98, "color": self._theme.colour("muted"), "anchors": [(1, 1), (1, 1)], "movable": False}
            line = pg.InfiniteLine(np.log10(target.y) if log else target.y, angle=0, pen=pen, label=target.text, labelOpts=label)
            font = QFont(self.font())
            font.setPixelSize(FONT_PIXELS)
            line.label.textItem.setFont(font)
            self.addItem(line)
            self._lines.append(line)

    def _moved(self, where: QPointF) -> None:
        """Read the curves at the cursor."""
        view = self.getPlotItem().vb
        if not view.sceneBoundingRect().contains(where):
            return
        x = view.mapSceneToView(where).x()
        self._cursor.setPos(x)
        self._cursor.show()
        self._tell(self.read_at(x))

    def read_at(self, x: float) -> str:
        """What the curves are at ``x``, in words."""
        parts = []
        for curve in self._curves:
            if len(curve.x) and not curve.faint:
                index = int(np.clip(np.searchsorted(curve.x, x), 0, len(curve.x) - 1))
                if index and x - curve.x[index - 1] < curve.x[index] - x:
                    index -= 1
                value = self._form.format(curve.y[index])
                name = f"{curve.name} " if curve.name else ""
                parts.append(f"{name}{value}{self._unit} at step {int(curve.x[index])}")
        return " · ".join(parts)
