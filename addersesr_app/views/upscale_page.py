"""The first page: a picture before and after, the network that makes the difference, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from addersesr_app.session import Sight
from addersesr_app.viewport import STEP
from addersesr_app.views.banner import Banner
from addersesr_app.views.compare_bar import CompareBar
from addersesr_app.views.compare_view import CompareView
from addersesr_app.views.controls import column, row
from addersesr_app.views.inspector import Inspector
from engine.protocol import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.preferences import Preferences
    from addersesr_app.session import PictureSession
    from addersesr_app.speeds import Speeds
    from addersesr_app.theme import Theme
    from addersesr_app.views.empty_view import EmptyView
    from engine.protocol import ModelCard

WRITABLE = "PNG (*.png);;JPEG (*.jpg *.jpeg);;WebP (*.webp);;TIFF (*.tif *.tiff);;AVIF (*.avif);;BMP (*.bmp)"
MARGIN = 24
"""Input pixels around what is seen that a preview covers as well, so that small moves need no new one."""


class UpscalePage(QWidget):
    """Shows a `PictureSession` and turns clicks into its methods. ``sample_wanted`` and ``open_wanted`` are the window's to answer."""

    open_wanted = Signal()
    sample_wanted = Signal()

    def __init__(
        self, theme: Theme, session: PictureSession, speeds: Speeds, preferences: Preferences, empty: EmptyView, queue: QWidget
    ) -> None:
        super().__init__()
        self._session, self._speeds, self._preferences = session, speeds, preferences
        self._cards: tuple[ModelCard, ...] = ()
        self.view, self.bar, self.inspector, self.banner = (
            CompareView(theme),
            CompareBar(theme),
            Inspector(theme, preferences),
            Banner(theme),
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        picture = QWidget()
        picture.setLayout(column(self.bar, self.view, spacing=0))
        picture.layout().setStretch(1, 1)  # type: ignore[union-attr]
        self._stack.addWidget(picture)
        canvas = column(self.banner, self._stack, queue, spacing=0)
        canvas.setStretch(1, 1)
        page = row(canvas, self.inspector, spacing=0)
        page.setStretch(0, 1)
        self.setLayout(page)
        empty.open_wanted.connect(self.open_wanted)
        empty.sample_wanted.connect(self.sample_wanted)
        self._connect_bar()
        self._connect_session()
        self._add_keys()
        self._set_mode(preferences.settings.look.mode)

    def offer(self, cards: Sequence[ModelCard]) -> None:
        """Offer these models."""
        engine = self._preferences.settings.engine
        self._cards = tuple(cards)
        self.inspector.network.offer(cards, engine.model, engine.precision)
        self.bar.offer_left(cards, self._preferences.settings.look.left)
        self._network_chosen()

    def engine_changed(self) -> None:
        """Use the back end, device and threads that are set now."""
        if self._session.card is not None and self.network() != self._session.network:
            self._network_chosen()

    def network(self) -> Network | None:
        """The chosen network and what shall run it."""
        card, engine = self.inspector.network.card(), self._preferences.settings.engine
        if card is None:
            return None
        return Network(card.id, engine.backend, engine.device, self.inspector.network.precision(), engine.threads or None)

    def save(self) -> None:
        """Save under the name that the rules give."""
        self._session.save(self.inspector.output.output())

    def save_as(self) -> None:
        """Ask for a name and save."""
        card = self.inspector.network.card()
        if card is None or not self._session.path:
            return
        source = Path(self._session.path)
        suggested = source.with_name(f"{source.stem}_x{card.scale}{source.suffix}")
        chosen, _ = QFileDialog.getSaveFileName(self, self.tr("Save as"), str(suggested), WRITABLE)
        if chosen:
            self._session.save(self.inspector.output.output(chosen))

    def _connect_bar(self) -> None:
        bar, view, inspector = self.bar, self.view, self.inspector
        bar.open_wanted.connect(self.open_wanted)
        bar.mode_wanted.connect(self._set_mode)
        bar.left_wanted.connect(self._set_left)
        bar.fit_wanted.connect(view.fit)
        bar.actual_wanted.connect(lambda: view.zoom_to(1.0))
        view.moved.connect(self._moved)
        inspector.network.chosen.connect(self._network_chosen)
        inspector.upscale_wanted.connect(self._session.upscale)
        inspector.cancel_wanted.connect(self._session.cancel)
        inspector.save_wanted.connect(self.save)
        inspector.save_as_wanted.connect(self.save_as)

    def _connect_session(self) -> None:
        session = self._session
        session.opened.connect(self._opened)
        session.state_changed.connect(self._state_changed)
        session.result_changed.connect(lambda: self.view.set_result(session.after))
        session.patch_changed.connect(lambda: self.view.set_patch(session.patch))
        session.progressed.connect(self.inspector.show_progress)
        session.failed.connect(self.banner.say_error)
        session.saved.connect(lambda path: self.inspector.show_note(self.tr("Saved as {name}").format(name=Path(path).name)))
        self._speeds.learnt.connect(self._show_time)

    def _add_keys(self) -> None:
        keys = {
            "0": self.view.fit,
            "1": lambda: self.view.zoom_to(1.0),
            "2": lambda: self.view.zoom_to(2.0),
            "+": lambda: self.view.zoom_by(STEP),
            "=": lambda: self.view.zoom_by(STEP),
            "-": lambda: self.view.zoom_by(1 / STEP),
            "D": lambda: self._set_mode("split"),
            "B": lambda: self._set_mode("side"),
            "H": lambda: self._set_mode("hold"),
            "X": lambda: self._set_mode("heat"),
            "Ctrl+Return": self._session.upscale,
            "Esc": self._session.cancel,
            "Ctrl+S": self.save,
            "Ctrl+Shift+S": self.save_as,
        }
        for key, action in keys.items():
            QShortcut(QKeySequence(key), self, action)

    def _opened(self) -> None:
        facts, before = self._session.facts, self._session.before
        assert facts is not None
        self.banner.clear()
        self._stack.setCurrentIndex(1)
        card = self._session.card
        self.view.show_picture(before, card.scale if card else 1)
        self.inspector.energy.show_size(facts.width, facts.height)
        self.inspector.output.show_picture(facts.path, facts.width, facts.height)
        self._show_names()
        self._show_time()
        self.view.setFocus()
        self._upscale_at_once()

    def _network_chosen(self) -> None:
        card, network = self.inspector.network.card(), self.network()
        if card is None or network is None:
            return
        self._session.choose(network, card)
        self._preferences.change("engine", model=card.id, precision=network.precision)
        self.view.set_scale(card.scale)
        self.inspector.energy.show_network(card.title, card.spec, "int8" if network.precision == "int8" else "fp32")
        self.inspector.output.show_network(card.scale, card.id)
        self._show_names()
        self._speeds.learn(network)
        self._show_time()
        self._upscale_at_once()

    def _upscale_at_once(self) -> None:
        if self._preferences.settings.engine.at_once and self._session.whole_wanted:
            self._session.upscale()

    def _state_changed(self) -> None:
        self.inspector.show_state(self._session.state)
        if self._session.state in {"open", "done"}:
            self._show_time()

    def _show_time(self) -> None:
        """Show the time that the network took, or else will take."""
        network, facts, shown = self.network(), self._session.facts, self._session.shown
        if network is None or facts is None:
            return
        if shown is not None:
            self._speeds.note(network, facts.width * facts.height, shown.seconds)
        predicted = self._speeds.predict(network, facts.width * facts.height)
        self.inspector.energy.show_time(shown.seconds if shown else predicted, taken=shown is not None)

    def _show_names(self) -> None:
        card, facts = self._session.card, self._session.facts
        if card is None or facts is None:
            return
        self.bar.show_picture(Path(facts.path).name, facts.width, facts.height, card.scale)
        self.view.set_names(self.bar.left.currentText(), card.title)

    def _set_mode(self, mode: str) -> None:
        self._preferences.change("look", mode=mode)
        self.view.set_mode(self._preferences.settings.look.mode)
        self.bar.show_mode(self._preferences.settings.look.mode)

    def show_difference(self, left: str) -> None:
        """Show where the network differs from ``left``."""
        self._set_mode("heat")
        self.show_left(left)

    def show_left(self, left: str) -> None:
        """Have something else on the left side."""
        self.bar.offer_left(self._cards, left)
        self._set_left(left)

    def _set_left(self, left: str) -> None:
        self._preferences.change("look", left=left)
        self._show_names()
        self._moved()

    def _moved(self) -> None:
        """Another part is seen: ask for it."""
        card = self._session.card
        self.bar.show_zoom(self.view.viewport.zoom)
        region = self.view.visible_region(card.scale, MARGIN) if card else None
        if region is not None:
            look = self._preferences.settings.look
            self._session.look(Sight(region, self.view.reduction(), look.left, look.mode == "heat"))
