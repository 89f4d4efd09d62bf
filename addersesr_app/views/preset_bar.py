"""Named ways of saving: picked from a list, kept under the name that is typed, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from addersesr_app.views.controls import IconButton, row

if TYPE_CHECKING:
    from addersesr_app.preferences import Preferences
    from addersesr_app.settings import Preset
    from addersesr_app.theme import Theme


class PresetBar(QWidget):
    """Shows the settings' presets. ``picked`` tells one; ``keep_wanted`` the name under which the present settings are to be kept."""

    picked = Signal(object)
    keep_wanted = Signal(str)

    def __init__(self, theme: Theme, preferences: Preferences) -> None:
        super().__init__()
        self._preferences = preferences
        self.names = QComboBox()
        self.names.setEditable(True)
        self.names.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.names.setAccessibleName(self.tr("Preset"))
        self.names.setToolTip(self.tr("Pick a way of saving, or type a name and keep the present one"))
        self.names.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        if (field := self.names.lineEdit()) is not None:
            field.setPlaceholderText(self.tr("None"))
        self.keep = IconButton(theme, "save", self.tr("Keep the present settings under this name"))
        self.remove = IconButton(theme, "cancel", self.tr("Remove this preset"))
        self.names.activated.connect(lambda _: self._pick())
        self.names.editTextChanged.connect(lambda _: self._update())
        self.keep.clicked.connect(lambda: self.keep_wanted.emit(self.name()))
        self.remove.clicked.connect(self._remove)
        line = row(self.names, self.keep, self.remove, spacing=2)
        line.setStretch(0, 1)
        self.setLayout(line)
        preferences.changed.connect(lambda group: self._offer() if group == "presets" else None)
        self._offer()

    def name(self) -> str:
        """The name that is picked or typed."""
        return self.names.currentText().strip()

    def chosen(self) -> Preset | None:
        """The preset of that name, if there is one."""
        return next((preset for preset in self._preferences.settings.presets if preset.name == self.name()), None)

    def keep_as(self, preset: Preset) -> None:
        """Keep a preset, in place of one by the same name."""
        others = [other for other in self._preferences.settings.presets if other.name != preset.name]
        self._preferences.change_presets((*others, preset))

    def _offer(self) -> None:
        name = self.name()
        self.names.clear()
        for preset in self._preferences.settings.presets:
            self.names.addItem(preset.name)
        self.names.setCurrentIndex(self.names.findText(name, Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchCaseSensitive))
        self.names.setEditText(name)
        self._update()

    def _pick(self) -> None:
        preset = self.chosen()
        if preset is not None:
            self.picked.emit(preset)

    def _remove(self) -> None:
        kept = tuple(preset for preset in self._preferences.settings.presets if preset.name != self.name())
        self.names.setEditText("")
        self._preferences.change_presets(kept)

    def _update(self) -> None:
        self.keep.setEnabled(bool(self.name()))
        self.remove.setEnabled(self.chosen() is not None)
