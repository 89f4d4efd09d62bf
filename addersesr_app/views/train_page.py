"""Says how networks are trained from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from addersesr_app.views.controls import Card, IconButton, column, label, row

if TYPE_CHECKING:
    from addersesr_app.theme import Theme

WIDTH = 720
TRAIN = "addersesr train --preset m5 --data FOLDER --run my-run"
RESUME = "addersesr train --run my-run --resume"
SCORE = "addersesr eval --model my-run/model.safetensors --data FOLDER"


class TrainPage(QWidget):
    """Commands to copy."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        card = Card(
            self._step(self.tr("Train a network on a folder of pictures"), TRAIN),
            self._step(self.tr("Go on where it was stopped"), RESUME),
            self._step(self.tr("Measure it"), SCORE),
            spacing=20,
            margin=24,
        )
        intro = label(
            self.tr(
                "Networks are trained from the command line, beside the window. Training needs PyTorch (pip install "
                "“addersesr[train]”). A run can be stopped at any time and goes on where it was."
            ),
            "muted",
            wrap=True,
        )
        page = column(label(self.tr("Train your own"), "title"), intro, 6, card, -1, spacing=10)
        holder = QWidget()
        holder.setMaximumWidth(WIDTH)
        holder.setLayout(page)
        outer = row(holder, margins=(32, 28, 32, 28))
        outer.setAlignment(Qt.AlignmentFlag.AlignLeft)
        outer.setStretch(0, 1)
        self.setLayout(outer)

    def _step(self, text: str, command: str) -> QWidget:
        copy = IconButton(self._theme, "copy", self.tr("Copy: {command}").format(command=command))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(command))
        line = row(label(command, "code", selectable=True), copy, spacing=8)
        line.setStretch(0, 1)
        step = QWidget()
        step.setLayout(column(label(text, "heading"), line, spacing=8))
        return step
