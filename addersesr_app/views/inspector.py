"""Down the right edge: the network, what it costs, where the result goes, and the button that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QScrollArea, QWidget

from addersesr_app import numbers_shown
from addersesr_app.views.controls import Button, column, label, row, rule
from addersesr_app.views.energy_panel import EnergyPanel
from addersesr_app.views.network_panel import NetworkPanel
from addersesr_app.views.output_panel import OutputPanel

if TYPE_CHECKING:
    from addersesr_app.preferences import Preferences
    from addersesr_app.session import State
    from addersesr_app.theme import Theme

WIDTH = 344


class Inspector(QFrame):
    """Tells of clicks; shows the state that it is told."""

    upscale_wanted = Signal()
    cancel_wanted = Signal()
    save_wanted = Signal()
    save_as_wanted = Signal()

    def __init__(self, theme: Theme, preferences: Preferences) -> None:
        super().__init__()
        self.setObjectName("inspector")
        self.setFixedWidth(WIDTH)
        self.network, self.energy, self.output = (
            NetworkPanel(),
            EnergyPanel(theme, preferences.settings.look.accounting),
            OutputPanel(theme, preferences),
        )
        body = QWidget()
        self._column = column(self.network, rule(), self.energy, rule(), self.output, -1, margins=(20, 16, 20, 16), spacing=14)
        body.setLayout(self._column)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        self.setLayout(column(scroll, self._foot(theme), spacing=0))
        self.show_state("empty")

    def show_state(self, state: State) -> None:
        """Offer what can be done in this state."""
        working = state in {"upscaling", "saving", "opening"}
        self.progress.setVisible(working)
        self.progress.setRange(0, 0)
        self.cancel.setVisible(state in {"upscaling", "saving"})
        self.upscale.setVisible(state in {"empty", "opening", "open"})
        self.upscale.setEnabled(state == "open")
        self.save.setVisible(state in {"upscaling", "saving", "done"})
        self.save.setEnabled(state == "done")
        self.save_as.setEnabled(state in {"open", "done"})
        texts = {
            "empty": self.tr("No picture yet"),
            "opening": self.tr("Opening…"),
            "open": self.tr("Preview; the whole is not upscaled yet"),
            "upscaling": self.tr("Upscaling…"),
            "done": self.tr("Ready to be saved"),
            "saving": self.tr("Saving…"),
        }
        self.status.setText(texts[state])

    def add_below_network(self, panel: QWidget) -> None:
        """Show something more about the chosen network."""
        self._column.insertWidget(1, panel)

    def add_to_network(self, panel: QWidget) -> None:
        """Show something more of how the network is chosen."""
        network = self.network.layout()
        assert network is not None
        network.addWidget(panel)

    def show_progress(self, done: int, total: int) -> None:
        """Show how far it is, in tiles."""
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        if total:
            self.status.setText(self.tr("Upscaling… {percent} %").format(percent=100 * done // total))

    def show_speed(self, megapixels_a_second: float, seconds_left: float) -> None:
        """Show, beside how far it is, how fast it goes and when it ends."""
        value, most = self.progress.value(), self.progress.maximum()
        texts = [self.tr("Upscaling… {percent} %").format(percent=100 * value // max(most, 1))]
        texts += [self.tr("{rate:.2f} MP/s").format(rate=megapixels_a_second)]
        texts += [self.tr("{time} left").format(time=numbers_shown.duration(seconds_left))]
        self.status.setText(" · ".join(texts))

    def show_note(self, text: str) -> None:
        """Say something below the buttons."""
        self.status.setText(text)
        self.status.setToolTip(text)

    def _foot(self, theme: Theme) -> QFrame:
        self.status = label("", "small", wrap=True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.upscale = Button(theme, self.tr("Upscale"), "upscale", "primary")
        self.save = Button(theme, self.tr("Save"), "save", "primary")
        self.save_as = Button(theme, self.tr("Save as…"))
        self.cancel = Button(theme, self.tr("Cancel"), "cancel")
        self.upscale.clicked.connect(self.upscale_wanted)
        self.save.clicked.connect(self.save_wanted)
        self.save_as.clicked.connect(self.save_as_wanted)
        self.cancel.clicked.connect(self.cancel_wanted)
        buttons = row(self.upscale, self.save, self.save_as, self.cancel, spacing=8)
        for button in (self.upscale, self.save):
            buttons.setStretchFactor(button, 1)
        foot = QFrame()
        foot.setObjectName("inspectorFoot")
        foot.setLayout(column(self.status, self.progress, buttons, margins=(20, 14, 20, 16), spacing=10))
        return foot
