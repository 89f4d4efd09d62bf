"""Small parts that every page is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QLayout

    from addersesr_app.theme import Theme

Box = TypeVar("Box", QVBoxLayout, QHBoxLayout)


def label(text: str, role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """A label in one of the style sheet's roles."""
    from PySide6.QtCore import Qt  # noqa: PLC0415 (see `addersesr_app.theme`)

    made = plain_label(text, role)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    return made


def plain_label(text: str, role: str = "") -> QLabel:
    """A label for words of our own, in which there is no mark-up to be shown as it stands."""
    made = QLabel(text)
    made.setProperty("role", role)
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget another role of the style sheet."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def rule() -> QFrame:
    """A thin horizontal line."""
    line = QFrame()
    line.setProperty("role", "rule")
    return line


def column(*items: QWidget | QLayout | int, margins: tuple[int, int, int, int] = (0, 0, 0, 0), spacing: int = 8) -> QVBoxLayout:
    """Widgets and layouts below one another; a number is a space, a negative one stretches."""
    layout = QVBoxLayout()
    return _fill(layout, items, margins, spacing)


def row(*items: QWidget | QLayout | int, margins: tuple[int, int, int, int] = (0, 0, 0, 0), spacing: int = 8) -> QHBoxLayout:
    """As `column`, side by side."""
    layout = QHBoxLayout()
    return _fill(layout, items, margins, spacing)


def _fill(layout: Box, items: Sequence[QWidget | QLayout | int], margins: tuple[int, int, int, int], spacing: int) -> Box:
    layout.setContentsMargins(*margins)
    layout.setSpacing(spacing)
    for item in items:
        if isinstance(item, QWidget):
            layout.addWidget(item)
        elif isinstance(item, int):
            layout.addStretch(-item) if item < 0 else layout.addSpacing(item)
        else:
            layout.addLayout(item)
    return layout


class Card(QFrame):
    """A framed group of things that belong together."""

    def __init__(self, *items: QWidget | QLayout | int, spacing: int = 8, margin: int = 16) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setLayout(column(*items, margins=(margin, margin, margin, margin), spacing=spacing))


class Button(QPushButton):
    """A push button with an icon that follows the theme."""

    def __init__(self, theme: Theme, text: str, icon: str = "", role: str = "") -> None:
        super().__init__(text)
        self.setProperty("role", role)
        self._theme, self._icon, self._colour = theme, icon, "on_accent" if role == "primary" else "text"
        if icon:
            theme.changed.connect(self._redraw)
            self._redraw()

    def _redraw(self) -> None:
        self.setIcon(self._theme.icon(self._icon, self._colour, 16))
        self.setIconSize(QSize(16, 16))


class IconButton(QToolButton):
    """A button that is an icon alone; ``name`` is its tool tip and what a screen reader says."""

    def __init__(self, theme: Theme, icon: str, name: str, *, checkable: bool = False) -> None:
        super().__init__()
        self._theme, self._icon = theme, icon
        self.setToolTip(name)
        self.setAccessibleName(name)
        self.setCheckable(checkable)
        self.setIconSize(QSize(18, 18))
        theme.changed.connect(self._redraw)
        self._redraw()

    def set_icon(self, icon: str) -> None:
        """Show another icon."""
        self._icon = icon
        self._redraw()

    def _redraw(self) -> None:
        self.setIcon(self._theme.icon(self._icon))


class Segments(QFrame):
    """One of a few choices, side by side. ``chosen`` tells the value that a person picked."""

    chosen = Signal(str)

    def __init__(self, name: str, choices: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.setObjectName("segments")
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, QToolButton] = {}
        self.setLayout(row(spacing=0))
        self.set_choices(choices)

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer (value, text) pairs instead; none is chosen."""
        for button in self._buttons.values():
            self._group.removeButton(button)
            button.deleteLater()
        self._buttons = {value: self._button(value, text) for value, text in choices}

    def button(self, value: str) -> QToolButton:
        """The button of one value."""
        return self._buttons[value]

    def value(self) -> str | None:
        """The chosen value."""
        return next((value for value, button in self._buttons.items() if button.isChecked()), None)

    def choose(self, value: str) -> None:
        """Show ``value`` as chosen, without `chosen`; unknown values are left alone."""
        if value in self._buttons:
            self._buttons[value].setChecked(True)

    def choose_next(self) -> None:
        """Pick the next one, after the last the first, as a person would."""
        values = list(self._buttons)
        if len(values) > 1:
            now = self.value()
            self._buttons[values[(values.index(now) + 1) % len(values) if now else 0]].click()

    def _button(self, value: str, text: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setCheckable(True)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setAccessibleName(f"{self.accessibleName()}: {text}")
        button.clicked.connect(lambda: self.chosen.emit(value))
        self._group.addButton(button)
        layout = self.layout()
        assert layout is not None
        layout.addWidget(button)
        return button
