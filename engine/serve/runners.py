"""The networks that a server has ready to run, and what goes on where one of them fails."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine import strength
from engine.backends import choose
from engine.serve.gallery import Stamp, stamp_of
from engine.upscaler import Upscaler

if TYPE_CHECKING:
    from engine.bench import Calibration
    from engine.catalogue import Catalogue, Entry
    from engine.errors import BackendError
    from engine.foreign import AnyModel
    from engine.serve.protocol import Network


MOST_KEPT = 12
"""Networks ready in each thread: each has memory and threads of its own, and a slider makes one wherever it rests."""


@dataclass
class _Runner:
    """A network made ready from the files that ``stamps`` tell of; ``untold`` is what a person should know of that."""

    stamps: tuple[Stamp, ...]
    upscaler: Upscaler
    untold: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)


class Runners:
    """Makes networks ready and keeps them, for each thread its own: back ends are not shared."""

    def __init__(self, catalogue: Catalogue, calibration: Calibration | None, tile: int) -> None:
        """``tile`` is the largest tile's side in input pixels."""
        self._catalogue, self._tile = catalogue, tile
        self._measured = calibration.measured if calibration else None
        self._own = threading.local()
        self._entries: dict[str, tuple[Stamp, Entry]] = {}

    def upscaler(self, network: Network) -> Upscaler:
        """The network made ready for this thread; the CPU goes on where a device fails. Raises ModelError, BackendError."""
        return self._runner(network).upscaler

    def untold(self, network: Network) -> tuple[str, ...]:
        """What had to be used instead of what was asked for; told once."""
        runner = self._runner(network)
        told, runner.untold = tuple(runner.untold), []
        return told

    def replace(self, network: Network, error: BackendError) -> None:
        """Take the plainest back end that is left in place of the one that failed. Raises ``error`` where there is none."""
        runner = self._runner(network)
        failed = runner.upscaler.backend
        made = choose.stand_in(self.model(network), failed, error, runner.failed, network.backend, network.threads)
        runner.upscaler = Upscaler(made, tile=self._tile)
        runner.untold.append(f"{failed.name} on {failed.device} failed ({error}): going on with {made.name} on the CPU")

    def entry(self, model: str) -> tuple[Stamp, Entry]:
        """A model and its file as it is now, read again only when that changed. Raises ModelError."""
        known = self._entries.get(model)
        if known is None or stamp_of(str(known[1].file)) != known[0]:
            entry = self._catalogue.entry(model)
            known = self._entries[model] = (stamp_of(str(entry.file)), entry)
        return known

    def model(self, network: Network) -> AnyModel:
        """The network at its strength. Raises ModelError, UsageError where it has no plain twin."""
        return strength.at(self.entry(network.model)[1].model, network.strength, self._catalogue.models)

    def look_again(self) -> None:
        """Read model files anew when they are asked for."""
        self._entries.clear()

    def _stamps(self, network: Network) -> tuple[Stamp, ...]:
        """The files that a network is made of: its own, and its twin's where it is mixed with that."""
        stamp, entry = self.entry(network.model)
        plain = strength.plain_id(entry.model)
        return (stamp,) if network.strength == strength.FULL or not plain else (stamp, self.entry(plain)[0])

    def _runner(self, network: Network) -> _Runner:
        kept: dict[Network, _Runner] = self._own.__dict__.setdefault("kept", {})
        stamps = self._stamps(network)
        runner = kept.pop(network, None)
        if runner is None or runner.stamps != stamps:
            untold: list[str] = []
            backend = choose.create(
                self.model(network), network.backend, network.device, network.precision, network.threads, self._measured, untold.append
            )
            runner = _Runner(stamps, Upscaler(backend, tile=self._tile), untold)
        kept[network] = runner  # the last of them
        while len(kept) > MOST_KEPT:
            del kept[next(iter(kept))]
        return runner
