"""Which network: the model, the factor, the precision, and its strength where it has a plain twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from addersesr_app import numbers_shown
from addersesr_app.views.controls import Segments, column, label, row
from addersesr_app.views.strength_row import StrengthRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.serve.protocol import ModelCard


FULL = 1.0


class NetworkPanel(QWidget):
    """Offers the models there are. ``chosen`` tells that a person picked another model, factor, precision or strength."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._cards: tuple[ModelCard, ...] = ()
        self._wanted = ""  # the precision that was picked last, which not every network has, nor a mixture of two
        self.models = QComboBox()
        self.models.setAccessibleName(self.tr("Network"))
        self.models.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.scales = Segments(self.tr("Factor"))
        self.precisions = Segments(self.tr("Precision"))
        self._summary = label("", "small", wrap=True)
        self.strength = StrengthRow()
        self.strength.hide()
        self.reason = label("", "small", wrap=True)
        self.reason.hide()
        self.setLayout(
            column(
                label(self.tr("NETWORK"), "section"),
                self.models,
                self._summary,
                self.reason,
                self.strength,
                row(self.scales, self.precisions, spacing=8),
                spacing=8,
            )
        )
        self.models.activated.connect(self._model_picked)
        self.scales.chosen.connect(self._scale_picked)
        self.precisions.chosen.connect(self._precision_picked)
        self.strength.moved.connect(self._strength_moved)

    def offer(self, cards: Sequence[ModelCard], wanted: str, precision: str) -> None:
        """Offer these models, ``wanted`` (an id) chosen where it is among them, else the first; without `chosen`."""
        self._cards = tuple(cards)
        scales = sorted({card.scale for card in cards})
        self.scales.set_choices([(str(scale), f"{scale}×") for scale in scales])
        self.scales.setVisible(len(scales) > 1)
        first = next((card for card in cards if card.id == wanted), cards[0] if cards else None)
        if first is None:
            self.models.clear()
            self._summary.setText(self.tr("No model is installed."))
            self.strength.hide()
            self.precisions.set_choices([])
            return
        self._wanted = precision
        self._fill(first)

    def card(self) -> ModelCard | None:
        """The chosen model."""
        identity = self.models.currentData()
        return next((card for card in self._cards if card.id == identity), None)

    def precision(self) -> str:
        """The chosen precision; a mixture of two networks has but one."""
        return self.precisions.value() or "fp32"

    def chosen_strength(self) -> float:
        """The chosen strength, 0 to 1; 1 for a network without a twin."""
        card = self.card()
        return self.strength.value() if card is not None and card.plain else FULL

    def say_why(self, text: str) -> None:
        """Say why this network was taken, or nothing."""
        self.reason.setText(text)
        self.reason.setVisible(bool(text))

    def pick(self, identity: str) -> None:
        """Choose a model as a person would."""
        card = next((card for card in self._cards if card.id == identity), None)
        if card is not None:
            self._fill(card)
            self.chosen.emit()

    def pick_form(self, identity: str, precision: str) -> None:
        """As `pick`, at a precision."""
        card = next((card for card in self._cards if card.id == identity), None)
        if card is not None:
            self._wanted = precision
            self._fill(card)
            self.chosen.emit()

    def _fill(self, card: ModelCard) -> None:
        """Offer the models of a card's factor, this one chosen."""
        self.scales.choose(str(card.scale))
        self.models.clear()
        for other in self._cards:
            if other.scale == card.scale:
                self.models.addItem(other.title, other.id)
        self.models.setCurrentIndex(self.models.findData(card.id))
        self._describe(card)

    def _describe(self, card: ModelCard) -> None:
        parts = [self.tr("{count} parameters").format(count=numbers_shown.count(card.parameters))]
        if card.block == "adder":
            parts.insert(0, self.tr("adder layers"))
        if card.through_jpeg:
            middle = card.through_jpeg[len(card.through_jpeg) // 2 - 1]
            told = self.tr("{set} through JPEG {quality}: {value} dB (bicubic {other})")
            values = {"quality": middle.quality, "value": f"{middle.own:.2f}", "other": f"{middle.bicubic:.2f}"}
            parts.append(told.format(set=card.jpeg_set, **values))
        else:
            parts += [f"{name} {value:.2f} dB" for name, value in card.psnr[:1]]
        self._summary.setText(" · ".join(parts))
        self.precisions.set_choices([(name, name) for name in card.precisions])
        self.precisions.setVisible(len(card.precisions) > 1)
        self.strength.setVisible(bool(card.plain))
        self._show_precision(card)
        plain = next((other.title for other in self._cards if other.id == card.plain), card.plain)
        self.strength.name_ends(plain, card.title)

    def _model_picked(self) -> None:
        card = self.card()
        if card is not None:
            self._describe(card)
            self.chosen.emit()

    def _show_precision(self, card: ModelCard) -> None:
        """Show the precision that is wanted as chosen, where the network has it; between two networks there is float32 alone."""
        full = self.chosen_strength() == FULL
        self.precisions.choose("fp32" if "fp32" in card.precisions else card.precisions[0])
        if full:
            self.precisions.choose(self._wanted)
        self.precisions.setEnabled(full)
        self.precisions.setToolTip("" if full else self.tr("A network between two is mixed in float32, and runs in it."))

    def _precision_picked(self, precision: str) -> None:
        self._wanted = precision
        self.chosen.emit()

    def _strength_moved(self) -> None:
        card = self.card()
        if card is not None:
            self._show_precision(card)
        self.chosen.emit()

    def _scale_picked(self, scale: str) -> None:
        """Take the same kind of network at another factor, where there is one."""
        now = self.card()
        fitting = [card for card in self._cards if str(card.scale) == scale]
        alike = [card for card in fitting if now and (card.m, card.f, card.block) == (now.m, now.f, now.block)]
        self._fill((alike or fitting)[0])
        self.chosen.emit()
