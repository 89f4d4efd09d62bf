"""All training runs of this user: those that there are, those that go on, and those that wait for their turn."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QFile, QFileSystemWatcher, QObject, Signal

from addersesr_app.run_client import RunClient
from engine.errors import TrainingError
from training.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.settings import Settings


class Runs(QObject):
    """The runs in one folder, newest first; one goes on at a time, the others queue.

    ``listed`` comes where there are others than before, ``changed`` with the run whose state is another.
    """

    listed = Signal()
    changed = Signal(object)

    def __init__(self, folder: Path, program: Sequence[str], directory: str, parent: QObject | None = None) -> None:
        """``program`` is what stands before a sub-command; it is started in ``directory``."""
        super().__init__(parent)
        self.folder = folder
        self.program, self.directory = tuple(program), directory
        self._clients: dict[str, RunClient] = {}
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(lambda _: self.rescan())
        self.rescan()

    @property
    def clients(self) -> list[RunClient]:
        """Every run, the newest first."""
        return sorted(self._clients.values(), key=lambda run: -run.folder.config.stat().st_mtime if run.folder.config.exists() else 0)

    @property
    def going(self) -> list[RunClient]:
        """The runs that a process has."""
        return [client for client in self._clients.values() if client.going]

    def rescan(self) -> None:
        """Find runs that came or went."""
        if self.folder.is_dir() and str(self.folder) not in self._watcher.directories():
            self._watcher.addPath(str(self.folder))
        found = {path.parent.name for path in self.folder.glob("*/config.toml")}
        before = set(self._clients)
        for name in before - found:
            self._clients.pop(name).deleteLater()
        for name in sorted(found - before):
            self._clients[name] = self._client(self.folder / name)
        if found != before:
            self.listed.emit()

    def free_name(self, wish: str) -> str:
        """``wish``, numbered where a run of that name is there."""
        number, name = 1, wish
        while (self.folder / name).exists():
            number += 1
            name = f"{wish}-{number}"
        return name

    def add(self, settings: Settings) -> RunClient:
        """Make a run named as its model is, and start it; while another goes on it waits. Raises TrainingError, OutputError."""
        path = self.folder / settings.name
        if path.exists():
            raise TrainingError(f"{settings.name}: a run of this name is here already; choose another name")
        try:
            path.mkdir(parents=True)
            if settings.sample:  # kept with the run, wherever it came from
                settings = replace(settings, sample=str(shutil.copy(settings.sample, path / f"sample{Path(settings.sample).suffix}")))
        except OSError as error:
            raise TrainingError(f"{path}: the run's folder cannot be made ({error.strerror})") from error
        RunFolder(path).store(settings)
        self.rescan()
        client = self._clients[settings.name]
        client.queue(wait=True)
        self._start_next()
        return client

    def start_now(self, client: RunClient) -> None:
        """Start a run out of its turn."""
        client.start()

    def remove(self, client: RunClient) -> bool:
        """Move a run that nobody works on to the wastebasket; whether that was possible."""
        if client.going:
            return False
        removed = QFile.moveToTrash(str(client.folder.path))
        done = removed[0] if isinstance(removed, tuple) else bool(removed)
        self.rescan()
        return done

    def close(self) -> None:
        """Let go of every run; those that go on do so."""
        for client in self._clients.values():
            client.release()

    def _client(self, path: Path) -> RunClient:
        client = RunClient(path, self.program, self.directory, self)
        client.state_changed.connect(lambda: self._on_changed(client))
        return client

    def _on_changed(self, client: RunClient) -> None:
        self.changed.emit(client)
        self._start_next()

    def _start_next(self) -> None:
        """Start the run that has waited longest, if none goes on."""
        waiting = [client for client in self._clients.values() if client.state == "queued"]
        if waiting and not self.going:
            min(waiting, key=lambda client: client.folder.config.stat().st_mtime).start()
