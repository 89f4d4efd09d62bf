"""The live sample: one crop as it should be, enlarged bicubically, and by the network of any step so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QSlider

from addersesr_app.views.controls import Card, column, label, row
from addersesr_app.views.picture_pane import PicturePane, drag_alike

if TYPE_CHECKING:
    from pathlib import Path

    from addersesr_app.run_client import RunClient
    from addersesr_app.theme import Theme


class SampleView(Card):
    """Four pictures and a slider through time. The slider stays at the newest unless a person moves it back."""

    def __init__(self, theme: Theme) -> None:
        texts = {
            "original": self.tr("Original"),
            "bicubic": self.tr("Bicubic"),
            "step": self.tr("This step"),
            "best": self.tr("Best so far"),
        }
        self.pictures = {name: PicturePane(theme) for name in texts}
        self.captions = {name: label(text, "small") for name, text in texts.items()}
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Step of the sample"))
        self._step = label("", "small")
        self._step.setMinimumWidth(110)
        columns = [column(self.pictures[name], self.captions[name], -1, spacing=4) for name in texts]
        pictures = row(*columns, spacing=12)
        super().__init__(row(label(self.tr("SAMPLE"), "section"), 12, self.slider, self._step, spacing=8), pictures, spacing=10, margin=14)
        self._run: RunClient | None = None
        self._shown: dict[str, Path] = {}
        drag_alike(list(self.pictures.values()))
        self.slider.valueChanged.connect(lambda _: self._show_step())

    def show_run(self, run: RunClient) -> None:
        """Show the samples of this run, or what is new of them."""
        newest = run is not self._run or self.slider.value() == self.slider.maximum()
        self._run = run
        shots = run.record.shots
        self.setVisible(bool(shots))
        if not shots:
            return
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(shots) - 1)
        if newest:
            self.slider.setValue(len(shots) - 1)
        self.slider.blockSignals(False)
        for name in ("original", "bicubic"):
            self._show(name, run.folder.sample(name))
        best = run.record.best
        at_best = next((shot for shot in reversed(shots) if best and shot.step == best.step), None)
        if at_best is not None and best is not None:
            self._show("best", run.folder.path / at_best.file)
            self.captions["best"].setText(self.tr("Best so far: step {step}, {psnr:.2f} dB").format(step=f"{best.step:,}", psnr=best.psnr))
        if run.record.bicubic_db is not None:
            self.captions["bicubic"].setText(self.tr("Bicubic: {psnr:.2f} dB").format(psnr=run.record.bicubic_db))
        self._show_step()

    def _show_step(self) -> None:
        if self._run is None or not self._run.record.shots:
            return
        shots = self._run.record.shots
        shot = shots[min(self.slider.value(), len(shots) - 1)]
        psnr = next((one.psnr for one in reversed(self._run.record.validations) if one.step == shot.step), None)
        self._show("step", self._run.folder.path / shot.file)
        text = self.tr("Step {step}").format(step=f"{shot.step:,}")
        self.captions["step"].setText(text if psnr is None else f"{text}: {psnr:.2f} dB")
        self._step.setText(text)

    def _show(self, name: str, file: Path) -> None:
        if self._shown.get(name) != file:
            self._shown[name] = file
            self.pictures[name].show_image(QImage(str(file)))
