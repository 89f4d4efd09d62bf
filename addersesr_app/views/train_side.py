"""What networks make of the pictures that they were measured on, side by side, and below each where it differs from the original."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QGridLayout, QSlider

from addersesr_app.views.controls import Card, label, row
from addersesr_app.views.picture_pane import PicturePane, drag_alike
from addersesr_app.views.train_parts import ElidedLabel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from addersesr_app.theme import Theme

MOST = 4
"""Networks that there is room for."""
SIDE = 170


class SideBySide(Card):
    """The original, then a column a network: its picture, its difference. A slider goes through the pictures."""

    def __init__(self, theme: Theme) -> None:
        self.captions = [ElidedLabel("small") for _ in range(MOST + 1)]
        self.pictures = [PicturePane(theme) for _ in range(MOST + 1)]
        self.differences = [PicturePane(theme) for _ in range(MOST)]
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Picture"))
        self._name = label("", "small")
        self._name.setMinimumWidth(110)
        for pane in (*self.pictures, *self.differences):
            pane.setMinimumSize(120, SIDE)
        drag_alike([*self.pictures, *self.differences])
        grid = QGridLayout()
        grid.setSpacing(8)
        for place, (caption, picture) in enumerate(zip(self.captions, self.pictures, strict=True)):
            grid.addWidget(caption, 0, place)
            grid.addWidget(picture, 1, place)
            grid.setColumnStretch(place, 1)
        for place, pane in enumerate(self.differences, 1):
            grid.addWidget(pane, 2, place)
        hint = label(self.tr("Where each differs from the original, 8 times as bright."), "small", wrap=True)
        hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        grid.addWidget(hint, 2, 0)
        super().__init__(
            row(label(self.tr("SIDE BY SIDE"), "section"), 12, self.slider, self._name, spacing=8), grid, spacing=10, margin=18
        )
        self._folders: tuple[Path, ...] = ()
        self._names: list[str] = []
        self.slider.valueChanged.connect(lambda _: self._show())
        self.hide()

    def show_networks(self, networks: Sequence[tuple[str, Path]]) -> None:
        """Show what each (caption, folder of crops) has, as far as there is room."""
        networks = networks[:MOST]
        self._folders = tuple(folder for _, folder in networks)
        ending = "-original.png"
        first = next(iter(self._folders), None)
        self._names = [] if first is None else sorted(file.name.removesuffix(ending) for file in first.glob(f"*{ending}"))
        self.setVisible(bool(self._names))
        self.captions[0].show_text(self.tr("Original"))
        for place in range(MOST):
            there = place < len(networks)
            self.captions[place + 1].show_text(networks[place][0] if there else "")
            for widget in (self.captions[place + 1], self.pictures[place + 1], self.differences[place]):
                widget.setVisible(there)
        self.slider.setRange(0, max(0, len(self._names) - 1))
        self.slider.setVisible(len(self._names) > 1)
        self._show()

    def _show(self) -> None:
        if not self._names:
            return
        name = self._names[min(self.slider.value(), len(self._names) - 1)]
        self._name.setText(name)
        self.pictures[0].show_image(QImage(str(self._folders[0] / f"{name}-original.png")))
        for place, folder in enumerate(self._folders):
            self.pictures[place + 1].show_image(QImage(str(folder / f"{name}.png")))
            self.differences[place].show_image(QImage(str(folder / f"{name}-difference.png")))
