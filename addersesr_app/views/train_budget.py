"""The third step of a training: how long, where, under what name; with what it will take on this machine, measured."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QPlainTextEdit, QProgressBar, QSpinBox, QWidget

from addersesr_app import numbers_shown
from addersesr_app.views.controls import Card, Segments, column, label, row
from addersesr_app.views.output_panel import spin_box
from addersesr_app.views.train_parts import Figure
from engine.errors import ConfigError
from training.settings import check_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from addersesr_app.child import Child

BUDGETS = {"5000": 5_000, "28000": 28_000, "100000": 100_000}
WAIT_MS = 600
VALIDATIONS, LEAST_VALIDATE, MOST_VALIDATE = 30, 20, 1000
MOST_LOGGED = 3000
"""Step events of a run at most about so many, if every step need not be told."""


class BudgetStep(QWidget):
    """Asks for the rest. ``changed`` comes with every choice; `measure` is to be called when the other steps are known."""

    changed = Signal()

    def __init__(self, child: Child) -> None:
        """``child`` measures."""
        super().__init__()
        self._child = child
        self._given: dict[str, Any] = {}
        self.step_seconds: float | None = None
        self.name = QLineEdit()
        self.kind = Segments(
            self.tr("Length"),
            [
                ("5000", self.tr("Quick")),
                ("28000", self.tr("Standard")),
                ("100000", self.tr("Thorough")),
                ("time", self.tr("By the clock")),
            ],
        )
        self.kind.choose("28000")
        self.steps, self.minutes, self.batch = _spin(1, 100_000_000, 28_000), _spin(1, 60_000, 30), _spin(1, 4096, 16)
        self.minutes.setSuffix(self.tr(" min"))
        self.device = QComboBox()
        self.offer_devices(())
        self.more = QPlainTextEdit()
        self.more.setPlaceholderText('learning_rate = 5e-3\nloss = "charbonnier"')
        self.more.setMaximumHeight(92)
        self.complaint = label("", "danger", wrap=True)
        self.figures = {
            "step": Figure(self.tr("a step, measured here"), "number"),
            "total": Figure(self.tr("in all, predicted"), "number"),
            "memory": Figure(self.tr("memory for the network, measured"), "number"),
        }
        self._note = label("", "small", wrap=True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        measured = Card(row(*self.figures.values(), -1, spacing=40), self._busy, self._note, spacing=10)
        self.setLayout(column(measured, Card(self._form(), margin=20), self.complaint, -1, spacing=14))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._measure)
        self._connect()
        self._kind_chosen("28000")

    def offer_devices(self, devices: Sequence[str]) -> None:
        """Offer these devices beside the processor; what was chosen stays."""
        chosen = self.device.currentData()
        self.device.clear()
        self.device.addItem(self.tr("Automatic"), "auto")
        for name in dict.fromkeys(("cpu", *devices)):
            self.device.addItem(self.tr("Processor") if name == "cpu" else name.upper(), name)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))

    def settings(self) -> dict[str, Any]:
        """What was chosen, by the settings' names. Raises ConfigError for further settings that are not understood."""
        steps = self.total_steps
        chosen = {
            "model_name": self.name.text().strip(),
            "steps": steps,
            "batch_size": self.batch.value(),
            "device": self.device.currentData(),
            "log_every": max(1, min(10, steps // MOST_LOGGED)),
            "validate_every": max(LEAST_VALIDATE, min(MOST_VALIDATE, steps // VALIDATIONS)),
        }
        return chosen | further(self.more.toPlainText())

    @property
    def total_steps(self) -> int:
        """The steps of the whole run; by the clock, as far as it is measured."""
        if self.kind.value() == "time" and self.step_seconds:
            return max(1, round(60 * self.minutes.value() / self.step_seconds))
        return self.steps.value()

    def measure(self, settings: Mapping[str, Any]) -> None:
        """Find out what a step takes with these settings, soon."""
        keys = ("data", "val", "sample", "steps", "model_name", "log_every", "validate_every", "degrade")
        given = {name: value for name, value in settings.items() if name not in keys}
        if given != self._given:
            self._given = given
            self.step_seconds = None
            self._show()
            self._timer.start()

    def stop(self) -> None:
        """Measure nothing now."""
        self._timer.stop()
        self._child.stop()
        if self.step_seconds is None:
            self._given = {}

    @property
    def measuring(self) -> bool:
        """Whether a measurement is under way or about to be."""
        return self._timer.isActive() or self._child.running

    def _measure(self) -> None:
        words: list[str] = []
        for name, value in self._given.items():
            words += [f"--{name}", str(value).lower() if isinstance(value, bool) else str(value)]
        self._child.start("train", "--measure", *words)
        self._show()

    def _connect(self) -> None:
        self.kind.chosen.connect(self._kind_chosen)
        for box in (self.steps, self.minutes, self.batch):
            box.valueChanged.connect(self._edited)
        self.name.textChanged.connect(self._edited)
        self.more.textChanged.connect(self._edited)
        self.device.activated.connect(self._edited)
        self._child.told.connect(self._on_told)
        self._child.ended.connect(self._on_ended)

    def _kind_chosen(self, kind: str) -> None:
        by_clock = kind == "time"
        self.minutes.setVisible(by_clock)
        self.steps.setVisible(not by_clock)
        if kind in BUDGETS:
            self.steps.setValue(BUDGETS[kind])
        self._edited()

    def _edited(self) -> None:
        self._show()
        self.changed.emit()

    def _on_told(self, event: dict[str, Any]) -> None:
        if event.get("event") == "measured":
            self.step_seconds = float(event["step_seconds"])
            self.offer_devices(event["devices"])
            memory = event.get("memory_mb")
            self.figures["memory"].show_value("–" if memory is None else f"{memory:.0f} MiB")
            self._note.setText(self.tr("Measured on {device}, with other programs running as they were.").format(device=event["device"]))
            self._show()

    def _on_ended(self, _status: int, complaint: str) -> None:
        if self.step_seconds is None:
            self._note.setText(complaint or self.tr("A step could not be measured."))
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        seconds = self.step_seconds
        self._busy.setVisible(self.measuring and seconds is None)
        if seconds is None:
            for figure in self.figures.values():
                figure.show_value("–")
            if self.measuring:
                self._note.setText(self.tr("Taking some steps to see how long they take…"))
            return
        self.figures["step"].show_value(numbers_shown.duration(seconds))
        self.figures["total"].show_value(
            numbers_shown.short_duration(seconds * self.total_steps), self.tr("{steps} steps").format(steps=f"{self.total_steps:,}")
        )

    def _form(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(10)
        grid.setColumnMinimumWidth(0, 150)
        grid.setColumnStretch(1, 1)
        length = QWidget()
        length.setLayout(row(self.kind, self.steps, self.minutes, -1, spacing=12))
        lines = [
            (self.tr("Name"), self.name),
            (self.tr("Length"), length),
            (self.tr("Batch"), self.batch),
            (self.tr("Device"), self.device),
            (self.tr("Further settings"), self.more),
        ]
        for index, (text, widget) in enumerate(lines):
            widget.setAccessibleName(text)
            grid.addWidget(label(text), index, 0)
            grid.addWidget(widget, index, 1)
        return grid


def further(text: str) -> dict[str, Any]:
    """Further settings as lines of TOML. Raises ConfigError, saying what is wrong."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"further settings: {error}") from error
    check_names(given)
    return given


def _spin(least: int, most: int, value: int) -> QSpinBox:
    spin = spin_box(least, most)
    spin.setValue(value)
    spin.setGroupSeparatorShown(True)
    return spin
