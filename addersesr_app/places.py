"""The folders and files that the application uses on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from platformdirs import PlatformDirs

APPLICATION = "addersesr"
SHIPPED_MODELS = Path(__file__).parent.parent / "resources" / "models"


class Places(NamedTuple):
    """Where things are. None of them needs to exist."""

    shipped_models: Path
    user_models: Path
    calibration: Path
    journal: Path
    log: Path
    settings: Path

    @property
    def models(self) -> tuple[Path, ...]:
        """The folders that models are looked for in: those that ship, then the user's own."""
        return self.shipped_models, self.user_models

    @property
    def glance(self) -> Path:
        """The file with what the window needs before the settings (see `addersesr_app.glance`)."""
        return self.settings.with_name("window.txt")

    @property
    def runs(self) -> Path:
        """The folder of the training runs that the window starts."""
        return self.user_models.parent / "runs"


def places() -> Places:
    """The platform's usual places."""
    dirs = PlatformDirs(APPLICATION, appauthor=False)
    return Places(
        SHIPPED_MODELS,
        dirs.user_data_path / "models",
        dirs.user_cache_path / "calibration.json",
        dirs.user_data_path / "queue.jsonl",
        dirs.user_log_path / "addersesr.log",
        dirs.user_config_path / "settings.toml",
    )
