"""Above the canvas: which picture, how to compare, and how near."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QSizePolicy

from addersesr_app import numbers_shown
from addersesr_app.comparison import MODES
from addersesr_app.views.controls import IconButton, column, label, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import SignalInstance

    from addersesr_app.comparison import Mode
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard


class CompareBar(QFrame):
    """Tells of clicks; shows what it is told."""

    open_wanted = Signal()
    mode_wanted = Signal(str)
    left_wanted = Signal(str)
    fit_wanted = Signal()
    actual_wanted = Signal()
    loupe_wanted = Signal(bool)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("toolbar")
        self._name, self._sizes = label("", "heading"), label("", "small")
        self._name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._sizes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        texts = {
            "split": self.tr("Split line (D)"),
            "side": self.tr("Side by side (B)"),
            "hold": self.tr("Hold to compare (H, then Space)"),
            "heat": self.tr("Difference (X)"),
        }
        self._modes = {mode: IconButton(theme, mode, texts[mode], checkable=True) for mode in MODES}
        for mode, button in self._modes.items():
            button.setAutoExclusive(True)
            button.clicked.connect(lambda _=False, mode=mode: self.mode_wanted.emit(mode))
        self.left = QComboBox()
        self.left.setAccessibleName(self.tr("Compared with"))
        self.left.setToolTip(self.tr("What the left side is"))
        self.left.activated.connect(lambda _: self.left_wanted.emit(str(self.left.currentData())))
        self.loupe = IconButton(theme, "loupe", self.tr("Loupe (L)"), checkable=True)
        self.loupe.toggled.connect(self.loupe_wanted)
        self._zoom = label("", "muted")
        self._zoom.setMinimumWidth(44)
        self.left.setFixedWidth(150)
        line = row(
            self._button(theme, "open", self.tr("Open (Ctrl+O)"), self.open_wanted),
            column(self._name, self._sizes, spacing=1),
            *self._modes.values(),
            self.left,
            8,
            self._button(theme, "fit", self.tr("Fit (0)"), self.fit_wanted),
            self._button(theme, "actual", self.tr("Actual pixels (1)"), self.actual_wanted),
            self.loupe,
            self._zoom,
            margins=(12, 8, 12, 8),
            spacing=4,
        )
        line.setStretch(1, 1)
        self.setLayout(line)
        self.offer_left((), "bicubic")

    def show_picture(self, name: str, width: int, height: int, scale: int) -> None:
        """Name the picture and its sizes before and after."""
        self._name.setText(name)
        self._name.setToolTip(name)
        self._sizes.setText(f"{numbers_shown.size(width, height)}  →  {numbers_shown.size(width * scale, height * scale)}")

    def show_mode(self, mode: Mode) -> None:
        """Show a mode as chosen."""
        self._modes[mode].setChecked(True)

    def show_zoom(self, zoom: float) -> None:
        """Show the zoom, device pixels an output pixel."""
        self._zoom.setText(f"{zoom * 100:.0f} %")

    def offer_left(self, cards: Sequence[ModelCard], chosen: str) -> None:
        """Offer the interpolations and these models for the left side."""
        self.left.clear()
        for value, text in (("nearest", self.tr("Nearest")), ("bicubic", self.tr("Bicubic")), ("lanczos", self.tr("Lanczos"))):
            self.left.addItem(text, value)
        for card in cards:
            self.left.addItem(card.title, card.id)
        self.left.setCurrentIndex(max(self.left.findData(chosen), 0))

    def _button(self, theme: Theme, icon: str, name: str, wanted: SignalInstance) -> IconButton:
        button = IconButton(theme, icon, name)
        button.clicked.connect(wanted)
        return button
