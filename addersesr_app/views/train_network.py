"""The second step of a training: which network, of which blocks, for which factor, from where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QWidget

from addersesr_app import numbers_shown, published
from addersesr_app.views.controls import Card, Segments, column, label, row
from addersesr_app.views.train_parts import BlockDrawing, ChoiceCard
from engine import cost
from engine.network import PRESETS, Block, NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QLabel

    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

REFERENCE_SIZE = (640, 360)
"""The published tables' input size."""
ANOTHER = "…"


class NetworkStep(QWidget):
    """Cards to choose from. ``changed`` comes with every choice."""

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._models: tuple[ModelCard, ...] = ()
        self.preset, self.block = "m5", "collapsed"
        self.scale = Segments(self.tr("Factor"), [(str(scale), f"{scale}×") for scale in (2, 3, 4)])
        self.scale.choose("2")
        self.quantised = QCheckBox(self.tr("Train for 8 bits"))
        self.quantised.setToolTip(
            self.tr("Weights and activations are rounded as int8 arithmetic will round them, so that the int8 form loses little.")
        )
        self.start = QComboBox()
        self.start.setAccessibleName(self.tr("Start from"))
        self._facts: dict[str, tuple[QLabel, QLabel, QLabel]] = {}
        self.presets = {name: self._preset_card(name) for name in PRESETS}
        self.blocks = {kind: self._block_card(theme, kind) for kind in ("collapsed", "expanded", "collapsed_adder")}
        note = label(
            self.tr("Energy is the arithmetic's alone, at 45 nm, for 640 × 360 pixels of input. PSNR as published, on Set14."),
            "small",
            wrap=True,
        )
        sizes, kinds = row(*self.presets.values(), spacing=10), row(*self.blocks.values(), spacing=10)
        for cards in (sizes, kinds):
            for place in range(cards.count()):
                cards.setStretch(place, 1)
        begin = row(label(self.tr("Start from")), self.start, 16, self.quantised, -1, spacing=12)
        self.setLayout(
            column(
                row(label(self.tr("Size"), "heading"), -1, label(self.tr("Factor")), self.scale, spacing=10),
                sizes,
                note,
                6,
                label(self.tr("Blocks"), "heading"),
                kinds,
                6,
                Card(begin, margin=12),
                -1,
                spacing=8,
            )
        )
        self.scale.chosen.connect(lambda _: self._chosen())
        self.quantised.toggled.connect(lambda _: self._chosen())
        self.start.activated.connect(self._start_picked)
        self._chosen()

    @property
    def spec(self) -> NetworkSpec:
        """The chosen network."""
        return self._spec(self.preset)

    def offer(self, models: Sequence[ModelCard]) -> None:
        """Offer these models to start from, as far as they fit."""
        self._models = tuple(models)
        self._offer_starts()

    def settings(self) -> dict[str, Any]:
        """What was chosen, by the settings' names."""
        chosen: dict[str, Any] = {
            "preset": self.preset,
            "linear_block_type": self.block,
            "scale": int(self.scale.value() or 2),
            "quant_W": self.quantised.isChecked(),
            "quant_A": self.quantised.isChecked(),
        }
        return chosen | ({"start": self.start.currentData()} if self.start.currentData() else {})

    def pick_preset(self, name: str) -> None:
        """Choose a size."""
        self.preset = name
        self._chosen()

    def pick_block(self, kind: str) -> None:
        """Choose a kind of block."""
        self.block = kind
        self._chosen()

    def _spec(self, preset: str) -> NetworkSpec:
        kind: Block = "adder" if self.block == "collapsed_adder" else "convolution"
        return NetworkSpec(int(self.scale.value() or 2), *PRESETS[preset], kind)

    def _chosen(self) -> None:
        for value, card in (*self.presets.items(), *self.blocks.items()):
            card.set_chosen(on=value in {self.preset, self.block})
        if self.block == "expanded":
            self.quantised.setChecked(False)
        self.quantised.setEnabled(self.block != "expanded")
        for name, (parameters, energy, quality) in self._facts.items():
            precision = "int8" if self.quantised.isChecked() else "fp32"
            one = cost.cost(self._spec(name), *REFERENCE_SIZE, precision)  # type: ignore[arg-type]
            parameters.setText(self.tr("{count} parameters").format(count=numbers_shown.count(one.parameters)))
            energy.setText(numbers_shown.energy(one.energy_mj))
            figure = published.psnr(name, int(self.scale.value() or 2), "Set14")
            quality.setText("" if figure is None else self.tr("{value:.2f} dB published").format(value=figure))
            quality.setVisible(figure is not None)
        self._offer_starts()
        self.changed.emit()

    def _offer_starts(self) -> None:
        """Offer models of the chosen size, whatever their blocks and factor, and smaller ones that can grow to it."""
        before = self.start.currentData()
        self.start.clear()
        self.start.addItem(self.tr("Scratch"), "")
        for card in self._models:
            if self._fits(card):
                self.start.addItem(card.title, card.file)
        if before and self.start.findData(before) < 0 and Path(before).is_file() and not any(card.file == before for card in self._models):
            self.start.addItem(Path(before).stem, before)
        self.start.addItem(self.tr("Another model file…"), ANOTHER)
        self.start.setCurrentIndex(max(self.start.findData(before), 0))

    def _fits(self, card: ModelCard) -> bool:
        """Whether a network of the chosen kind can start from this model (`training.growth`)."""
        ours = self.spec
        if (card.m, card.f) == (ours.m, ours.f):
            return True
        smaller = card.foreign is None and card.m <= ours.m and card.f <= ours.f
        return smaller and "adder" not in {card.block, ours.block} and ours.activation == "prelu"

    def _start_picked(self) -> None:
        if self.start.currentData() == ANOTHER:
            file, _ = QFileDialog.getOpenFileName(self, self.tr("Start from"), "", "*.safetensors")
            self.start.setCurrentIndex(0)
            if file:
                self.start.insertItem(1, Path(file).stem, file)
                self.start.setCurrentIndex(1)
        self.changed.emit()

    def _preset_card(self, name: str) -> ChoiceCard:
        title = name.upper()
        self._facts[name] = label("", "small"), label("", "accent"), label("", "small")
        parameters, energy, quality = self._facts[name]
        m, f = PRESETS[name]
        shape = label(self.tr("{m} blocks of {f} channels").format(m=m, f=f), "small")
        card = ChoiceCard(name, title, label(title, "heading"), shape, parameters, energy, quality)
        card.picked.connect(self.pick_preset)
        return card

    def _block_card(self, theme: Theme, kind: str) -> ChoiceCard:
        titles = {"collapsed": self.tr("Collapsed"), "expanded": self.tr("Expanded"), "collapsed_adder": self.tr("Adder")}
        texts = {
            "collapsed": self.tr("Learns the one narrow kernel that the wide convolutions of the paper fold to. The fast way to train."),
            "expanded": self.tr(
                "The wide convolutions are run as they are while training: some ten times slower, the same network in the end."
            ),
            "collapsed_adder": self.tr("Sums of differences instead of products: half the energy, slower to train, a little less sharp."),
        }
        card = ChoiceCard(
            kind, titles[kind], label(titles[kind], "heading"), BlockDrawing(theme, kind), label(texts[kind], "small", wrap=True), -1
        )
        card.picked.connect(self.pick_block)
        return card
