"""A training run is its folder: what lies where, and the record of its events. Needs no torch, so that a window can follow a run."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import TrainingError
from engine.storing import aside
from training.control import is_running
from training.settings import Settings, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The places in a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """All settings, as TOML."""
        return self.path / "config.toml"

    @property
    def events(self) -> Path:
        """What happened, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def best(self) -> Path:
        """The checkpoint that validated best."""
        return self.path / "checkpoints" / "best.pt"

    def kept(self, step: int) -> Path:
        """A checkpoint that stays."""
        return self.path / "checkpoints" / f"step-{step:08d}.pt"

    def sample(self, name: str) -> Path:
        """A sample picture."""
        return self.path / "samples" / f"{name}.png"

    def model(self, name: str) -> Path:
        """The best network so far, as the engine reads it."""
        return self.path / f"{name}.safetensors"

    def relative(self, file: Path) -> str:
        """A file's name inside the folder, with forward slashes."""
        return file.relative_to(self.path).as_posix()

    def create(self, settings: Settings) -> None:
        """Make the folder for a new run. Raises TrainingError if a run is in it already, or it cannot be made."""
        if self.last.exists() or self.events.exists():
            raise TrainingError(f"{self.path}: a run is here already; give --resume to go on with it, or another --run folder")
        try:
            for part in ("checkpoints", "samples"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.path}: the run's folder cannot be made ({error.strerror})") from error
        self.store(settings)

    def store(self, settings: Settings) -> None:
        """Write the settings down."""
        with aside(self.config, overwrite=True) as temporary:
            temporary.write_text(settings.to_toml(), "utf-8")

    def settings(self) -> Settings:
        """The run's settings. Raises TrainingError where there is no run."""
        try:
            return resolve(tomllib.loads(self.config.read_text("utf-8")))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise TrainingError(f"{self.path}: no run is here ({error})") from error

    @property
    def running(self) -> bool:
        """Whether a process is training in it now."""
        return is_running(self.path)


class Journal:
    """Appends events to a run's record; each line is in the file before the next step begins."""

    def __init__(self, folder: RunFolder) -> None:
        self._file = folder.events.open("a", encoding="utf-8", buffering=1)

    def add(self, event: Event) -> None:
        """Write one event down."""
        self._file.write(event.to_json() + "\n")

    def close(self) -> None:
        """No more events will come."""
        self._file.close()


def read_events(folder: RunFolder) -> list[dict[str, Any]]:
    """What a run has told so far. A last line that was cut short is left out."""
    try:
        lines = folder.events.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def rewind(folder: RunFolder, step: int) -> None:
    """Forget what was told about steps after ``step``: a run that was killed goes on from its last checkpoint and tells them again."""
    kept = [event for event in read_events(folder) if (event.get("step") or 0) <= step and event["event"] != "failed"]
    with aside(folder.events, overwrite=True) as temporary:
        temporary.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept), "utf-8")
