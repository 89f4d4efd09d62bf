"""A run's network: measured beside its relatives, exported, and taken into use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QScrollArea, QWidget

from addersesr_app import numbers_shown
from addersesr_app.child import Child
from addersesr_app.views.controls import Button, Card, column, label, row
from addersesr_app.views.train_measured import MeasuredView
from engine.errors import AdderSESRError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.run_client import RunClient
    from addersesr_app.run_desk import Runs
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

FORMATS = (
    ("onnx", "fp32", "ONNX", ".onnx"),
    ("onnx", "int8", "ONNX, int8", "-int8.onnx"),
    ("tflite", "int8", "TFLite, int8", "-int8.tflite"),
    ("safetensors", "fp32", "Safetensors", ".safetensors"),
)


class ResultView(QScrollArea):
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
        self._target, self._using = Path(), ""
        self._child = Child(runs.program, runs.directory, self)
        self._child.ended.connect(self._on_exported)
        self.use = Button(theme, self.tr("Use this network"), "check", "primary")
        self.use.clicked.connect(lambda: self.take_into_use("use"))
        self.difference = Button(theme, self.tr("See the difference"), "heat")
        self.difference.setToolTip(self.tr("Use it, and show on a picture where it differs from the model of its size, or from bicubic."))
        self.difference.clicked.connect(lambda: self.take_into_use("difference"))
        self.format = QComboBox()
        self.format.setAccessibleName(self.tr("Format"))
        self.export = Button(theme, self.tr("Export…"), "save")
        self.export.clicked.connect(self._ask_where)
        self._about = label("", "muted", wrap=True)
        self.measured = MeasuredView(theme, runs)
        buttons = row(self.use, self.difference, 16, self.format, self.export, -1, spacing=8)
        use_card = Card(label(self.tr("The network"), "heading"), self._about, buttons, margin=18, spacing=12)
        body = QWidget()
        body.setLayout(column(use_card, self.measured, -1, spacing=12))
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(body)

    def offer(self, cards: Sequence[ModelCard]) -> None:
        """These models are there to be compared with."""
        self._cards = tuple(cards)
        self.measured.offer(cards)

    def show_run(self, run: RunClient) -> None:
        """Show what this run has made."""
        if run is not self._run:
            self._run = run
            self._offer_formats()
        self.measured.show_run(run)
        best = run.record.best
        quality = (
            self.tr("{psnr:.2f} dB on the validation pictures at step {step}.").format(psnr=best.psnr, step=f"{best.step:,}")
            if best
            else ""
        )
        self._about.setText(f"{self._spec_words()} {quality}".strip())
        self.setEnabled(run.model_file is not None)

    def close_children(self) -> None:
        """End what is measured or exported."""
        self.measured.trial.stop()
        self._child.stop()

    def take_into_use(self, then: Literal["use", "difference"] = "use") -> None:
        """Put the network into the user's folder of models, and then use it."""
        if self._run is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._export("safetensors", "fp32", self._folder / f"{self._run.settings.name}.safetensors", using=then)

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
