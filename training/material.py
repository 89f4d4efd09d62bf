"""From folders of pictures to the pairs that a run trains on and chooses by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError
from training.augment import copies
from training.check import check
from training.data import Pair, PlaneStore, bicubic, load
from training.events import Checked
from training.sources import Source, find, has_validation, hold_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.events import Event
    from training.data import Shrink
    from training.settings import Settings


@dataclass(frozen=True)
class Material:
    """What a run works with. ``pictures`` counts training pictures; degraded and augmented ones have several pairs each."""

    train: list[Pair]
    validation: list[Pair]
    pictures: int


class Preparation:
    """Finds, checks and decodes a run's pictures. Iterate over `events`, then take `material`."""

    def __init__(self, settings: Settings, cache: Path) -> None:
        self._settings = settings
        self._store = PlaneStore(settings.cache_mb, cache)
        self._train: list[Source] = []
        self._validation: list[Source] = []
        self._material: Material | None = None

    @property
    def material(self) -> Material:
        """The pairs. Only after `events` came to its end."""
        assert self._material is not None
        return self._material

    def events(self) -> Iterator[Event]:
        """Look through the pictures, telling which are left out and why, and decode the rest. Raises DataError if none is left."""
        yield from self.look_through()
        if not self._train:
            raise DataError(f"{self._settings.data}: no picture is left to train on")
        self._decode()

    def look_through(self) -> Iterator[Event]:
        """Find the pictures and check them, without keeping any."""
        train, validation = self._found()
        patch = self._settings.hr_patch // self._settings.scale
        bad = set()
        for problem in check(train, validation, self._settings.scale, patch):
            bad.add(problem.file)
            yield problem
        self._train = [source for source in train if str(source.hr) not in bad]
        self._validation = [source for source in validation if str(source.hr) not in bad]
        yield Checked(len(self._train), len(self._validation), len(bad))

    def _found(self) -> tuple[list[Source], list[Source]]:
        """(training, validation) pictures, by the settings' folders and the list of held-out pictures."""
        if not self._settings.data:
            raise DataError("data: give a folder of pictures to train on")
        folder, scale = Path(self._settings.data), self._settings.scale
        train = find(folder, scale)
        if self._settings.val:
            valid = Path(self._settings.val)
            return train, find(valid, scale, "valid")
        if has_validation(folder):
            return train, find(folder, scale, "valid")
        return hold_out(train)

    def _decode(self) -> None:
        settings = self._settings
        shrinks: list[Shrink] = [bicubic]
        if settings.degrade != "none":
            from training.degrade import variants  # noqa: PLC0415 - brings PyAV, which most runs do not need

            shrinks = variants(settings.degrade, settings.degrade_variants, settings.seed)
        more = partial(copies, least=settings.hr_patch) if settings.augment == "all" else None
        self._material = Material(
            train=list(load(self._train, settings.scale, self._store, shrinks, more)),
            validation=list(load(self._validation, settings.scale, self._store, shrinks[:1])),
            pictures=len(self._train),
        )
