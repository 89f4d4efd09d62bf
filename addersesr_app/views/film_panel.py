"""How a film is written: container, codec, quality, effort; and what that will take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QWidget

from addersesr_app import film_words
from addersesr_app.views.controls import column, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.events import Planned
    from engine.serve.protocol import FilmFacts, Output
    from engine.video_options import Effort, Grade


class FilmPanel(QWidget):
    """Shown for films alone. ``changed`` tells of every choice."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        as_source = self.tr("As the source")
        endings = ((as_source, ""), *((ending[1:].upper(), ending) for ending in (".mp4", ".mkv", ".mov", ".webm", ".avi", ".ts")))
        self.container = self._box(self.tr("Container"), endings)
        self.codec = self._box(self.tr("Codec"), self._codecs())
        self.codec.setToolTip(self.tr("Where hardware is not there, the processor does it and says so."))
        grades = (
            (self.tr("Small file"), "small"),
            (self.tr("Balanced"), "balanced"),
            (self.tr("High"), "high"),
            (self.tr("Lossless"), "lossless"),
        )
        self.grade = self._box(self.tr("Quality"), grades, "balanced")
        efforts = ((self.tr("Fast"), "fast"), (self.tr("Balanced"), "balanced"), (self.tr("Thorough: smaller files"), "thorough"))
        self.effort = self._box(self.tr("Effort"), efforts, "balanced")
        self.interlaced = QCheckBox(self.tr("Leave it interlaced"))
        self.interlaced.toggled.connect(lambda _: self.changed.emit())
        self._told = label("", "small", wrap=True)
        self._notes = label("", "small", wrap=True)
        grid = QGridLayout()
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 78)
        grid.setColumnStretch(1, 1)
        for line, box in enumerate((self.container, self.codec, self.grade, self.effort)):
            grid.addWidget(label(box.accessibleName(), "muted"), line, 0)
            grid.addWidget(box, line, 1)
        grid.addWidget(self.interlaced, 4, 1)
        self.setLayout(column(label(self.tr("FILM"), "section"), grid, self._told, self._notes, spacing=8))
        self.hide()

    def show_film(self, facts: FilmFacts | None) -> None:
        """Offer the choices for a film; None for a picture."""
        self.setVisible(facts is not None)
        self.interlaced.setVisible(facts is not None and facts.interlaced)
        self.clear_plan()

    def show_fields(self, *, interlaced: bool) -> None:
        """Offer to leave the film interlaced where its frames are that."""
        self.interlaced.setVisible(interlaced)

    @property
    def keeps_interlaced(self) -> bool:
        """Whether a person wants it left interlaced."""
        return self.interlaced.isChecked() and self.interlaced.isVisibleTo(self)

    def show_trying(self) -> None:
        """Say that what the film will take is being found out."""
        self.clear_plan()
        self._told.setText(self.tr("Trying out a few frames…"))

    def show_note(self, message: str) -> None:
        """Say something that a person should know of how the film will be made, beside what is said already."""
        self._notes.setText("\n".join(filter(None, (self._notes.text(), message[:1].upper() + message[1:] + "."))))
        self._notes.setVisible(True)

    def show_plan(self, plan: Planned) -> None:
        """Say what the film will take."""
        self.show_fields(interlaced=plan.interlaced)
        frames = [self.tr("{count} frames").format(count=plan.frames)] if plan.frames is not None else []
        self._told.setText(" · ".join([*frames, *film_words.planned(plan)]))

    def clear_plan(self) -> None:
        """Say nothing any more: the queue tells it."""
        self._told.clear()
        self._notes.clear()
        self._notes.hide()

    def notes(self) -> str:
        """What else is said of it now."""
        return self._notes.text()

    def told(self) -> str:
        """What is said of it now."""
        return self._told.text()

    def output(self, rules: Output) -> Output:
        """The rules with what is chosen here."""
        return replace(
            rules,
            extension=str(self.container.currentData()) or None,
            codec=str(self.codec.currentData()),
            grade=cast("Grade", self.grade.currentData()),
            effort=cast("Effort", self.effort.currentData()),
            keep_interlaced=self.keeps_interlaced,
        )

    def _codecs(self) -> tuple[tuple[str, str], ...]:
        """The codecs by their names for people, those in hardware last."""
        return (
            (self.tr("Automatic"), "auto"),
            ("H.264 (x264)", "x264"),
            ("H.265 (x265)", "x265"),
            ("AV1", "av1"),
            ("VP9", "vp9"),
            (self.tr("FFV1 (lossless)"), "ffv1"),
            ("ProRes", "prores"),
            (self.tr("H.264, NVIDIA's card"), "h264-nvenc"),
            (self.tr("H.265, NVIDIA's card"), "hevc-nvenc"),
            (self.tr("H.264, Intel's graphics"), "h264-qsv"),
            (self.tr("H.265, Intel's graphics"), "hevc-qsv"),
            (self.tr("H.264, AMD's card"), "h264-amf"),
            (self.tr("H.265, AMD's card"), "hevc-amf"),
            (self.tr("H.264, Apple's hardware"), "h264-videotoolbox"),
            (self.tr("H.265, Apple's hardware"), "hevc-videotoolbox"),
        )

    def _box(self, name: str, choices: Sequence[tuple[str, str]], chosen: str = "") -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        for text, value in choices:
            box.addItem(text, value)
        box.setCurrentIndex(max(box.findData(chosen), 0))
        box.activated.connect(lambda _: self.changed.emit())
        return box
