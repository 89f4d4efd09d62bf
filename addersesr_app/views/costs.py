"""Keeps the energy panel true: for this picture, this network and this machine, before, while and after it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from addersesr_app.energies import estimated_mj
from engine.events import Energy
from engine.serve.protocol import Power

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtWidgets import QWidget

    from addersesr_app.preferences import Preferences
    from addersesr_app.session import PictureSession
    from addersesr_app.speeds import Speeds
    from addersesr_app.theme import Theme
    from addersesr_app.views.energy_dialog import EnergyDialog
    from addersesr_app.views.inspector import Inspector
    from engine.serve.protocol import ModelCard, Network, Spent


class Costs(QObject):
    """``network`` gives what is chosen now."""

    def __init__(
        self,
        theme: Theme,
        session: PictureSession,
        speeds: Speeds,
        preferences: Preferences,
        inspector: Inspector,
        network: Callable[[], Network | None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._theme, self._session, self._speeds, self._preferences = theme, session, speeds, preferences
        self._inspector, self._network, self._window = inspector, network, window
        self._power = Power()
        self._cards: tuple[ModelCard, ...] = ()
        self.dialog: EnergyDialog | None = None
        inspector.energy.sources_wanted.connect(self.show_sources)
        preferences.changed.connect(self._setting_changed)
        session.spent.connect(self._show_spent)
        speeds.learnt.connect(self.show)

    @property
    def watts(self) -> float | None:
        """The power that networks draw here: as a person measured it, else as it was calibrated, None while unknown."""
        return self._preferences.settings.engine.watts or self._power.watts

    def know(self, power: Power, cards: Sequence[ModelCard]) -> None:
        """Take what the engine says of this machine's meters, and which models there are."""
        self._power, self._cards = power, tuple(cards)
        self.show()

    def show(self) -> None:
        """Show the time and energy that the network took, or else will take."""
        network, facts, shown = self._network(), self._session.facts, self._session.shown
        if network is None or facts is None:
            return
        pixels = facts.width * facts.height
        if shown is not None:
            self._speeds.note(network, pixels, shown.seconds, shown.measured_mj)
        seconds = shown.seconds if shown else self._speeds.predict(network, pixels)
        panel = self._inspector.energy
        panel.show_time(seconds, taken=shown is not None)
        energy = Energy(None, estimated_mj(seconds, self.watts), shown.measured_mj if shown else None)
        panel.show_energy(energy, self._problem())

    def show_sources(self) -> None:
        """Open the dialog with every network, constant and source."""
        from addersesr_app.views.energy_dialog import EnergyDialog  # noqa: PLC0415 (its plots take a while to load)

        facts, look = self._session.facts, self._preferences.settings.look
        size = (facts.width, facts.height) if facts else (640, 360)
        card = self._session.card
        self.dialog = EnergyDialog(self._theme, self._cards, card, size, look.accounting, self._power, self.watts, self._window)
        self.dialog.accounting.chosen.connect(lambda accounting: self._preferences.change("look", accounting=accounting))
        self.dialog.open()

    def _show_spent(self, spent: Spent) -> None:
        """Show what the work that goes on has taken, how fast it goes and when it ends."""
        energy = Energy(None, estimated_mj(spent.seconds, self.watts), spent.measured_mj)
        self._inspector.energy.show_energy(energy, self._problem(), so_far=True)
        facts, bar = self._session.facts, self._inspector.progress
        if facts is None or bar.maximum() <= 0 or bar.value() <= 0:
            return
        fraction = bar.value() / bar.maximum()
        speed = fraction * facts.width * facts.height / 1e6 / spent.seconds
        self._inspector.show_speed(speed, spent.seconds * (1 - fraction) / fraction)

    def _problem(self) -> str:
        """Why a kind of energy is not known here."""
        parts = [] if self.watts else [self.tr("No power was measured on this computer: see “All networks, constants and sources”.")]
        return "\n".join([*parts, *self._power.missing])

    def _setting_changed(self, group: str) -> None:
        if group == "look":
            self._inspector.energy.count(self._preferences.settings.look.accounting)
        elif group == "engine":
            self.show()
