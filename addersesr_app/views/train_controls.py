"""What can be done with a run: pause it, stop it, give it more steps, let it go on, remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QSizePolicy, QWidget

from addersesr_app.views.controls import Button, Card, column, label, row, set_role
from addersesr_app.views.output_panel import spin_box
from addersesr_app.views.train_parts import ElidedLabel
from addersesr_app.views.train_words import state_name, state_sentence
from engine.errors import AdderSESRError

if TYPE_CHECKING:
    from addersesr_app.run_client import RunClient, State
    from addersesr_app.theme import Theme

OFFERED: dict[State, tuple[str, ...]] = {
    "queued": ("start", "remove"),
    "starting": ("cancel",),
    "running": ("pause", "change", "stop"),
    "paused": ("resume", "change", "stop"),
    "done": ("change", "remove"),
    "stopped": ("go_on", "change", "remove"),
    "failed": ("go_on", "change", "remove"),
    "interrupted": ("go_on", "change", "remove"),
}
RATE_UNIT = 1e-4


class ControlBar(QWidget):
    """A run's name, its state in words, and the buttons that make sense in it. ``remove_wanted`` is the page's to do."""

    remove_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._run: RunClient | None = None
        self._seen: tuple[RunClient | None, bool] = None, False
        self.title, self.badge, self.sentence = ElidedLabel("title"), label("", "badge"), label("", "muted", wrap=True, selectable=True)
        self.buttons = {
            "go_on": Button(theme, self.tr("Go on"), "play", "primary"),
            "start": Button(theme, self.tr("Start now"), "play", "primary"),
            "resume": Button(theme, self.tr("Resume"), "play", "primary"),
            "pause": Button(theme, self.tr("Pause"), "pause"),
            "change": Button(theme, self.tr("Extend…"), "clock"),
            "stop": Button(theme, self.tr("Stop and keep"), "check"),
            "cancel": Button(theme, self.tr("Cancel"), "cancel"),
            "remove": Button(theme, self.tr("Remove"), "cancel"),
        }
        self.extend = ExtendCard(theme)
        self.extend.hide()
        self.badge.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self.foot = row(self.sentence, spacing=16)
        self.foot.setStretch(0, 1)
        head = row(self.title, self.badge, -1, *self.buttons.values(), spacing=8)
        self.title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setLayout(column(head, self.foot, self.extend, spacing=8))
        self.buttons["change"].clicked.connect(lambda: self.extend.setVisible(not self.extend.isVisible()))
        self.buttons["remove"].clicked.connect(self.remove_wanted)
        for name, do in (
            ("pause", "pause"),
            ("resume", "resume"),
            ("stop", "stop"),
            ("start", "start"),
            ("go_on", "go_on"),
            ("cancel", "cancel"),
        ):
            self.buttons[name].clicked.connect(lambda _=False, do=do: self._do(do))
        self.extend.applied.connect(self.extend.hide)

    def show_run(self, run: RunClient) -> None:
        """Offer what can be done with this run now."""
        if (run, run.going) != self._seen:
            self._seen = self._run, _ = run, run.going
            self.extend.hide()
        self.title.show_text(run.name)
        self.badge.setText(state_name(run.state))
        set_role(self.badge, "badgeAccent" if run.state in {"running", "starting"} else "badge")
        self.sentence.setText(state_sentence(run))
        set_role(self.sentence, "danger" if run.state == "failed" else "muted")
        for name, button in self.buttons.items():
            button.setVisible(name in OFFERED[run.state])
            button.setEnabled(True)
        self.extend.show_run(run)

    def _do(self, action: str) -> None:
        """Do it; the buttons come back with the next state."""
        if self._run is not None:
            for name in ("pause", "resume", "stop", "cancel"):
                self.buttons[name].setEnabled(False)
            getattr(self._run, action)()


class ExtendCard(Card):
    """Another number of steps and another rate for what remains. ``applied`` when a person said so."""

    applied = Signal()

    def __init__(self, theme: Theme) -> None:
        self.steps, self.rate = spin_box(1, 100_000_000), QDoubleSpinBox()
        self.steps.setGroupSeparatorShown(True)
        self.steps.setSingleStep(1000)
        self.steps.setAccessibleName(self.tr("Steps in all"))
        self.rate.setRange(0.01, 1000)
        self.rate.setDecimals(2)
        self.rate.setSuffix(" × 10⁻⁴")
        self.rate.setAccessibleName(self.tr("Highest learning rate"))
        self.rate.lineEdit().setTextMargins(8, 0, 0, 0)
        self.apply = Button(theme, self.tr("Apply"), role="primary")
        self.apply.clicked.connect(self._apply)
        line = row(
            label(self.tr("Steps in all")), self.steps, 12, label(self.tr("Highest learning rate")), self.rate, -1, self.apply, spacing=10
        )
        super().__init__(line, margin=12)
        self._run: RunClient | None = None

    def show_run(self, run: RunClient) -> None:
        """Take over what the run has, unless a person is at it."""
        if self.isVisible() and run is self._run:
            return
        self._run = run
        try:
            settings = run.settings
        except (AdderSESRError, OSError):
            return
        self.steps.setValue(max(run.record.steps or settings.steps, run.record.step + 1) + (settings.steps if run.state == "done" else 0))
        self.rate.setValue(settings.learning_rate / RATE_UNIT)

    def _apply(self) -> None:
        if self._run is None:
            return
        steps, rate = self.steps.value(), round(self.rate.value() * RATE_UNIT, 8)
        if self._run.going:
            self._run.change(steps, rate)
        else:
            self._run.go_on(steps, rate)
        self.applied.emit()
