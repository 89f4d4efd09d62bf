"""A command of ours as a child process whose JSON lines the window listens to. It ends with the window."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess, Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOSING_MS = 2000


class Child(QObject):
    """One run of a command at a time: `start` ends the one before.

    ``told`` gives each JSON object that it prints; ``ended`` its exit status and, where it failed, what it said about that.
    Neither comes any more after `stop`.
    """

    told = Signal(dict)
    ended = Signal(int, str)

    def __init__(self, program: Sequence[str], directory: str, parent: QObject | None = None) -> None:
        """``program`` is what stands before the sub-command; it is started in ``directory``."""
        super().__init__(parent)
        self._program, self._directory = list(program), directory
        self._process: QProcess | None = None
        self._complaint = ""

    @property
    def running(self) -> bool:
        """Whether it works."""
        return self._process is not None

    def start(self, *words: object) -> None:
        """Run a sub-command with its options; ``--json`` is added."""
        self.stop()
        process = QProcess(self)
        process.setWorkingDirectory(self._directory)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        self._process, self._complaint = process, ""
        process.start(self._program[0], [*self._program[1:], *map(str, words), "--json"])

    def stop(self) -> None:
        """End it now; nothing more is told."""
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(CLOSING_MS)
            process.deleteLater()

    def _read(self) -> None:
        process = self._process
        while process is not None and process is self._process and process.canReadLine():
            self._take(bytes(process.readLine().data()))

    def _take(self, line: bytes) -> None:
        try:
            value: Any = json.loads(line)
        except ValueError:
            return  # something that a library printed
        if isinstance(value, dict) and value.get("event") == "failed" and "input" not in value:
            self._complaint = str(value.get("message", ""))
        self.told.emit(value if isinstance(value, dict) else {"values": value})

    def _finished(self, status: int, how: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        self._read()
        errors = bytes(process.readAllStandardError().data()).decode(errors="replace").strip()
        self._process = None
        process.deleteLater()
        crashed = how == QProcess.ExitStatus.CrashExit
        last = errors.splitlines()[-1] if errors else ""
        self.ended.emit(-1 if crashed else status, self._complaint or (last if status or crashed else ""))

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process = None
            self.ended.emit(-1, self.tr("{command} cannot be started").format(command=self._program[0]))
