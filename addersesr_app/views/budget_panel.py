"""“The best network within 2 minutes or 5 Wh”: a line to type it, and what was chosen and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from addersesr_app import numbers_shown
from addersesr_app.energies import estimated_mj, labels
from addersesr_app.views.controls import Button, column, label, row
from engine import budget
from engine.budget import Option
from engine.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from addersesr_app.speeds import Speeds
    from addersesr_app.theme import Theme
    from engine.budget import Budget
    from engine.serve.protocol import ModelCard, Network


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: input pixels, how many pictures, and the networks that could do it, at each of their precisions."""

    pixels: int
    pictures: int
    networks: tuple[tuple[ModelCard, Network], ...]


class BudgetPanel(QWidget):
    """``chosen`` tells the best network's id and precision. ``task`` and ``watts`` give what is to be done, and this machine's power."""

    chosen = Signal(str, str)

    def __init__(self, theme: Theme, speeds: Speeds, task: Callable[[], Task], watts: Callable[[], float | None]) -> None:
        super().__init__()
        self._speeds, self._task, self._watts = speeds, task, watts
        self._wanted: tuple[Budget, Task] | None = None
        self.limit = QLineEdit()
        self.limit.setPlaceholderText(self.tr("Best within 2 min, 5 Wh"))
        self.limit.setAccessibleName(self.tr("Best network within"))
        self.limit.setToolTip(self.tr("A time, an energy, or both: the best network that stays within is chosen"))
        self.choose = Button(theme, self.tr("Choose"))
        self.choose.setAccessibleName(self.tr("Choose the best network within this"))
        self.note = label("", "small", wrap=True)
        self.note.hide()
        self.limit.returnPressed.connect(self.choose_now)
        self.choose.clicked.connect(self.choose_now)
        line = row(self.limit, self.choose, spacing=8)
        line.setStretch(0, 1)
        self.setLayout(column(line, self.note, spacing=6))
        speeds.learnt.connect(self._go_on)

    def choose_now(self) -> None:
        """Choose as soon as every network's speed is known."""
        try:
            limit = budget.parse(self.limit.text())
        except UsageError as error:
            self._say(str(error))
            return
        task = self._task()
        if not task.pixels:
            self._say(self.tr("Open a picture first."))
        elif limit.energy_mj is not None and self._watts() is None and not self._measured(task):
            self._say(self.tr("What this computer draws is not known: enter a plug-in meter's figure in the settings (Power under load)."))
        else:
            self._wanted = (limit, task)
            self._say(self.tr("Timing the networks…"))
            for _, network in task.networks:
                self._speeds.learn(network)
            self._go_on()

    def _measured(self, task: Task) -> bool:
        return any(self._speeds.measured_mj(network, 1) is not None for _, network in task.networks)

    def _go_on(self) -> None:
        if self._wanted is None or not all(self._speeds.is_settled(network) for _, network in self._wanted[1].networks):
            return
        (limit, task), self._wanted = self._wanted, None
        options = self._options(task)
        best = budget.best(options, limit)
        if best is None:
            least = budget.cheapest(options, limit)
            text = self.tr("No network stays within that.")
            self._say(
                text if least is None else self.tr("{text} The least is {option}.").format(text=text, option=self._words(least, task))
            )
            return
        self._say(self._words(best, task))
        self.chosen.emit(best.model, best.precision)

    def _options(self, task: Task) -> Sequence[Option]:
        found = []
        for card, network in task.networks:
            seconds = self._speeds.predict(network, task.pixels)
            if seconds is not None:
                measured = self._speeds.measured_mj(network, task.pixels)
                energy_mj = estimated_mj(seconds, self._watts()) if measured is None else measured
                found.append(Option(card.id, network.precision, card.figures(network.precision).get(budget.JUDGED_BY), seconds, energy_mj))
        return found

    def _words(self, option: Option, task: Task) -> str:
        card, network = next(
            (card, network) for card, network in task.networks if (card.id, network.precision) == (option.model, option.precision)
        )
        title = f"{card.title} {option.precision}" if len(card.precisions) > 1 else card.title
        parts = [self.tr("{name}: {time}").format(name=title, time=numbers_shown.duration(option.seconds))]
        if option.energy_mj is not None:
            known = "estimated_mj" if self._speeds.measured_mj(network, 1) is None else "measured_mj"
            parts.append(f"{numbers_shown.energy(option.energy_mj)} {labels()[known]}")
        if task.pictures > 1:
            parts.append(self.tr("for {count} pictures").format(count=task.pictures))
        return ", ".join(parts)

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.show()
