"""What can be done with a model besides using it: import, export, rename, delete, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QMessageBox, QWidget

from addersesr_app.views.controls import IconButton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.child import Child
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

FORMATS = (
    ("onnx", "fp32", "ONNX", ".onnx"),
    ("onnx", "int8", "ONNX, int8", "-int8.onnx"),
    ("tflite", "int8", "TFLite, int8", "-int8.tflite"),
    ("safetensors", "fp32", "Safetensors", ".safetensors"),
)


class ModelTools(QObject):
    """``changed`` tells that there are other models now, ``compare_wanted`` two ids; ``said`` and ``failed`` give a line for people."""

    changed = Signal()
    compare_wanted = Signal(str, str)
    said = Signal(str)
    failed = Signal(str)

    def __init__(self, theme: Theme, child: Child, models: Path, parent: QWidget) -> None:
        """``child`` reads and writes models; ``models`` is the user's own folder of them."""
        super().__init__(parent)
        self._theme, self._child, self._models, self._window = theme, child, models, parent
        self._cards: tuple[ModelCard, ...] = ()
        self._after: Path | None = None
        self._done = ""
        child.ended.connect(self._on_ended)

    def offer(self, cards: Sequence[ModelCard]) -> None:
        """These models are there."""
        self._cards = tuple(cards)

    def is_own(self, card: ModelCard) -> bool:
        """Whether a model is in the user's own folder."""
        return Path(card.file).parent == self._models

    def button(self, card: ModelCard) -> IconButton:
        """A button with a menu of what can be done with this model."""
        made = IconButton(self._theme, "more", self.tr("More about {name}").format(name=card.title))
        made.setMenu(self.menu(card, made))
        made.setPopupMode(IconButton.ToolButtonPopupMode.InstantPopup)
        return made

    def menu(self, card: ModelCard, parent: QWidget) -> QMenu:
        """The menu of one model."""
        menu = QMenu(parent)
        compare = menu.addMenu(self.tr("Compare with"))
        for other in self._cards:
            if other.id != card.id:
                action = compare.addAction(other.title)
                action.triggered.connect(lambda _=False, name=other.id: self.compare_wanted.emit(card.id, name))
        compare.setEnabled(not compare.isEmpty())
        menu.addSeparator()
        for form, precision, text, ending in FORMATS:
            if precision in card.precisions and (card.foreign is None or form == "onnx"):
                action = menu.addAction(self.tr("Export as {format}…").format(format=text))
                action.triggered.connect(lambda _=False, c=card, f=form, p=precision, e=ending: self._ask_export(c, f, p, e))
        if self.is_own(card):
            menu.addSeparator()
            menu.addAction(self.tr("Rename…")).triggered.connect(lambda: self._ask_name(card))
            menu.addAction(self.tr("Delete…")).triggered.connect(lambda: self._ask_delete(card))
        return menu

    def ask_import(self) -> None:
        """Let a person choose a model file to take in."""
        file, _ = QFileDialog.getOpenFileName(self._window, self.tr("Import a model"), "", "*.safetensors *.onnx")
        if file:
            self.take_in(Path(file))

    def take_in(self, file: Path) -> None:
        """Put a model file into the user's folder, once it has been read and found good."""
        target = self._models / file.name
        if target.exists():
            self.failed.emit(self.tr("{name}: a model of this name is here already").format(name=file.name))
            return
        self._write(file, form_of(file), "fp32", target, self.tr("{name} was imported.").format(name=file.stem))

    def rename(self, card: ModelCard, name: str) -> None:
        """Give a model of the user's another id and title."""
        file = Path(card.file)
        target = self._models / f"{name}{file.suffix}"
        if target.exists():
            self.failed.emit(self.tr("{name}: a model of this name is here already").format(name=name))
            return
        self._write(file, form_of(file), "fp32", target, self.tr("{old} is now {name}.").format(old=card.title, name=name), name)
        self._after = file

    def delete(self, card: ModelCard) -> None:
        """Delete a model of the user's."""
        try:
            Path(card.file).unlink()
        except OSError as error:
            self.failed.emit(f"{card.file}: {error.strerror}")
            return
        self.changed.emit()

    def export_to(self, card: ModelCard, form: str, precision: str, file: Path) -> None:
        """Write a model in another format."""
        self._write(Path(card.file), form, precision, file, self.tr("Exported to {file}").format(file=file))

    def _ask_export(self, card: ModelCard, form: str, precision: str, ending: str) -> None:
        file, _ = QFileDialog.getSaveFileName(self._window, self.tr("Export"), f"{card.id}{ending}")
        if file:
            self.export_to(card, form, precision, Path(file))

    def _ask_name(self, card: ModelCard) -> None:
        name, given = QInputDialog.getText(self._window, self.tr("Rename"), self.tr("Name"), text=card.id)
        if given and name.strip() and name.strip() != card.id:
            self.rename(card, name.strip())

    def _ask_delete(self, card: ModelCard) -> None:
        question = self.tr("Delete {name}? Its file cannot be brought back.").format(name=card.title)
        if QMessageBox.question(self._window, self.tr("Delete"), question) == QMessageBox.StandardButton.Yes:
            self.delete(card)

    def _write(self, source: Path, form: str, precision: str, target: Path, done: str, name: str = "") -> None:
        if self._child.running:
            self.failed.emit(self.tr("Another model is being written; try again in a moment."))
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        self._after, self._done = None, done
        words = ["--name", name] if name else []
        self._child.start("export", "--model", source, "--format", form, "--precision", precision, "-o", target, *words)

    def _on_ended(self, status: int, complaint: str) -> None:
        if status:
            self.failed.emit(complaint)
            return
        if self._after is not None:
            self._after.unlink(missing_ok=True)
        self.said.emit(self._done)
        self.changed.emit()


def form_of(file: Path) -> str:
    """The form in which a model file is taken in: its own."""
    return "onnx" if file.suffix == ".onnx" else "safetensors"
