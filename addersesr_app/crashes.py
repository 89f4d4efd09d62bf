"""Faults of the window itself and of the engine's process: written to the log, and shown with it."""

from __future__ import annotations

import platform
import sys
import traceback
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from addersesr_app import __version__, logs

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from addersesr_app.engine_client import EngineClient
    from addersesr_app.theme import Theme
    from addersesr_app.views.crash_dialog import CrashDialog
    from addersesr_app.views.main_window import MainWindow


class Crashes(QObject):
    """From `watch` to `close` an exception that nobody caught opens a dialog; the window goes on where it can."""

    shown = Signal()

    def __init__(self, theme: Theme, window: MainWindow, client: EngineClient, log: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._theme, self._window, self._client, self._log = theme, window, client, log
        self.dialog: CrashDialog | None = None
        self._before = sys.excepthook
        client.gave_up.connect(self.show_engine)

    def watch(self) -> None:
        """Take every exception that nobody catches."""
        sys.excepthook = self._on_exception

    def close(self) -> None:
        """Take none any more."""
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._before

    def show_engine(self, text: str) -> None:
        """Show what the engine's process wrote before it stopped."""
        self._show(text, self._client.log or self.tr("The engine wrote nothing."))

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._before(kind, error, trace)
            return
        logs.record_crash(error, self._log)
        text = self.tr("A fault of this program: {error}. It goes on, but something may not have been done.").format(
            error=error or kind.__name__
        )
        self._show(text, "".join(traceback.format_exception(kind, error, trace)))

    def _show(self, text: str, log: str) -> None:
        if self.dialog is not None and self.dialog.isVisible():
            self.dialog.log.appendPlainText(log)
            return
        from addersesr_app.views.crash_dialog import CrashDialog  # noqa: PLC0415 (seldom needed, it is hoped)

        about = f"AdderSESR {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
        self.dialog = CrashDialog(self._theme, text, about + log, self._log.parent, self._window)
        self.dialog.open()
        self.shown.emit()
