"""The networks there are: a card each, with what they cost and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QWidget

from addersesr_app import numbers_shown
from addersesr_app.views.banner import Banner
from addersesr_app.views.controls import Button, Card, column, label, row
from addersesr_app.views.model_tools import ModelTools
from addersesr_app.views.plots import Plots
from engine import cost

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from addersesr_app.child import Child
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

CARD_WIDTH = 330
MOST_WORDS = 160
"""Characters that a card gives to how its model was trained."""
REFERENCE_SIZE = (640, 360)
"""The published tables' input size."""


class ModelsPage(QWidget):
    """Lists the models. ``use_wanted`` tells the id of the one that a person wants to use."""

    use_wanted = Signal(str)
    size_shown = REFERENCE_SIZE

    def __init__(self, theme: Theme, child: Child, models: Path) -> None:
        """``child`` reads and writes models; ``models`` is the user's own folder of them."""
        super().__init__()
        self._theme = theme
        self.tools, self.banner = ModelTools(theme, child, models, self), Banner(theme)
        self.tools.said.connect(self.banner.say)
        self.tools.failed.connect(self.banner.say_error)
        bring = Button(theme, self.tr("Import…"), "plus")
        bring.clicked.connect(self.tools.ask_import)
        self._cards: list[QWidget] = []
        self.times: dict[str, QLabel] = {}
        self._titles: dict[str, str] = {}
        self._note = label("", "muted", wrap=True)
        self._grid = QGridLayout()
        self._grid.setSpacing(16)
        self.plots = Plots(theme)
        body = QWidget()
        body.setLayout(
            column(
                row(label(self.tr("Models"), "title"), -1, bring),
                self._note,
                self.plots,
                self._grid,
                -1,
                margins=(32, 28, 32, 28),
                spacing=14,
            )
        )
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        self.setLayout(column(self.banner, scroll, spacing=0))

    def offer(self, cards: Sequence[ModelCard], current: str = "") -> None:
        """List these models; the plots mark the one with the id ``current``."""
        self.tools.offer(cards)
        self.plots.show_models(cards, next((card.title for card in cards if card.id == current), ""))
        for old in self._cards:
            old.deleteLater()
        width, height = REFERENCE_SIZE
        self._note.setText(
            self.tr("Costs are for {size} pixels of input; energy is the arithmetic's alone, at 45 nm.").format(
                size=numbers_shown.size(width, height)
            )
            if cards
            else self.tr("No model is installed. Train one with “addersesr train”, or put a .safetensors file into the models folder.")
        )
        self.times = {card.id: label("–") for card in cards}
        self._titles = {card.id: card.title for card in cards}
        self._cards = [self._card(card) for card in cards]
        self._arrange()

    def show_time(self, identity: str, seconds: float | None) -> None:
        """Show what a model takes on this machine for a picture of `REFERENCE_SIZE`."""
        if identity in self.times and seconds is not None:
            self.times[identity].setText(numbers_shown.duration(seconds))

    def resizeEvent(self, event: object) -> None:
        """Use the width there is."""
        self._arrange()

    def _arrange(self) -> None:
        columns = max((self.width() - 64) // (CARD_WIDTH + 16), 1)
        for index, card in enumerate(self._cards):
            self._grid.addWidget(card, index // columns, index % columns)
        for index in range(max(self._grid.columnCount(), columns)):
            self._grid.setColumnStretch(index, 1 if index < columns else 0)

    def _card(self, card: ModelCard) -> Card:
        one = cost.known_cost(card.spec, *REFERENCE_SIZE)
        facts: list[tuple[str, str | QLabel]] = [
            (self.tr("Parameters"), numbers_shown.count(card.parameters)),
            (self.tr("MACs"), numbers_shown.count(one.macs) if one else self.tr("unknown")),
            (self.tr("Energy, fp32"), numbers_shown.energy(one.energy_mj) if one else self.tr("unknown")),
            *((_on_clean(name) if card.through_jpeg else name, f"{value:.2f} dB") for name, value in card.psnr[:2]),
        ]
        small = cost.known_cost(card.spec, *REFERENCE_SIZE, "int8") if "int8" in card.precisions else None
        if small is not None:
            facts.insert(3, (self.tr("Energy, int8"), numbers_shown.energy(small.energy_mj)))
        kind = ("ONNX", "RGB" if card.foreign.channels == 3 else self.tr("luma")) if card.foreign else (card.block,)
        badges = [label(f"{card.scale}×", "badgeAccent"), *(label(text, "badge") for text in (*kind, *card.precisions))]
        use = Button(self._theme, self.tr("Use"))
        use.setAccessibleName(self.tr("Use {name}").format(name=card.title))
        use.clicked.connect(lambda: self.use_wanted.emit(card.id))
        licence = label(card.licence, "small")
        summary = [label(card.summary, "small", wrap=True)] if card.summary else []
        training = [_shortened(self.tr("Trained on {what}").format(what=card.training))] if card.training else []
        return Card(
            label(card.title, "heading"),
            row(*badges, -1, spacing=6),
            *summary,
            *([_JpegTable(card, self._titles.get(card.plain, card.plain))] if card.through_jpeg else []),
            2,
            _facts([*facts, (self.tr("Time on this machine"), self.times[card.id])]),
            *training,
            -1,
            row(licence, -1, self.tools.button(card), use),
            spacing=10,
        )


class _JpegTable(QWidget):
    """How a network for compressed pictures does on such, beside the plain one and bicubic."""

    def __init__(self, card: ModelCard, plain: str) -> None:
        super().__init__()
        title = label(self.tr("PSNR on {set} through JPEG, dB").format(set=card.jpeg_set), "muted")
        grid = QGridLayout()
        grid.setVerticalSpacing(4)
        grid.setHorizontalSpacing(14)
        grid.setColumnStretch(0, 1)
        figures = card.through_jpeg
        rows = (
            (self.tr("JPEG quality"), [str(figure.quality) for figure in figures], "small"),
            (self.tr("This network"), [f"{figure.own:.2f}" for figure in figures], ""),
            (plain or self.tr("The plain network"), [f"{figure.plain:.2f}" for figure in figures], "muted"),
            (self.tr("Bicubic"), [f"{figure.bicubic:.2f}" for figure in figures], "muted"),
        )
        for line, (name, values, role) in enumerate(rows):
            grid.addWidget(label(name, role), line, 0)
            for place, value in enumerate(values, 1):
                grid.addWidget(label(value, role), line, place, Qt.AlignmentFlag.AlignRight)
        self.setLayout(column(title, grid, spacing=4))


def _on_clean(name: str) -> str:
    return QCoreApplication.translate("ModelsPage", "{set}, clean pictures").format(set=name)


def _shortened(text: str) -> QLabel:
    """A text of some lines at most, the whole as its tool tip."""
    made = label(text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS].rsplit(' ', 1)[0]} …", "small", wrap=True)
    made.setToolTip(text)
    return made


def _facts(facts: Sequence[tuple[str, str | QLabel]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(0, 1)
    for line, (name, value) in enumerate(facts):
        grid.addWidget(label(name, "muted"), line, 0)
        grid.addWidget(value if isinstance(value, QLabel) else label(value), line, 1, Qt.AlignmentFlag.AlignRight)
    return grid
