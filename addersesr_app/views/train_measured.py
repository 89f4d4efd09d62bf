"""A run's network measured beside its relatives: in numbers, and in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QFileDialog, QHeaderView, QProgressBar, QTableWidget, QTableWidgetItem, QWidget

from addersesr_app import numbers_shown
from addersesr_app.run_trial import SIZE, Contender, Trial, Verdict
from addersesr_app.views.controls import Button, Card, column, label, row
from addersesr_app.views.train_side import SideBySide
from engine.errors import AdderSESRError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from addersesr_app.run_client import RunClient
    from addersesr_app.run_desk import Runs
    from addersesr_app.theme import Theme
    from engine.network import Precision
    from engine.serve.protocol import ModelCard

ROW = 32
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
MOST = 8
"""Networks that are measured at most, bicubic not counted."""


class MeasuredView(QWidget):
    """Float against int8 against adder layers, on a folder of pictures that a person chooses."""

    def __init__(self, theme: Theme, runs: Runs) -> None:
        super().__init__()
        self._run: RunClient | None = None
        self._cards: tuple[ModelCard, ...] = ()
        self._contenders: list[Contender] = []
        self.trial = Trial(runs.program, runs.directory, self)
        self.trial.measured.connect(self._on_measured)
        self.trial.over.connect(self._over)
        self.measure = Button(theme, self.tr("Measure on a folder…"), "bolt")
        self.measure.clicked.connect(self._ask)
        self.table = _table(self.tr("Measured"))
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.note, self.collapse = label("", "small", wrap=True), label("", "small", wrap=True)
        self.side = SideBySide(theme)
        head = row(label(self.tr("Measured"), "heading"), -1, self.measure)
        card = Card(head, self.note, self.collapse, self.busy, self.table, margin=18, spacing=10)
        self.setLayout(column(card, self.side, spacing=12))
        self.collapse.hide()
        self._collapse_seen: tuple[Path, int] | None = None
        self._failed = False

    def offer(self, cards: Sequence[ModelCard]) -> None:
        """These models are there to be compared with."""
        self._cards = tuple(cards)

    def show_run(self, run: RunClient) -> None:
        """Show this run's network; another run's figures go."""
        if run is not self._run:
            self._run = run
            self.trial.stop()
            self.side.show_networks(())
            for widget in (self.busy, self.table):
                widget.hide()
            self.note.setText(
                self.tr("Quality beside float, int8 and adder networks, and their speed here. Choose a folder of pictures to measure on.")
            )
        if run.model_file is not None:
            self._show_collapse(run.model_file)

    def measure_on(self, data: str) -> None:
        """Measure the network and its relatives on a folder of pictures."""
        if self._run is None or self._run.model_file is None:
            return
        self._failed = False
        self._contenders = contenders(self._run, self._run.model_file, self._cards)
        self.table.setRowCount(len(self._contenders))
        self.table.setFixedHeight(ROW * (len(self._contenders) + 1) + 8)
        for line, one in enumerate(self._contenders):
            self._fill(line, one, Verdict())
        self.note.setText(self.tr("Measuring on {folder}…").format(folder=data))
        for widget in (self.busy, self.table):
            widget.show()
        self.trial.start(self._contenders, data)

    def _ask(self) -> None:
        data = QFileDialog.getExistingDirectory(self, self.tr("Pictures to measure on"))
        if data:
            self.measure_on(data)

    def _on_measured(self, place: int, verdict: Verdict) -> None:
        self._fill(place, self._contenders[place], verdict)
        if verdict.problem:
            self._failed = True
            self.note.setText(verdict.problem)
        seen = [(f"{one.name}, {one.precision}", self.trial.crops(number)) for number, one in enumerate(self._contenders)]
        self.side.show_networks([(name, folder) for name, folder in seen if folder.is_dir()])

    def _over(self) -> None:
        self.busy.hide()
        if self._failed:
            return
        text = self.tr("Luma, by the published protocol. Time and arithmetic energy (45 nm) for {size} pixels of input.")
        words = [text.format(size=numbers_shown.size(*SIZE))]
        if all(one.precision != "int8" for one in self._contenders[:2]):
            words.append(self.tr("This network has no int8 form: choose “Train for 8 bits” to get one."))
        self.note.setText(" ".join(words))

    def _fill(self, line: int, one: Contender, verdict: Verdict) -> None:
        cells = (
            one.name,
            one.precision,
            {"adder": self.tr("adder"), "convolution": self.tr("convolution"), "other": "ONNX" if one.spec else "–"}[one.block],
            "–" if verdict.psnr is None else f"{verdict.psnr:.3f} dB",
            "–" if verdict.ssim is None else f"{verdict.ssim:.4f}",
            "–" if verdict.seconds is None else numbers_shown.duration(verdict.seconds),
            "–" if one.energy_mj is None else numbers_shown.energy(one.energy_mj),
        )
        for place, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_alignment(place))
            self.table.setItem(line, place, item)

    def _show_collapse(self, file: Path) -> None:
        """Say what collapsing the blocks changed, read from the model anew when there is another one."""
        from engine.weights import read  # noqa: PLC0415 - brings safetensors, which the page does without until there is a model

        try:
            seen = file, file.stat().st_mtime_ns
            if seen == self._collapse_seen:
                return
            error = read(file).about.get("collapse_error")
        except (AdderSESRError, OSError):
            return  # it is just being replaced; the next look finds it
        self._collapse_seen = seen
        self.collapse.setVisible(isinstance(error, float))
        if isinstance(error, float):
            words = self.tr(
                "Collapsed for use, the network gives the same picture: no pixel differs by more than about {steps} of 255 steps."
            )
            self.collapse.setText(words.format(steps=np.format_float_positional(255 * error, 2, fractional=False, trim="-")))


def contenders(run: RunClient, file: Path, cards: Sequence[ModelCard]) -> list[Contender]:
    """The network, its int8 form, and other models of its factor: those of its size first, adder networks before others; then bicubic."""
    settings, spec = run.settings, run.settings.spec
    found = [Contender(run.name, str(file), spec, "fp32")]
    if settings.quant_W or settings.quant_A:
        found.append(Contender(run.name, str(file), spec, "int8"))
    others = [card for card in cards if card.scale == spec.scale and card.id != settings.name]
    for card in sorted(others, key=lambda card: ((card.m, card.f) != (spec.m, spec.f), card.block == spec.block)):
        found += [Contender(card.title, card.file, card.spec, precision) for precision in PRECISIONS if precision in card.precisions]
    return [*found[:MOST], Contender("Bicubic", "bicubic", None, "fp32", ("--scale", str(spec.scale)))]


def _alignment(place: int) -> Qt.AlignmentFlag:
    return (Qt.AlignmentFlag.AlignLeft if place < 3 else Qt.AlignmentFlag.AlignRight) | Qt.AlignmentFlag.AlignVCenter


def _table(name: str) -> QTableWidget:
    table = QTableWidget(0, 7)
    for place, text in enumerate(("network", "precision", "blocks", "PSNR", "SSIM", "time here", "energy")):
        header = QTableWidgetItem(text)
        header.setTextAlignment(_alignment(place))
        table.setHorizontalHeaderItem(place, header)
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.verticalHeader().setDefaultSectionSize(ROW)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    return table
