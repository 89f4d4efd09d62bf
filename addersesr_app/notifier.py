"""Tells of the queue's end outside the window: by the desktop's notifications, where there are any."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, QTimer

if TYPE_CHECKING:
    from PySide6.QtGui import QIcon

SHOWN_MS = 12_000


class Notifier(QObject):
    """Without anything to notify with, `tell` does nothing."""

    def __init__(self, icon: QIcon, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._icon = icon

    def tell(self, title: str, text: str) -> None:
        """Notify: through freedesktop's `notify-send`, else through a tray icon that is there as long as its message."""
        command = notification(title, text)
        if command is not None:
            QProcess.startDetached(command[0], command[1:])
            return
        from PySide6.QtWidgets import QSystemTrayIcon  # noqa: PLC0415 (most never need it)

        if QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            tray = QSystemTrayIcon(self._icon, self)
            tray.show()
            tray.showMessage(title, text, self._icon, SHOWN_MS)
            QTimer.singleShot(SHOWN_MS, tray, tray.deleteLater)


def notification(title: str, text: str) -> list[str] | None:
    """The command that notifies on a freedesktop; None where there is none."""
    tool = shutil.which("notify-send") if sys.platform not in ("win32", "darwin") else None
    return None if tool is None else [tool, "--app-name=AdderSESR", "--icon=addersesr", "--", title, text]
