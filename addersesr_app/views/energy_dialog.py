"""Where the numbers come from: every network for this picture, both plots, and each constant with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QAbstractItemView, QDialog, QGridLayout, QHeaderView, QScrollArea, QTableWidget, QTableWidgetItem, QWidget

from addersesr_app import numbers_shown
from addersesr_app.views.controls import Button, Card, Segments, column, label, row
from addersesr_app.views.plots import Plots
from engine import cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.theme import Theme
    from engine.cost import Accounting, Row
    from engine.serve.protocol import ModelCard, Power

SIZE = (980, 760)
ROW_HEIGHT = 28
SOURCE = "M. Horowitz, “Computing's Energy Problem (and what we can do about it)”, ISSCC 2014: 45 nm, 0.9 V"


class EnergyDialog(QDialog):
    """For one size of picture, one scale and one way to count."""

    def __init__(
        self,
        theme: Theme,
        cards: Sequence[ModelCard],
        current: ModelCard | None,
        size: tuple[int, int],
        accounting: Accounting,
        power: Power,
        watts: float | None,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Cost and energy"))
        self.resize(*SIZE)
        self.plots = Plots(theme)
        self.plots.show_models(cards, current.title if current else "")
        self._size, self._card = size, current
        self.table = QTableWidget()
        self.accounting = Segments(
            self.tr("Counted"), [("published", self.tr("Counted as published")), ("exact", self.tr("Counted exactly"))]
        )
        self.accounting.setToolTip(self.tr("Kernel taps alone, as in every paper's table, or every operation that is done"))
        self.accounting.choose(accounting)
        self.accounting.chosen.connect(self._fill)
        self._fill(accounting)
        close = Button(theme, self.tr("Close"))
        close.clicked.connect(self.accept)
        heading = self.tr("Every network on {size} pixels").format(size=numbers_shown.size(*size))
        body = QWidget()
        body.setLayout(
            column(
                label(self.tr("Quality against cost"), "title"),
                self.plots,
                row(label(heading, "title"), -1, self.accounting),
                self.table,
                Card(label(self.tr("Three kinds of energy, never mixed"), "heading"), _kinds(power, watts), spacing=10),
                Card(
                    label(self.tr("Energy of one operation"), "heading"), _constants(), label(SOURCE, "small", selectable=True), spacing=10
                ),
                -1,
                margins=(24, 20, 24, 20),
                spacing=16,
            )
        )
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(body)
        self.setLayout(column(scroll, row(-1, close, margins=(16, 12, 16, 12)), spacing=0))

    def _fill(self, accounting: str) -> None:
        """Fill the table, the chosen network's lines in bold."""
        lines = cost.table(*self._size, self._card.scale if self._card else 2, accounting)  # type: ignore[arg-type]
        heads = [
            _tr("Network"),
            _tr("Precision"),
            _tr("Parameters"),
            _tr("MACs"),
            _tr("Multiplies"),
            _tr("Additions"),
            _tr("arithmetic, 45 nm"),
        ]
        table = self.table
        table.setRowCount(len(lines))
        table.setColumnCount(len(heads))
        table.setHorizontalHeaderLabels(heads)
        table.setAccessibleName(_tr("Cost of every network"))
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        table.setFixedHeight(ROW_HEIGHT * (len(lines) + 2))
        for index, line in enumerate(lines):
            self._fill_row(index, line)

    def _fill_row(self, index: int, line: Row) -> None:
        counts = (line.cost.parameters, line.cost.macs, line.cost.multiplies, line.cost.additions)
        texts = [line.id, line.precision, *map(numbers_shown.count, counts), numbers_shown.energy(line.cost.energy_mj)]
        for place, text in enumerate(texts):
            item = QTableWidgetItem(text)
            middle = Qt.AlignmentFlag.AlignVCenter
            item.setTextAlignment(middle | Qt.AlignmentFlag.AlignRight if place > 1 else middle)
            font = item.font()
            font.setBold(self._card is not None and line.id == self._card.id)
            item.setFont(font)
            self.table.setItem(index, place, item)
        self.table.setRowHeight(index, ROW_HEIGHT)


def _tr(text: str) -> str:
    return QCoreApplication.translate("EnergyDialog", text)


def _kinds(power: Power, watts: float | None) -> QGridLayout:
    known = (
        _tr("{watts:.0f} W × the predicted or taken time").format(watts=watts)
        if watts
        else _tr(
            "unknown: no power was measured. “addersesr bench” does where there is a meter; or enter a plug-in meter's in the settings"
        )
    )
    meters = ", ".join(power.meters) or _tr("no meter on this computer: {reasons}").format(
        reasons="; ".join(power.missing) or _tr("unknown")
    )
    return _pairs(
        [
            (_tr("arithmetic, 45 nm"), _tr("the network's operations alone, in 45 nm silicon; a computer draws orders of magnitude more")),
            (_tr("estimated on this machine"), known),
            (_tr("measured"), meters),
        ]
    )


def _constants() -> QGridLayout:
    names = {
        cost.Operation.FP32_MULTIPLY: _tr("32-bit float multiplication"),
        cost.Operation.FP32_ADD: _tr("32-bit float addition"),
        cost.Operation.INT32_MULTIPLY: _tr("32-bit integer multiplication"),
        cost.Operation.INT32_ADD: _tr("32-bit integer addition"),
        cost.Operation.INT8_MULTIPLY: _tr("8-bit integer multiplication"),
        cost.Operation.INT8_ADD: _tr("8-bit integer addition"),
    }
    return _pairs([(text, f"{operation.centipicojoules / 100:g} pJ") for operation, text in names.items()])


def _pairs(pairs: Sequence[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setVerticalSpacing(6)
    grid.setHorizontalSpacing(24)
    grid.setColumnStretch(1, 1)
    for line, (name, value) in enumerate(pairs):
        grid.addWidget(label(name, "muted"), line, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(label(value, wrap=True, selectable=True), line, 1)
    return grid
