"""Keeps the computer from falling asleep while there is work, by what each system has for it."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys

from PySide6.QtCore import QObject, QProcess

CONTINUOUS, SYSTEM_REQUIRED = 0x80000000, 0x00000001
"""Flags of Windows' SetThreadExecutionState."""


class Awake(QObject):
    """Holds sleep off between `hold` and `release`; where the system offers nothing, does nothing."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self.held = False

    def set_held(self, held: bool) -> None:
        """Hold sleep off, or no longer."""
        if held == self.held:
            return
        self.held = held
        if sys.platform == "win32":
            ctypes.windll.kernel32.SetThreadExecutionState(CONTINUOUS | (SYSTEM_REQUIRED if held else 0))
        elif held:
            self._start()
        elif self._process is not None:
            self._process.kill()
            self._process.waitForFinished(1000)
            self._process = None

    def _start(self) -> None:
        command = inhibitor(os.getpid())
        if command is not None:
            self._process = QProcess(self)
            self._process.start(command[0], command[1:])


def inhibitor(process: int) -> list[str] | None:
    """The command that holds sleep off as long as it runs (and ends with ``process``); None where the system has none."""
    if sys.platform == "darwin":
        return ["caffeinate", "-i", "-w", str(process)]
    tool = shutil.which("systemd-inhibit")
    if tool is None:
        return None
    wait = ["tail", f"--pid={process}", "-f", "/dev/null"]
    return [tool, "--what=sleep:idle", "--who=AdderSESR", "--why=Upscaling", "--mode=block", *wait]
