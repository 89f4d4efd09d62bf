"""How the application looks: two sets of colours, one spacing, one style sheet, and icons drawn in the colour of the text.

The window is painted before anything touches PySide6's ``Qt`` or ``QStyle``: their enumerations take a sixth of the time in which an
empty window is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QRectF, QSize, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

import resources
from addersesr_app.style import style_sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

HALF_LIGHT = 128
ICONS = Path(resources.__file__).parent / "icons"


class Colours(NamedTuple):
    """Every colour that the application uses, as ``#rrggbb``. Text on its ground has a contrast of at least 4.5."""

    ground: str
    surface: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    accent_hover: str
    accent_soft: str
    segment: str
    danger: str
    canvas: str


DARK = Colours(
    ground="#14171c",
    surface="#1b1f26",
    raised="#262b34",
    line="#2d333d",
    text="#e8ebf0",
    muted="#98a1af",
    accent="#46c08f",
    on_accent="#07150f",
    accent_hover="#5bd3a2",
    accent_soft="#1d3a31",
    segment="#2d333d",
    danger="#f0796f",
    canvas="#0e1014",
)
LIGHT = Colours(
    ground="#f3f4f6",
    surface="#ffffff",
    raised="#eceef2",
    line="#dfe2e8",
    text="#1a1f27",
    muted="#5c6675",
    accent="#0f7a55",
    on_accent="#ffffff",
    accent_hover="#0b6848",
    accent_soft="#dcf1e8",
    segment="#ffffff",
    danger="#b8332a",
    canvas="#e4e7ec",
)


class Theme(QObject):
    """The look in use. ``changed`` tells everything that paints by hand to paint again."""

    changed = Signal()

    def __init__(self, app: QApplication, choice: str = "auto") -> None:
        super().__init__(app)
        self._app = app
        self._choice = choice
        self._pixmaps: dict[tuple[str, str, int, float], QPixmap] = {}
        self.colours = DARK
        self._desktop_is_dark = app.palette().window().color().lightness() < HALF_LIGHT
        app.styleHints().colorSchemeChanged.connect(self._follow_desktop)
        self._apply()

    @property
    def is_dark(self) -> bool:
        """Whether the dark colours are in use."""
        return self.colours is DARK

    def choose(self, choice: str) -> None:
        """Use ``light`` or ``dark``, or what the desktop says (``auto``)."""
        if choice != self._choice:
            self._choice = choice
            self._apply()

    def colour(self, name: str) -> QColor:
        """One of `Colours` by its name."""
        return QColor(getattr(self.colours, name))

    def icon(self, name: str, colour: str = "text", size: int = 18) -> QIcon:
        """An icon of resources/icons in a colour of `Colours` and at this size."""
        icon = QIcon()
        ratio = self._app.devicePixelRatio()
        icon.addPixmap(self.pixmap(name, colour, size, ratio))
        icon.addPixmap(self.pixmap(name, "muted", size, ratio), QIcon.Mode.Disabled)
        return icon

    def pixmap(self, name: str, colour: str, size: int, ratio: float) -> QPixmap:
        """An icon as ``size`` logical pixels for a screen of this pixel ratio."""
        key = (name, getattr(self.colours, colour), size, ratio)
        if key not in self._pixmaps:
            self._pixmaps[key] = _render(ICONS / f"{name}.svg", key[1], size, ratio)
        return self._pixmaps[key]

    def _follow_desktop(self) -> None:
        from PySide6.QtCore import Qt  # noqa: PLC0415 (see above)

        self._desktop_is_dark = self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        self._apply()

    def _apply(self) -> None:
        dark = self._desktop_is_dark if self._choice == "auto" else self._choice == "dark"
        self.colours = DARK if dark else LIGHT
        self._app.setPalette(_palette(self.colours))
        kind = "dark" if dark else "light"
        self._app.setStyleSheet(
            style_sheet(self.colours._asdict(), *((ICONS / f"{name}-{kind}.svg").as_posix() for name in ("chevron", "check")))
        )
        self.changed.emit()


def _render(file: Path, colour: str, size: int, ratio: float) -> QPixmap:
    pixmap = QPixmap(QSize(size, size) * ratio)
    pixmap.fill(QColor(0, 0, 0, 0))
    pixmap.setDevicePixelRatio(ratio)
    painter = QPainter(pixmap)
    drawing = file.read_text(encoding="utf-8").replace("currentColor", colour)
    QSvgRenderer(drawing.encode()).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


def _palette(colours: Colours) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: colours.ground,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Base: colours.surface,
        QPalette.ColorRole.AlternateBase: colours.raised,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.Button: colours.raised,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.muted,
        QPalette.ColorRole.ToolTipBase: colours.raised,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.Highlight: colours.accent,
        QPalette.ColorRole.HighlightedText: colours.on_accent,
        QPalette.ColorRole.Link: colours.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.muted))
    return palette
