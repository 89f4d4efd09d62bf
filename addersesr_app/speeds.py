"""How fast networks are on this machine: timed once each, corrected by what real pictures take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.serve.protocol import Bench, Benched

if TYPE_CHECKING:
    from addersesr_app.engine_client import EngineClient
    from engine.events import Event
    from engine.serve.protocol import Network

BENCH_SIZE = (256, 144)
"""Enough to tell, and done before anybody waits for it."""


class Speeds(QObject):
    """Seconds (and, where it was measured, energy) an input pixel by network. ``learnt`` tells that more is known.

    A network's strength changes its weights and not its speed.
    """

    learnt = Signal()

    def __init__(self, client: EngineClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._seconds_a_pixel: dict[Network, float] = {}
        self._measured_mj_a_pixel: dict[Network, float] = {}
        self._asked: set[Network] = set()
        self._failed: set[Network] = set()

    def learn(self, network: Network) -> None:
        """Have a network timed, unless it is known or being timed."""
        network = replace(network, strength=1.0)
        if network not in self._asked:
            self._asked.add(network)
            self._client.ask(lambda identity: Bench(identity, network, *BENCH_SIZE), lambda event: self._on_benched(network, event))

    def note(self, network: Network, pixels: int, seconds: float, measured_mj: float | None = None) -> None:
        """Take a real picture's time, and its energy where that was measured, as the truth."""
        network = replace(network, strength=1.0)
        self._asked.add(network)
        self._seconds_a_pixel[network] = seconds / pixels
        if measured_mj is not None:
            self._measured_mj_a_pixel[network] = measured_mj / pixels

    def is_settled(self, network: Network) -> bool:
        """Whether its speed is known, or cannot be."""
        network = replace(network, strength=1.0)
        return network in self._seconds_a_pixel or network in self._failed

    def predict(self, network: Network, pixels: int) -> float | None:
        """Seconds for a picture of this many input pixels; None while unknown."""
        network = replace(network, strength=1.0)
        known = self._seconds_a_pixel.get(network)
        return None if known is None else known * pixels

    def measured_mj(self, network: Network, pixels: int) -> float | None:
        """Energy for so many input pixels, as it was measured on others; None where it never was."""
        network = replace(network, strength=1.0)
        known = self._measured_mj_a_pixel.get(network)
        return None if known is None else known * pixels

    def _on_benched(self, network: Network, event: Event) -> None:
        if isinstance(event, Benched):
            self._seconds_a_pixel.setdefault(event.network, event.seconds / (event.width * event.height))
        else:
            self._failed.add(network)
        self.learnt.emit()
