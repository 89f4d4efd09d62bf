"""Fits a network to the picture that is open or to jobs of the queue, shows what that gained, and asks whether to keep it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar, QWidget

from addersesr_app import numbers_shown
from addersesr_app.views.controls import Button, column, label, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.child import Child
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

MINUTES = 3.0


class FitPanel(QWidget):
    """``kept`` gives the id of a network that was put into the user's folder of models, and the paths that it was fitted to."""

    kept = Signal(str, list)

    def __init__(self, theme: Theme, child: Child, models: Path) -> None:
        """``child`` fits; ``models`` is the user's folder of models."""
        super().__init__()
        self._child, self._models = child, models
        self._path, self._is_over, self._name = "", False, ""
        self._card: ModelCard | None = None
        self._inputs: list[str] = []
        self._folder: TemporaryDirectory[str] | None = None
        self._file: Path | None = None
        self.budget = ("--minutes", str(MINUTES))
        """How ``fit`` is told how long it may take."""
        self.begin = Button(theme, self.tr("Fit to this picture"), "train")
        self.begin.setToolTip(
            self.tr("Train the chosen network further on this picture for {minutes:.0f} minutes, and keep it if it does better.").format(
                minutes=MINUTES
            )
        )
        self.cancel, self.discard = Button(theme, self.tr("Cancel")), Button(theme, self.tr("Discard"))
        self.keep = Button(theme, self.tr("Keep and use"), "check", "primary")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(self.tr("Progress of fitting"))
        self.text = label("", "small", wrap=True)
        self.setLayout(column(self.begin, self.progress, self.text, row(self.keep, self.discard, self.cancel, -1), spacing=8))
        self.begin.clicked.connect(self._fit_to_picture)
        self.cancel.clicked.connect(self.stop)
        self.discard.clicked.connect(self.stop)
        self.keep.clicked.connect(self._keep)
        child.told.connect(self._on_told)
        child.ended.connect(self._on_ended)
        self.stop()

    def show_picture(self, path: str, card: ModelCard | None) -> None:
        """What can be fitted to what, from now on; what goes on is left alone."""
        self._path, self._card = path, None if card is None or card.foreign else card
        self._show(working=self._child.running)

    @property
    def busy(self) -> bool:
        """Whether something is fitted, or waits to be kept or discarded."""
        return self._child.running or self._file is not None

    def fit_to(self, inputs: Sequence[Path], card: ModelCard) -> None:
        """Fit a network to pictures, clips and folders; not while it is `busy`."""
        self.stop()
        first, self._inputs = inputs[0], [str(path) for path in inputs]
        self._name = first.name if len(inputs) == 1 else self.tr("{name} and {count} more").format(name=first.name, count=len(inputs) - 1)
        self._folder = TemporaryDirectory(prefix="addersesr-")
        made = Path(self._folder.name) / f"{self._free_name(f'{card.id}-{first.stem}'[:80])}.safetensors"
        self._is_over = False
        self.progress.setValue(0)
        self.text.setText(self.tr("Preparing…"))
        self._child.start("fit", *inputs, "--model", card.file, *self.budget, "-o", made)
        self._show(working=True)

    def stop(self) -> None:
        """Fit no more, and let go of what was made."""
        self._child.stop()
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = self._file = None
        self.text.clear()
        self._show(working=False)

    def _fit_to_picture(self) -> None:
        assert self._card is not None
        self.fit_to([Path(self._path)], self._card)

    def _free_name(self, wish: str) -> str:
        number, name = 1, wish
        while (self._models / f"{name}.safetensors").exists():
            number += 1
            name = f"{wish}-{number}"
        return name

    def _on_told(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "step":
            left = float(event["eta_s"])
            self.progress.setValue(round(1000 * (1 - min(1.0, left / (60 * MINUTES)))))
            self.text.setText(self.tr("Fitting to {name}… {left} left").format(name=self._name, left=numbers_shown.duration(left)))
        elif kind == "fitted":
            self._fitted(float(event["before_db"]), float(event["after_db"]), event["file"])

    def _fitted(self, before: float, after: float, file: str | None) -> None:
        values = {"gain": after - before, "before": before, "after": after, "name": self._name}
        self._file, self._is_over = Path(file) if file else None, True
        if file:
            self.text.setText(
                self.tr("{gain:+.2f} dB on the part of {name} that was held out: {before:.2f} → {after:.2f} dB.").format(**values)
            )
        else:
            self.text.setText(
                self.tr("Nothing gained on the part of {name} that was held out ({before:.2f} → {after:.2f} dB).").format(**values)
            )

    def _on_ended(self, _status: int, complaint: str) -> None:
        if not self._is_over and complaint:
            self.text.setText(complaint)
        self._show(working=False)

    def _keep(self) -> None:
        assert self._file is not None
        self._models.mkdir(parents=True, exist_ok=True)
        name = self._file.stem
        aside = self._models / f".{name}.part"
        aside.write_bytes(self._file.read_bytes())
        aside.replace(self._models / self._file.name)
        self.stop()
        self.kept.emit(name, self._inputs)

    def _show(self, *, working: bool) -> None:
        made = self._file is not None and not working
        self.begin.setVisible(not working and not made and bool(self._path) and self._card is not None)
        self.progress.setVisible(working)
        self.cancel.setVisible(working)
        self.keep.setVisible(made)
        self.discard.setVisible(made)
        self.text.setVisible(bool(self.text.text()))
