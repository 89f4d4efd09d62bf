"""What the training page says where torch is not installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from addersesr_app.views.controls import Button, Card, IconButton, column, label, row

if TYPE_CHECKING:
    from addersesr_app.theme import Theme

WIDTH = 720


def torch_is_there() -> bool:
    """Whether torch is installed, without loading it."""
    return find_spec("torch") is not None


def command() -> str:
    """What adds torch to the very Python that runs the window."""
    return f'"{sys.executable}" -m pip install "torch>=2.11"'


class MissingView(QWidget):
    """One sentence and one command to copy. ``again`` asks to look once more."""

    again = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.text = command()
        self.copy = IconButton(theme, "copy", self.tr("Copy the command"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        look = Button(theme, self.tr("Look again"), "retry")
        look.clicked.connect(self.again)
        shown = label(self.text, "code", wrap=True, selectable=True)
        line = row(shown, self.copy, spacing=8)
        line.setStretch(0, 1)
        sentence = label(
            self.tr("Training needs PyTorch, which is not installed here; this command adds it (about 200 MB, more with CUDA):"), wrap=True
        )
        card = Card(sentence, line, row(look, -1), spacing=14, margin=24)
        card.setMaximumWidth(WIDTH)
        self.setLayout(column(label(self.tr("Train your own"), "title"), card, -1, margins=(32, 28, 32, 28), spacing=16))
