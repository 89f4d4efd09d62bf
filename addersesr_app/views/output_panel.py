"""Where the result goes: its format, its size and its name, told before it is made."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QSpinBox, QWidget

from addersesr_app import numbers_shown
from addersesr_app.settings import Preset
from addersesr_app.views.controls import column, label, row
from addersesr_app.views.preset_bar import PresetBar
from engine.naming import DEFAULT_TEMPLATE
from engine.serve.protocol import Output

if TYPE_CHECKING:
    from addersesr_app.preferences import Preferences
    from addersesr_app.theme import Theme

FORMATS = ("", ".png", ".jpg", ".webp", ".tif", ".avif", ".bmp")
MAX_SIDE = 65_000


class OutputPanel(QWidget):
    """Shows and changes the format; an exact size counts for the picture that is open. ``changed`` tells."""

    changed = Signal()

    def __init__(self, theme: Theme, preferences: Preferences) -> None:
        super().__init__()
        self.presets = PresetBar(theme, preferences)
        self.presets.picked.connect(self._use)
        self.presets.keep_wanted.connect(self._keep)
        self._preferences = preferences
        self._source: Path | None = None
        self._size, self._scale, self._model = (1, 1), 1, ""
        self.format = format_box(preferences.settings.saving.extension, self.tr("As the source"))
        self.format.setAccessibleName(self.tr("Format"))
        self.format.activated.connect(lambda _: preferences.change("saving", extension=str(self.format.currentData())))
        self.sizing = QComboBox()
        self.sizing.setAccessibleName(self.tr("Size"))
        for value, text in (("", self.tr("As the network gives")), ("width", self.tr("Exact width")), ("height", self.tr("Exact height"))):
            self.sizing.addItem(text, value)
        self.sizing.activated.connect(lambda _: self._sizing_chosen())
        self.side = spin_box(1, MAX_SIDE)
        self.side.setAccessibleName(self.tr("Pixels"))
        self.side.setVisible(False)
        self.side.valueChanged.connect(lambda _: self._update())
        self.metadata = QCheckBox(self.tr("Keep EXIF and XMP"))
        self.metadata.setToolTip(self.tr("The date, the camera, the place. Colour profiles are kept anyway."))
        self.metadata.setChecked(preferences.settings.saving.metadata)
        self.metadata.toggled.connect(lambda value: preferences.change("saving", metadata=value))
        self._name = label("", "small", wrap=True)
        grid = QGridLayout()
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 78)
        grid.setColumnStretch(1, 1)
        size = QWidget()
        size.setLayout(row(self.sizing, self.side, spacing=6))
        lines = {self.tr("Preset"): self.presets, self.tr("Format"): self.format, self.tr("Size"): size, "": self.metadata}
        for line, (text, widget) in enumerate(lines.items()):
            grid.addWidget(label(text, "muted"), line, 0)
            grid.addWidget(widget, line, 1)
        self.setLayout(column(label(self.tr("RESULT"), "section"), grid, self._name, spacing=8))
        preferences.changed.connect(lambda group: self._follow() if group == "saving" else None)

    def show_picture(self, path: str, width: int, height: int) -> None:
        """Name the result of another picture."""
        self._source, self._size = Path(path), (width, height)
        self._size_as(self.presets.chosen())

    def show_network(self, scale: int, model: str) -> None:
        """Name the result of another network."""
        self._scale, self._model = scale, model
        self._update()

    def rules(self) -> Output:
        """Where results go by the settings."""
        saving = self._preferences.settings.saving
        named = (saving.folder or None, saving.template or None, saving.extension or None)
        return Output(*named, saving.quality, saving.existing, metadata=saving.metadata, provenance=saving.provenance)

    def output(self, file: str | None = None) -> Output:
        """Where the open picture's result goes by the settings, or to ``file``; and its exact size."""
        sizing, side = self.sizing.currentData(), self.side.value()
        named = (
            self.rules() if file is None else replace(self.rules(), destination=file, template=None, extension=None, existing="overwrite")
        )
        return replace(named, width=side if sizing == "width" else None, height=side if sizing == "height" else None)

    def target(self) -> tuple[int, int]:
        """The result's width and height."""
        width, height = self._size
        sizing, side = self.sizing.currentData(), self.side.value()
        if sizing == "width":
            return side, max(round(height * side / width), 1)
        if sizing == "height":
            return max(round(width * side / height), 1), side
        return width * self._scale, height * self._scale

    def _use(self, preset: Preset) -> None:
        """Save as a preset says, from now on."""
        self._preferences.change("saving", **{item.name: getattr(preset.saving, item.name) for item in fields(preset.saving)})
        if preset.strength >= 0:
            self._preferences.change("engine", strength=preset.strength)
        self._size_as(preset)

    def _keep(self, name: str) -> None:
        """Keep the present settings under a name."""
        sizing = str(self.sizing.currentData())
        now = self._preferences.settings
        self.presets.keep_as(Preset(name, sizing, self.side.value() if sizing else 0, now.saving, now.engine.strength))

    def _size_as(self, preset: Preset | None) -> None:
        """Take the size of a preset, without one the network's."""
        self.sizing.setCurrentIndex(max(self.sizing.findData(preset.sizing if preset else ""), 0))
        self._sizing_chosen()
        if preset is not None and preset.sizing:
            self.side.setValue(preset.side)

    def _sizing_chosen(self) -> None:
        sizing = self.sizing.currentData()
        self.side.setVisible(bool(sizing))
        self.side.setValue(self._scale * self._size[1 if sizing == "height" else 0])
        self._update()

    def _follow(self) -> None:
        self.metadata.setChecked(self._preferences.settings.saving.metadata)
        self.format.setCurrentIndex(max(self.format.findData(self._preferences.settings.saving.extension), 0))
        self._update()

    def _update(self) -> None:
        self.changed.emit()
        if self._source is None:
            self._name.clear()
            return
        saving = self._preferences.settings.saving
        values = {
            "stem": self._source.stem,
            "scale": self._scale,
            "model": self._model,
            "precision": "fp32",
            "extension": self._source.suffix.lstrip("."),
            "folder": self._source.parent.name,
        }
        name = (saving.template or DEFAULT_TEMPLATE).format_map(values) + (saving.extension or self._source.suffix)
        self._name.setText(f"{name}   {numbers_shown.size(*self.target())}")


def format_box(chosen: str, as_source: str) -> QComboBox:
    """A choice of formats, by their extensions."""
    box = QComboBox()
    for value in FORMATS:
        box.addItem(value.lstrip(".").upper() if value else as_source, value)
    box.setCurrentIndex(max(box.findData(chosen), 0))
    return box


def spin_box(least: int, most: int) -> QSpinBox:
    """A number to be typed; its buttons are hidden by the style sheet."""
    spin = QSpinBox()
    spin.setRange(least, most)
    spin.lineEdit().setTextMargins(8, 0, 0, 0)
    return spin
