"""The settings in use: changed from any page, stored soon after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from addersesr_app import settings as stored

if TYPE_CHECKING:
    from pathlib import Path

    from addersesr_app.settings import Settings

SAVE_MS = 800


class Preferences(QObject):
    """Holds the `Settings`. ``changed`` tells the group (``look``, ``engine``, ``saving``) that was changed."""

    changed = Signal(str)

    def __init__(self, settings: Settings, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self._file = file
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_MS)
        self._timer.timeout.connect(self.save)

    def change(self, group: str, **values: Any) -> None:
        """Change values of one group; nothing is told where nothing changes."""
        before = getattr(self.settings, group)
        after = replace(before, **values)
        if after != before:
            self.settings = replace(self.settings, **{group: after})
            self._timer.start()
            self.changed.emit(group)

    def change_presets(self, presets: tuple[stored.Preset, ...]) -> None:
        """Keep these presets; ``changed`` tells ``presets``."""
        if presets != self.settings.presets:
            self.settings = replace(self.settings, presets=presets)
            self._timer.start()
            self.changed.emit("presets")

    def save(self) -> None:
        """Store them now."""
        self._timer.stop()
        stored.save(self.settings, self._file)
