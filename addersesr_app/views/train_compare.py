"""Runs beside one another: which are drawn over the one that is seen, and in which settings they differ."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QCheckBox, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from addersesr_app.views.controls import Card, column, label
from addersesr_app.views.train_curves import SERIES_DARK, SERIES_LIGHT
from engine.errors import AdderSESRError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.run_client import RunClient
    from addersesr_app.theme import Theme

HIDDEN = ("model_name", "sample", "threads", "log_every", "save_every", "validate_every", "tflite_width", "tflite_height", "cache_mb")
"""Settings that say nothing about the network."""


class CompareRuns(QWidget):
    """``changed`` comes when other runs are to be drawn over the one that is seen."""

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._run: RunClient | None = None
        self._runs: tuple[RunClient, ...] = ()
        self.boxes: dict[str, QCheckBox] = {}
        self._boxes = QVBoxLayout()
        self._boxes.setSpacing(2)
        self._nothing = label(self.tr("There is no other run yet to compare with."), "muted")
        self.table = QTableWidget()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.verticalHeader().hide()
        self.table.setAlternatingRowColors(True)
        self.table.setShowGrid(False)
        self.table.setAccessibleName(self.tr("What differs"))
        self._heading = label(self.tr("WHAT DIFFERS"), "section")
        choose = Card(label(self.tr("DRAW OVER THIS RUN'S CURVES"), "section"), self._nothing, self._boxes, margin=14)
        layout = column(choose, Card(self._heading, self.table, margin=14), spacing=12)
        layout.setStretch(1, 1)
        self.setLayout(layout)

    @property
    def others(self) -> tuple[RunClient, ...]:
        """The runs that were chosen, in their order."""
        return tuple(run for run in self._runs if run is not self._run and run.name in self.boxes and self.boxes[run.name].isChecked())

    def show_run(self, run: RunClient, runs: Sequence[RunClient]) -> None:
        """Offer the other runs."""
        if run is not self._run or tuple(runs) != self._runs:
            chosen = {name for name, box in self.boxes.items() if box.isChecked()}
            self._run, self._runs = run, tuple(runs)
            self._offer(chosen)
            self._fill()

    def _offer(self, chosen: set[str]) -> None:
        for box in self.boxes.values():
            self._boxes.removeWidget(box)
            box.deleteLater()
        self.boxes = {}
        for run in self._runs:
            if run is not self._run:
                box = QCheckBox(run.name)
                box.setChecked(run.name in chosen)
                box.toggled.connect(self._toggled)
                self.boxes[run.name] = box
                self._boxes.addWidget(box)
        self._nothing.setVisible(not self.boxes)

    def _toggled(self) -> None:
        self._fill()
        self.changed.emit()

    def _fill(self) -> None:
        """Write the table: a column a run, a line a setting that is not the same in all, best PSNR first."""
        assert self._run is not None
        shown = (self._run, *self.others)
        lines = [(self.tr("best PSNR"), [f"{run.record.best.psnr:.3f} dB" if run.record.best else "–" for run in shown])]
        lines += [(self.tr("steps taken"), [f"{run.record.step:,}" for run in shown])]
        lines += differences(shown)
        self.table.setColumnCount(len(shown) + 1)
        self.table.setHorizontalHeaderLabels(["", *(run.name for run in shown)])
        self.table.setRowCount(len(lines))
        colours = SERIES_DARK if self._theme.is_dark else SERIES_LIGHT
        for index, (name, values) in enumerate(lines):
            for place, text in enumerate((name, *values)):
                item = QTableWidgetItem(text)
                item.setForeground(self._theme.colour("muted" if not place else "text"))
                self.table.setItem(index, place, item)
        for place in range(len(shown)):
            header = self.table.horizontalHeaderItem(place + 1)
            assert header is not None
            header.setForeground(QColor(colours[place % len(colours)]))
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)


def differences(runs: Sequence[RunClient]) -> list[tuple[str, list[str]]]:
    """(setting, its value in each run) for every setting that differs; nothing for fewer than two runs."""
    stored = [_settings(run) for run in runs]
    names = [name for name in stored[0] if name not in HIDDEN] if stored else []
    lines = [(name, [_shown(values.get(name)) for values in stored]) for name in names]
    return [(name, values) for name, values in lines if len(set(values)) > 1]


def _settings(run: RunClient) -> dict[str, Any]:
    try:
        return asdict(run.settings)
    except (AdderSESRError, OSError):
        return {}


def _shown(value: Any) -> str:
    return {True: "yes", False: "no", "": "–", None: "–"}.get(value, str(value)) if isinstance(value, bool | str | None) else f"{value:g}"
