"""A run's network: measured beside its relatives, exported, and taken into use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QFileDialog, QHeaderView, QProgressBar, QTableWidget, QTableWidgetItem, QWidget

from addersesr_app import numbers_shown
from addersesr_app.child import Child
from addersesr_app.run_trial import SIZE, Contender, Trial, Verdict
from addersesr_app.views.controls import Button, Card, column, label, row
from engine.errors import AdderSESRError
from engine.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.run_client import RunClient
    from addersesr_app.run_desk import Runs
    from addersesr_app.theme import Theme
    from engine.protocol import ModelCard

ROW = 34
FORMATS = (
    ("onnx", "fp32", "ONNX", ".onnx"),
    ("onnx", "int8", "ONNX, int8", "-int8.onnx"),
    ("tflite", "int8", "TFLite, int8", "-int8.tflite"),
    ("safetensors", "fp32", "Safetensors", ".safetensors"),
)


class ResultView(QWidget):
    """``use_wanted`` gives a model's name when it is in the user's folder, ``difference_wanted`` also what to compare it with.

    ``said`` and ``failed`` give a line for people.
    """

    use_wanted = Signal(str)
    difference_wanted = Signal(str, str)
    said = Signal(str)
    failed = Signal(str)

    def __init__(self, theme: Theme, runs: Runs, models: Path) -> None:
        """``models`` is the user's folder of models."""
        super().__init__()
        self._folder = models
        self._run: RunClient | None = None
        self._cards: tuple[ModelCard, ...] = ()
        self._contenders: list[Contender] = []
        self._target, self._using = Path(), ""
        self._child = Child(runs.program, runs.directory, self)
        self._child.ended.connect(self._on_exported)
        self.trial = Trial(runs.program, runs.directory, self)
        self.trial.measured.connect(self._on_measured)
        self.trial.over.connect(self._trial_over)
        self.use = Button(theme, self.tr("Use this network"), "check", "primary")
        self.use.clicked.connect(lambda: self.take_into_use("use"))
        self.difference = Button(theme, self.tr("See the difference"), "heat")
        self.difference.setToolTip(self.tr("Use it, and show on a picture where it differs from the model of its size, or from bicubic."))
        self.difference.clicked.connect(lambda: self.take_into_use("difference"))
        self.format = QComboBox()
        self.format.setAccessibleName(self.tr("Format"))
        self.export = Button(theme, self.tr("Export…"), "save")
        self.export.clicked.connect(self._ask_where)
        self.evaluate = Button(theme, self.tr("Measure on a folder…"), "bolt")
        self.evaluate.clicked.connect(self._ask_data)
        self.table = _table(self.tr("Measured"))
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.hide()
        self._about = label("", "muted", wrap=True)
        self._note = label("", "small", wrap=True)
        self.collapse = label("", "small", wrap=True)
        self.collapse.hide()
        self._seen: tuple[Path, int] | None = None
        use_card = Card(
            label(self.tr("The network"), "heading"),
            self._about,
            row(self.use, self.difference, 16, self.format, self.export, -1, spacing=8),
            margin=18,
            spacing=12,
        )
        head = row(label(self.tr("Measured"), "heading"), -1, self.evaluate)
        measured = Card(head, self._note, self.collapse, self._busy, self.table, margin=18, spacing=12)
        layout = column(use_card, measured, -1, spacing=12)
        self.setLayout(layout)

    def offer(self, cards: Sequence[ModelCard]) -> None:
        """These models are there to be compared with."""
        self._cards = tuple(cards)

    def show_run(self, run: RunClient) -> None:
        """Show what this run has made."""
        if run is not self._run:
            self._run = run
            self.trial.stop()
            self._busy.hide()
            self.table.hide()
            self._note.setText(
                self.tr("Quality beside float, int8 and related networks, and their speed here. Choose a folder of pictures to measure on.")
            )
            self._offer_formats()
        best = run.record.best
        quality = (
            self.tr("{psnr:.2f} dB on the validation pictures at step {step}.").format(psnr=best.psnr, step=f"{best.step:,}")
            if best
            else ""
        )
        self._about.setText(f"{self._spec_words()} {quality}".strip())
        self.setEnabled(run.model_file is not None)
        if run.model_file is not None:
            self._show_collapse(run.model_file)

    def close_children(self) -> None:
        """End what is measured or exported."""
        self.trial.stop()
        self._child.stop()

    def take_into_use(self, then: Literal["use", "difference"] = "use") -> None:
        """Put the network into the user's folder of models, and then use it."""
        if self._run is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._export("safetensors", "fp32", self._folder / f"{self._run.settings.name}.safetensors", using=then)

    def measure_on(self, data: str) -> None:
        """Measure the network and its relatives on a folder of pictures."""
        if self._run is None or self._run.model_file is None:
            return
        self._contenders = self._relatives(self._run, self._run.model_file)
        self.table.setRowCount(len(self._contenders))
        self.table.setFixedHeight(ROW * (len(self._contenders) + 1) + 8)
        self.table.show()
        for line, one in enumerate(self._contenders):
            self._fill(line, one, Verdict())
        self._note.setText(self.tr("Measuring on {folder}…").format(folder=data))
        self._busy.show()
        self.trial.start(self._contenders, data)

    def _relatives(self, run: RunClient, file: Path) -> list[Contender]:
        """The network, its int8 form, and those models that differ from it in training or blocks alone."""
        settings, spec = run.settings, run.settings.spec
        found = [Contender(run.name, str(file), spec, "fp32")]
        if settings.quant_W or settings.quant_A:
            found.append(Contender(run.name, str(file), spec, "int8"))
        for card in self._cards:
            if (card.scale, card.m, card.f) == (spec.scale, spec.m, spec.f) and card.id != settings.name:
                theirs = NetworkSpec(card.scale, card.m, card.f, card.block, card.activation)
                found += [
                    Contender(card.title, card.file, theirs, precision) for precision in ("fp32", "int8") if precision in card.precisions
                ]
        return found

    def _show_collapse(self, file: Path) -> None:
        """Say what collapsing the blocks changed, read from the model anew when there is another one."""
        from engine.weights import read  # noqa: PLC0415 - brings safetensors, which the page does without until there is a model

        try:
            seen = file, file.stat().st_mtime_ns
            if seen == self._seen:
                return
            error = read(file).about.get("collapse_error")
        except (AdderSESRError, OSError):
            return  # it is just being replaced; the next look finds it
        self._seen = seen
        self.collapse.setVisible(isinstance(error, float))
        if isinstance(error, float):
            words = self.tr(
                "Collapsed for use, the network gives the same picture: no pixel differs by more than about {steps} of 255 steps."
            )
            self.collapse.setText(words.format(steps=np.format_float_positional(255 * error, 2, fractional=False, trim="-")))

    def _spec_words(self) -> str:
        if self._run is None:
            return ""
        try:
            settings = self._run.settings
        except (AdderSESRError, OSError):
            return ""
        blocks = self.tr("adder layers") if settings.spec.block == "adder" else self.tr("convolutions")
        return self.tr("{m} blocks of {f} channels, {blocks}, {scale}×, {count} parameters.").format(
            m=settings.m, f=settings.int_features, blocks=blocks, scale=settings.scale, count=numbers_shown.count(settings.spec.parameters)
        )

    def _offer_formats(self) -> None:
        self.format.clear()
        if self._run is None:
            return
        settings = self._run.settings
        for form, precision, text, ending in FORMATS:
            if precision == "fp32" or settings.quant_W or settings.quant_A:
                self.format.addItem(text, (form, precision, ending))

    def _ask_where(self) -> None:
        form, precision, ending = self.format.currentData()
        assert self._run is not None
        file, _ = QFileDialog.getSaveFileName(self, self.tr("Export"), f"{self._run.name}{ending}")
        if file:
            self.export_to(form, precision, Path(file))

    def export_to(self, form: str, precision: str, target: Path) -> None:
        """Write the network in another format."""
        self._export(form, precision, target, using="")

    def _export(self, form: str, precision: str, target: Path, *, using: str) -> None:
        assert self._run is not None
        assert self._run.model_file is not None
        self._target, self._using = target, using
        for button in (self.use, self.difference, self.export):
            button.setEnabled(False)
        self._child.start("export", "--model", self._run.model_file, "--format", form, "--precision", precision, "-o", target)

    def _on_exported(self, status: int, complaint: str) -> None:
        for button in (self.use, self.difference, self.export):
            button.setEnabled(True)
        if status:
            self.failed.emit(complaint or self.tr("The network could not be exported."))
        elif self._using and self._run is not None:
            self._tell(self._run.settings.name)
        else:
            self.said.emit(self.tr("Exported to {file}").format(file=self._target))

    def _tell(self, name: str) -> None:
        """The network is where models are: have it used."""
        if self._using == "use":
            self.use_wanted.emit(name)
            return
        assert self._run is not None
        spec = self._run.settings.spec
        others = [card.id for card in self._cards if (card.scale, card.m, card.f) == (spec.scale, spec.m, spec.f) and card.id != name]
        self.difference_wanted.emit(name, others[0] if others else "bicubic")

    def _ask_data(self) -> None:
        data = QFileDialog.getExistingDirectory(self, self.tr("Pictures to measure on"))
        if data:
            self.measure_on(data)

    def _on_measured(self, place: int, verdict: Verdict) -> None:
        self._fill(place, self._contenders[place], verdict)
        if verdict.problem:
            self._note.setText(verdict.problem)

    def _trial_over(self) -> None:
        self._busy.hide()
        self._note.setText(
            self.tr("Luma, by the published protocol. Time and arithmetic energy (45 nm) for {size} pixels of input.").format(
                size=numbers_shown.size(*SIZE)
            )
        )

    def _fill(self, line: int, one: Contender, verdict: Verdict) -> None:
        cells = (
            one.name,
            one.precision,
            "–" if verdict.psnr is None else f"{verdict.psnr:.3f} dB",
            "–" if verdict.ssim is None else f"{verdict.ssim:.4f}",
            "–" if verdict.seconds is None else numbers_shown.duration(verdict.seconds),
            numbers_shown.energy(one.energy_mj),
        )
        for place, text in enumerate(cells):
            item = QTableWidgetItem(text)
            if place > 1:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(line, place, item)


def _table(name: str) -> QTableWidget:
    table = QTableWidget(0, 6)
    table.setHorizontalHeaderLabels(["network", "precision", "PSNR", "SSIM", "time here", "energy"])
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.verticalHeader().setDefaultSectionSize(ROW)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    return table
