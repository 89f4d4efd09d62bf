"""What can be done with the keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout

from addersesr_app.views.controls import Button, column, label, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QWidget

    from addersesr_app.theme import Theme


class KeysDialog(QDialog):
    """``groups`` are headings with (keys, what they do) pairs, shown in two columns."""

    def __init__(self, theme: Theme, groups: Sequence[tuple[str, Sequence[tuple[str, str]]]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys"))
        close = Button(theme, self.tr("Close"))
        close.clicked.connect(self.accept)
        halves = [column(*(self._group(*group) for group in groups[start::2]), -1, spacing=18) for start in (0, 1)]
        self.setLayout(
            column(label(self.tr("Keys"), "title"), row(*halves, spacing=48), row(-1, close), margins=(28, 24, 28, 20), spacing=18)
        )

    def _group(self, heading: str, pairs: Sequence[tuple[str, str]]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        grid.addWidget(label(heading, "section"), 0, 0)
        for line, (keys, text) in enumerate(pairs, 1):
            grid.addWidget(label(text), line, 0)
            shown = " / ".join(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys.split(" / "))
            grid.addWidget(label(shown, "badge"), line, 1, Qt.AlignmentFlag.AlignRight)
        return grid
