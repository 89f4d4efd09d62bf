"""Setting a training up in three steps: pictures, network, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QWidget

from addersesr_app.child import Child
from addersesr_app.views.controls import Button, Segments, column, label, row
from addersesr_app.views.train_budget import BudgetStep
from addersesr_app.views.train_data import DataStep
from addersesr_app.views.train_network import NetworkStep
from engine.errors import AdderSESRError
from engine.network import model_id
from training.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.run_desk import Runs
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

STEPS = ("data", "network", "run")
WIDTH = 1100


class SetupView(QWidget):
    """The three steps. ``started`` gives the run that was made."""

    started = Signal(object)

    def __init__(self, theme: Theme, runs: Runs) -> None:
        super().__init__()
        self._runs = runs
        self._models: tuple[ModelCard, ...] = ()
        self._named = ""
        self.data = DataStep(theme, Child(runs.program, runs.directory, self))
        self.network = NetworkStep(theme)
        self.budget = BudgetStep(Child(runs.program, runs.directory, self))
        titles = (self.tr("1  Pictures"), self.tr("2  Network"), self.tr("3  Run"))
        self.steps = Segments(self.tr("Steps"), list(zip(STEPS, titles, strict=True)))
        self.steps.setFixedWidth(420)
        self._pages = QStackedWidget()
        for page in (self.data, self.network, self.budget):
            self._pages.addWidget(_scrolled(page))
        self.summary = label("", "muted", wrap=True)
        self.back, self.next = Button(theme, self.tr("Back")), Button(theme, self.tr("Next"), role="primary")
        self.start = Button(theme, self.tr("Start training"), "play", "primary")
        foot = row(self.summary, self.back, self.next, self.start, spacing=12)
        foot.setStretch(0, 1)
        head = row(label(self.tr("Train a new network"), "title"), -1, self.steps, spacing=16)
        layout = column(head, self._pages, foot, margins=(32, 24, 32, 20), spacing=16)
        layout.setStretch(1, 1)
        self.setLayout(layout)
        self._connect()
        self.show_step("data")

    @property
    def step(self) -> str:
        """The step that is seen."""
        return STEPS[self._pages.currentIndex()]

    def offer(self, models: Sequence[ModelCard]) -> None:
        """Offer these models to start from."""
        self._models = tuple(models)
        self.network.offer(models)

    def settings(self) -> dict[str, Any]:
        """Everything that was chosen. Raises ConfigError for further settings that are not understood."""
        return self.data.settings() | self.network.settings() | self.budget.settings()

    def show_step(self, name: str) -> None:
        """See another step."""
        index = STEPS.index(name)
        self._pages.setCurrentIndex(index)
        self.steps.choose(name)
        self.back.setVisible(index > 0)
        self.next.setVisible(index < len(STEPS) - 1)
        self.start.setVisible(index == len(STEPS) - 1)
        if name == "run":
            self._propose_name()
        else:
            self.budget.stop()
        self._changed()

    def begin(self) -> None:
        """Make the run."""
        try:
            client = self._runs.add(resolve(self.settings()))
        except AdderSESRError as error:
            self.budget.complaint.setText(str(error))
            return
        self.budget.stop()
        self._named = ""
        self.budget.name.clear()
        self.show_step("data")
        self.started.emit(client)

    def close_children(self) -> None:
        """End the data check and the measurement."""
        self.data.stop()
        self.budget.stop()

    def _connect(self) -> None:
        self.steps.chosen.connect(self.show_step)
        self.back.clicked.connect(lambda: self.show_step(STEPS[self._pages.currentIndex() - 1]))
        self.next.clicked.connect(lambda: self.show_step(STEPS[self._pages.currentIndex() + 1]))
        self.start.clicked.connect(self.begin)
        self.network.scale.chosen.connect(lambda scale: self.data.set_scale(int(scale)))
        for part in (self.data, self.network, self.budget):
            part.changed.connect(self._changed)

    def _propose_name(self) -> None:
        """Fill a name in that no model and no run has, unless a person chose one."""
        if self.budget.name.text() in {"", self._named}:
            taken = {card.id for card in self._models}
            wish, number = f"my-{model_id(self.network.spec)}", 1
            name = self._runs.free_name(wish)
            while name in taken:
                number += 1
                name = self._runs.free_name(f"{wish}-{number}")
            self._named = name
            self.budget.name.setText(name)

    def _changed(self) -> None:
        complaint = self._complaint()
        self.budget.complaint.setText(complaint if self.step == "run" else "")
        self.next.setEnabled(self.step != "data" or self.data.ready)
        for name in STEPS[1:]:
            self.steps.button(name).setEnabled(self.data.ready)
        waits = self.budget.kind.value() == "time" and self.budget.step_seconds is None
        self.start.setEnabled(self.data.ready and not complaint and not waits)
        self.summary.setText(self._sentence())

    def _complaint(self) -> str:
        """What is wrong with the settings; where nothing is, a step is measured."""
        try:
            settings = self.settings()
            resolve(settings)
        except AdderSESRError as error:
            return str(error)
        if self.step == "run":
            self.budget.measure(settings)
            taken = {card.id for card in self._models}
            name = str(settings.get("model_name"))
            if not name:
                return self.tr("Give the network a name.")
            if name in taken or self._runs.free_name(name) != name:
                return self.tr("There is a network or a run named {name} already; choose another name.").format(name=name)
        return ""

    def _sentence(self) -> str:
        if not self.data.data.path:
            return self.tr("Choose the pictures first.")
        if not self.data.ready:
            return ""
        spec = self.network.spec
        return self.tr("{network}, {steps} steps").format(network=model_id(spec), steps=f"{self.budget.total_steps:,}")


def _scrolled(page: QWidget) -> QScrollArea:
    page.setMaximumWidth(WIDTH)
    body = QWidget()
    line = row(page)
    line.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    line.setStretch(0, 1)
    body.setLayout(line)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(body)
    return scroll
