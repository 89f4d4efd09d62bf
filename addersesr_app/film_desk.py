"""What the first page does when it shows a film: scrub, choose a part, try out what it will take, and queue it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QKeySequence, QShortcut

from addersesr_app.views.film_bar import FilmBar
from addersesr_app.views.film_panel import FilmPanel
from engine.events import Event, Failed, Planned, Warned
from engine.serve.protocol import Output, Plan, Scan, Scanned, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from addersesr_app.engine_client import EngineClient
    from addersesr_app.queue_runner import QueueRunner
    from addersesr_app.session import PictureSession
    from addersesr_app.theme import Theme
    from addersesr_app.views.upscale_page import UpscalePage

PLAN_MS = 700


class FilmDesk(QObject):
    """Joins the page's session with a film's own bar and panel, and with the queue."""

    def __init__(self, theme: Theme, client: EngineClient, session: PictureSession, page: UpscalePage, queue: QueueRunner) -> None:
        super().__init__(page)
        self._client, self._session, self._page, self._queue = client, session, page, queue
        self.bar, self.panel = FilmBar(theme), FilmPanel()
        page.add_below_view(self.bar)
        page.inspector.add_below_network(self.panel)
        self._plan_id = 0
        self._interlaced = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PLAN_MS)
        self._timer.timeout.connect(self._ask_plan)
        session.opened.connect(self.show_film)
        session.moment_changed.connect(lambda: page.view.set_before(session.before))
        self.bar.moved.connect(session.seek)
        for changed in (self.bar.part_changed, self.panel.changed, page.inspector.network.chosen, page.inspector.output.changed):
            changed.connect(self._ask_plan_soon)
        self.panel.changed.connect(self._show_fields)
        page.film_wanted.connect(self.queue_film)
        self._add_keys()

    def output(self) -> Output:
        """Where and how the film is written, and which part of it."""
        rules = self.panel.output(self._page.inspector.output.output())
        return replace(rules, start_s=self.bar.start_s, end_s=self.bar.end_s)

    def queue_film(self) -> None:
        """Put the film, or the part that was chosen, into the queue and begin."""
        network = self._page.network()
        if network is not None and self._session.film is not None:
            self.panel.clear_plan()
            self._queue.add([self._session.path], network, self.output())
            self._queue.start()

    def show_film(self) -> None:
        """Show what belongs to a film, or for a picture none of it."""
        facts = self._session.film
        self.bar.show_film(facts)
        self.panel.show_film(facts)
        self._page.inspector.output.format.setEnabled(facts is None)
        self._page.inspector.save_as.setVisible(facts is None)
        self._interlaced = False
        if facts is not None:
            path = self._session.path
            self._client.ask(lambda identity: Scan(identity, path), self._on_scanned)
        self._ask_plan_soon()

    def _on_scanned(self, event: Event) -> None:
        """Show the frames as they will be once it is known how they were scanned."""
        if isinstance(event, Scanned) and event.path == self._session.path:
            self._interlaced = event.interlaced
            self.panel.show_fields(interlaced=event.interlaced)
            self._show_fields()

    def _show_fields(self) -> None:
        self._session.deinterlace(self._interlaced and not self.panel.keeps_interlaced)

    def _ask_plan_soon(self) -> None:
        """Try the film out anew once the hand rests."""
        if self._session.film is not None and not self._queue.running:
            self.panel.show_trying()
            self._timer.start()

    def _ask_plan(self) -> None:
        network, path, film = self._page.network(), self._session.path, self._session.film
        if network is None or film is None or self._queue.running:
            return
        output = self.output()
        self._plan_id = self._client.ask(lambda identity: Plan(identity, (path,), network, output), self._on_plan)

    def _on_plan(self, event: Event) -> None:
        """Take the newest answer alone."""
        if not isinstance(event, Told) or event.id != self._plan_id or self._session.film is None:
            return
        if isinstance(event.event, Planned):
            self.panel.show_plan(event.event)
        elif isinstance(event.event, Warned):
            self.panel.show_note(event.event.message)
        elif isinstance(event.event, Failed):
            self._page.banner.say_error(event.event.message)

    def _add_keys(self) -> None:
        keys: dict[str, Callable[[], None]] = {
            ",": lambda: self.bar.step(-1),
            ".": lambda: self.bar.step(1),
            "I": self.bar.begin_here,
            "O": self.bar.end_here,
        }
        for key, action in keys.items():
            QShortcut(QKeySequence(key), self._page, action)
