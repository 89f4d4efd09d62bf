"""How strongly a network that was fine-tuned works: from its plain twin on the left to itself on the right."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSlider, QWidget

from addersesr_app.views.controls import label, row

STEPS = 20
LABEL_WIDTH = 44


class StrengthRow(QWidget):
    """A slider in steps of 5 %. ``moved`` tells that a person moved it, also while it is held (`held`), and that it was let go."""

    moved = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 4)
        self.slider.setValue(STEPS)
        self.slider.setAccessibleName(self.tr("Strength"))
        self._value = label("", "small")
        self._value.setFixedWidth(LABEL_WIDTH)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        line = row(label(self.tr("Strength"), "muted"), self.slider, self._value, spacing=10)
        line.setStretch(1, 1)
        self.setLayout(line)
        self.slider.valueChanged.connect(lambda _: self._show())
        self.slider.valueChanged.connect(lambda _: self.moved.emit())
        self.slider.sliderReleased.connect(self.moved)
        self._show()

    @property
    def held(self) -> bool:
        """Whether a hand is on it, and it may go on moving."""
        return self.slider.isSliderDown()

    def value(self) -> float:
        """The strength, 0 to 1."""
        return self.slider.value() / STEPS

    def set_value(self, strength: float) -> None:
        """Show a strength, to the nearest step, without `moved`."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(strength * STEPS))
        self.slider.blockSignals(False)
        self._show()

    def step(self, steps: int) -> None:
        """Move it as a person would."""
        if self.isVisible():
            self.slider.setValue(self.slider.value() + steps)

    def name_ends(self, plain: str, full: str) -> None:
        """Say what its ends are."""
        words = self.tr("0 %: as {plain} · 100 %: as {full} · between: a mixture of both").format(plain=plain, full=full)
        self.setToolTip(words)
        self.slider.setAccessibleDescription(words)

    def _show(self) -> None:
        self._value.setText(f"{round(100 * self.value())} %")
