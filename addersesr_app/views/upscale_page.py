"""The first page: a picture before and after, the network that makes the difference, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from addersesr_app.session import Sight
from addersesr_app.views.banner import Banner
from addersesr_app.views.budget_panel import BudgetPanel, Task
from addersesr_app.views.compare_bar import CompareBar
from addersesr_app.views.compare_view import CompareView
from addersesr_app.views.controls import column, row
from addersesr_app.views.costs import Costs
from addersesr_app.views.inspector import Inspector
from addersesr_app.views.page_keys import PageKeys
from engine.material import suiting, trained_for
from engine.serve.protocol import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from addersesr_app.preferences import Preferences
    from addersesr_app.session import PictureSession
    from addersesr_app.speeds import Speeds
    from addersesr_app.theme import Theme
    from addersesr_app.views.empty_view import EmptyView
    from addersesr_app.views.keys_dialog import KeysDialog
    from addersesr_app.views.queue_view import QueueView
    from engine.serve.protocol import ModelCard, Opened

WRITABLE = "PNG (*.png);;JPEG (*.jpg *.jpeg);;WebP (*.webp);;TIFF (*.tif *.tiff);;AVIF (*.avif);;BMP (*.bmp)"
MARGIN = 24
"""Input pixels around what is seen that a preview covers as well, so that small moves need no new one."""


class UpscalePage(QWidget):
    """Shows a `PictureSession` and turns clicks into its methods. ``sample_wanted`` and ``open_wanted`` are the window's to answer."""

    open_wanted = Signal()
    sample_wanted = Signal()
    film_wanted = Signal()

    def __init__(
        self, theme: Theme, session: PictureSession, speeds: Speeds, preferences: Preferences, empty: EmptyView, queue: QueueView
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
        self._below = column(self.bar, self.view, spacing=0)
        self._below.setStretch(1, 1)
        picture.setLayout(self._below)
        self._stack.addWidget(picture)
        canvas = column(self.banner, self._stack, queue, spacing=0)
        canvas.setStretch(1, 1)
        page = row(canvas, self.inspector, spacing=0)
        page.setStretch(0, 1)
        self.setLayout(page)
        empty.open_wanted.connect(self.open_wanted)
        empty.sample_wanted.connect(self.sample_wanted)
        self._person_chose = False
        self.sizes_waiting: Callable[[], Sequence[tuple[int, int] | None]] = tuple
        self.costs = Costs(theme, session, speeds, preferences, self.inspector, self.network, self)
        self.budget = BudgetPanel(theme, speeds, self._work, lambda: self.costs.watts)
        self.inspector.add_to_network(self.budget)
        self._connect_bar()
        self._connect_session()
        self._keys = PageKeys(theme, self, queue)
        self._set_mode(preferences.settings.look.mode)

    def offer(self, cards: Sequence[ModelCard]) -> None:
        """Offer these models."""
        engine = self._preferences.settings.engine
        self._cards = tuple(cards)
        self.inspector.network.strength.set_value(engine.strength)
        self.inspector.network.offer(cards, engine.model, engine.precision)
        self.bar.offer_left(cards, self._preferences.settings.look.left)
        self._network_chosen()

    def add_below_view(self, bar: QWidget) -> None:
        """Show something more under the picture."""
        self._below.addWidget(bar)

    def engine_changed(self) -> None:
        """Use the back end, device, threads and strength that are set now."""
        self.inspector.network.strength.set_value(self._preferences.settings.engine.strength)
        if self._session.card is not None and self.network() != self._session.network:
            self._network_chosen()

    def network(self) -> Network | None:
        """The chosen network and what shall run it."""
        card, engine = self.inspector.network.card(), self._preferences.settings.engine
        if card is None:
            return None
        chosen = self.inspector.network
        return Network(card.id, engine.backend, engine.device, chosen.precision(), engine.threads or None, chosen.chosen_strength())

    def network_for_many(self) -> Network | None:
        """As `network`, for files that nobody has looked at: unless a person wants that one, each takes the one that suits it."""
        network = self.network()
        return network and replace(network, suited=self._preferences.settings.engine.suited and not self._person_chose)

    def _upscale(self) -> None:
        """Upscale what is open: a picture at once, a film in the queue."""
        if self._session.film is not None:
            self.film_wanted.emit()
        else:
            self._session.upscale()

    @property
    def keys(self) -> KeysDialog | None:
        """The list of keys, once it was shown."""
        return self._keys.dialog

    def show_keys(self) -> None:
        """Show what can be done with the keyboard."""
        self._keys.show_all()

    def save(self) -> None:
        """Save under the name that the rules give; a film is saved as it is upscaled."""
        if self._session.film is not None:
            self.film_wanted.emit()
            return
        self._session.save(self.inspector.output.output())

    def save_as(self) -> None:
        """Ask for a name and save."""
        card = self.inspector.network.card()
        if card is None or not self._session.path or self._session.film is not None:
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
        bar.loupe_wanted.connect(view.set_loupe)
        view.moved.connect(self._moved)
        inspector.network.chosen.connect(self._network_chosen)
        inspector.network.models.activated.connect(lambda _: self._network_picked())
        self.budget.chosen.connect(inspector.network.pick_form)
        inspector.upscale_wanted.connect(self._upscale)
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

    def _opened(self) -> None:
        facts, before = self._session.facts, self._session.before
        assert facts is not None
        self.banner.clear()
        self._stack.setCurrentIndex(1)
        card = self._session.card
        self.view.show_picture(before, card.scale if card else 1)
        self.inspector.energy.show_size(facts.width, facts.height)
        self.inspector.energy.show_kind(film=facts.film is not None)
        self.inspector.output.show_picture(facts.path, facts.width, facts.height)
        self._show_names()
        self.costs.show()
        self.view.setFocus()
        if not self._take_suited(facts):
            self._upscale_at_once()

    def _network_chosen(self) -> None:
        card, network = self.inspector.network.card(), self.network()
        if card is None or network is None:
            return
        self._session.choose(network, card)
        strength = self.inspector.network.strength
        self._preferences.change("engine", model=card.id, precision=network.precision, strength=strength.value())
        self.view.set_scale(card.scale)
        self.inspector.energy.show_network(card.title, card.spec, "int8" if network.precision == "int8" else "fp32")
        self.inspector.output.show_network(card.scale, card.id)
        self._show_names()
        self._speeds.learn(network)
        self.costs.show()
        if not strength.held:  # a preview follows the hand; the whole picture waits until it lets go
            self._upscale_at_once()

    def _take_suited(self, facts: Opened) -> bool:
        """Take the network that suits the picture's compression, unless a person wants none or has chosen; whether that is another one."""
        panel, card = self.inspector.network, self.inspector.network.card()
        panel.say_why("")
        if card is None or self._person_chose or not self._preferences.settings.engine.suited:
            return False
        fitting = suiting(card, self._cards, facts.material)
        if fitting is card:
            return False
        panel.pick(fitting.id)
        panel.say_why(facts.reason)
        return True

    def _network_picked(self) -> None:
        """A person has chosen: no other network is taken for the pictures to come, until the choice is what would be taken."""
        card, facts = self.inspector.network.card(), self._session.facts
        self._person_chose = card is not None and facts is not None and trained_for(card.id) != facts.material
        self.inspector.network.say_why("")

    def _work(self) -> Task:
        """What a budget is for: the pictures that wait in the queue, else the one that is open."""
        facts, card = self._session.facts, self.inspector.network.card()
        waiting = [size for size in self.sizes_waiting() if size is not None]
        sizes = waiting or ([(facts.width, facts.height)] if facts else [])
        engine = self._preferences.settings.engine
        networks = tuple(
            (other, Network(other.id, engine.backend, engine.device, form, engine.threads or None))
            for other in self._cards
            if card is not None and other.scale == card.scale
            for form in other.precisions
        )
        return Task(sum(width * height for width, height in sizes), len(sizes), networks)

    def _upscale_at_once(self) -> None:
        if self._preferences.settings.engine.at_once and self._session.whole_wanted:
            self._session.upscale()

    def _state_changed(self) -> None:
        self.inspector.show_state(self._session.state)
        if self._session.state in {"open", "done"}:
            self.costs.show()

    def _show_names(self) -> None:
        card, facts = self._session.card, self._session.facts
        if card is None or facts is None:
            return
        self.bar.show_picture(Path(facts.path).name, facts.width, facts.height, card.scale)
        strength = self.inspector.network.chosen_strength()
        self.view.set_names(self.bar.left.currentText(), card.title if strength == 1 else f"{card.title} · {round(100 * strength)} %")

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
