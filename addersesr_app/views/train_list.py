"""The runs there are, down the left side of the training page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from addersesr_app.views.controls import Button, column, label, row, set_role
from addersesr_app.views.train_parts import ChoiceCard, ElidedLabel
from addersesr_app.views.train_words import state_name

if TYPE_CHECKING:
    from addersesr_app.run_client import RunClient
    from addersesr_app.run_desk import Runs
    from addersesr_app.theme import Theme

WIDTH = 236


class RunList(QFrame):
    """A card a run. ``chosen`` gives the run that a person wants to see, ``new_wanted`` asks for a new one."""

    chosen = Signal(object)
    new_wanted = Signal()

    def __init__(self, theme: Theme, runs: Runs) -> None:
        super().__init__()
        self.setObjectName("rail")
        self.setFixedWidth(WIDTH)
        self._runs = runs
        self._shown: RunClient | None = None
        self.cards: dict[str, RunCard] = {}
        self.new = Button(theme, self.tr("New training"), "plus")
        self.new.clicked.connect(self.new_wanted)
        self._column = QVBoxLayout()
        self._column.setSpacing(8)
        self._column.setContentsMargins(0, 0, 0, 0)
        body = QWidget()
        body.setLayout(column(self._column, -1))
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        layout = column(self.new, scroll, margins=(14, 18, 14, 14), spacing=14)
        layout.setStretch(1, 1)
        self.setLayout(layout)
        runs.listed.connect(self._list)
        runs.changed.connect(lambda run: self._update(run.name))
        self._list()

    def show_chosen(self, run: RunClient | None) -> None:
        """Mark the run that is seen."""
        self._shown = run
        for card in self.cards.values():
            card.set_chosen(on=card.run is run)

    def _list(self) -> None:
        for card in self.cards.values():
            self._column.removeWidget(card)
            card.deleteLater()
        self.cards = {run.name: RunCard(run) for run in self._runs.clients}
        for card in self.cards.values():
            card.picked.connect(self._picked)
            self._column.addWidget(card)
        self.show_chosen(self._shown)

    def _picked(self, name: str) -> None:
        self.chosen.emit(self.cards[name].run)

    def _update(self, name: str) -> None:
        if name in self.cards:
            self.cards[name].refresh()


class RunCard(ChoiceCard):
    """One run: its name, its state, how far it is and how good."""

    def __init__(self, run: RunClient) -> None:
        self._state, self._figure = label("", "badge"), label("", "small")
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        name = ElidedLabel("heading")
        name.show_text(run.name)
        super().__init__(run.name, run.name, name, row(self._state, -1, self._figure), self._progress)
        self.run = run
        run.told.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show how it is now."""
        record, best = self.run.record, self.run.record.best
        self._state.setText(state_name(self.run.state))
        set_role(self._state, "badgeAccent" if self.run.state in {"running", "starting"} else "badge")
        self._figure.setText(f"{best.psnr:.2f} dB" if best else "")
        self._progress.setVisible(self.run.going)
        self._progress.setRange(0, record.steps)
        self._progress.setValue(record.step)
