"""Under a film's frame: where in the film it is, and which part of it is to be upscaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QFrame, QSlider, QStyle, QStyleOptionSlider

from addersesr_app.film_words import moment
from addersesr_app.views.controls import Button, label, row

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from addersesr_app.theme import Theme
    from engine.serve.protocol import FilmFacts

STEPS_WITHOUT_LENGTH = 1


class Timeline(QSlider):
    """A slider over a film's frames that marks a part of it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._theme = theme
        self._part: tuple[int, int] | None = None

    def mark(self, part: tuple[int, int] | None) -> None:
        """Mark the frames from one up to another; None for none."""
        self._part = part
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the part under the slider."""
        if self._part is not None and self.maximum() > 0:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            style = self.style()
            groove = style.subControlRect(QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderGroove, self)
            left, right = (groove.left() + groove.width() * place / self.maximum() for place in self._part)
            painter = QPainter(self)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent"))
            painter.setOpacity(0.35)
            painter.drawRoundedRect(QRectF(left, groove.center().y() - 7, max(right - left, 2), 15), 3, 3)
            painter.end()
        super().paintEvent(event)


class FilmBar(QFrame):
    """Tells ``moved`` (seconds from the first frame) as the hand scrubs, and ``part_changed``."""

    moved = Signal(float)
    part_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("toolbar")
        self._facts: FilmFacts | None = None
        self.start_s: float | None = None
        self.end_s: float | None = None
        self.line = Timeline(theme)
        self.line.setAccessibleName(self.tr("Moment of the film"))
        self.line.valueChanged.connect(lambda _: self._moved())
        self._time, self._part = label("", "muted"), label("", "small")
        self.begin = Button(theme, self.tr("From here"))
        self.begin.setToolTip(self.tr("Upscale the film from this frame on (I)"))
        self.end = Button(theme, self.tr("To here"))
        self.end.setToolTip(self.tr("Upscale the film up to this frame (O)"))
        self.whole = Button(theme, self.tr("Whole film"))
        self.begin.clicked.connect(self.begin_here)
        self.end.clicked.connect(self.end_here)
        self.whole.clicked.connect(lambda: self._set_part(None, None))
        bar = row(self.line, self._time, self.begin, self.end, self.whole, self._part, margins=(16, 8, 12, 8), spacing=10)
        bar.setStretch(0, 1)
        self.setLayout(bar)
        self.hide()

    def show_film(self, facts: FilmFacts | None) -> None:
        """Show another film, from its beginning; None for a picture."""
        self._facts = facts
        self.setVisible(facts is not None)
        if facts is None:
            self.start_s = self.end_s = None
            return
        frames = max(round((facts.seconds or 0.0) * facts.frames_a_second), STEPS_WITHOUT_LENGTH)
        self.line.blockSignals(True)
        self.line.setRange(0, frames - 1)
        self.line.setPageStep(max(round(facts.frames_a_second), 1))
        self.line.setValue(round(facts.at_s * facts.frames_a_second))
        self.line.blockSignals(False)
        self._set_part(None, None)
        self._show_time()

    @property
    def seconds(self) -> float:
        """Where the hand is."""
        return self.line.value() / self._facts.frames_a_second if self._facts else 0.0

    def step(self, frames: int) -> None:
        """Go on by so many frames."""
        self.line.setValue(self.line.value() + frames)

    def begin_here(self) -> None:
        """Leave out what comes before the frame that is seen."""
        self._set_part(self.seconds or None, self.end_s if self.end_s is None or self.end_s > self.seconds else None)

    def end_here(self) -> None:
        """Leave out what comes after the frame that is seen."""
        if self._facts is not None:
            after = self.seconds + 1 / self._facts.frames_a_second
            self._set_part(self.start_s if self.start_s is None or self.start_s < after else None, after)

    def _moved(self) -> None:
        self._show_time()
        self.moved.emit(self.seconds)

    def _set_part(self, start_s: float | None, end_s: float | None) -> None:
        self.start_s, self.end_s = start_s, end_s
        part = start_s is not None or end_s is not None
        self.whole.setVisible(part)
        rate = self._facts.frames_a_second if self._facts else 1.0
        last = self.line.maximum()
        self.line.mark((round((start_s or 0.0) * rate), last if end_s is None else min(round(end_s * rate), last)) if part else None)
        end = (self._facts.seconds if self._facts else None) if end_s is None else end_s
        self._part.setText(self.tr("{length} chosen").format(length=moment((end or 0.0) - (start_s or 0.0))) if part else "")
        self.part_changed.emit()

    def _show_time(self) -> None:
        length = self._facts.seconds if self._facts else None
        self._time.setText(moment(self.seconds) + (f" / {moment(length)}" if length else ""))
