"""What a person should know of the picture on the screen, and two things that can be done about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from addersesr_app.queue_runner import QueueRunner
    from addersesr_app.session import PictureSession
    from addersesr_app.views.upscale_page import UpscalePage


class Notices(QObject):
    """Shows what the engine warns of; offers to make a result again, and queues what is too large for the screen."""

    def __init__(self, session: PictureSession, queue: QueueRunner, page: UpscalePage, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._queue, self._page = session, queue, page
        session.opened.connect(self._opened)
        session.warned.connect(page.banner.say)
        session.too_large.connect(self._queue_large)

    def make_again(self, result: str, original: str) -> None:
        """Queue the making of ``result`` from ``original``, exactly as it says itself, and begin."""
        network = self._page.network()
        if network is None:
            return
        self._queue.add([original], network, replace(self._page.inspector.output.rules(), redo=result, existing="rename"))
        self._queue.start()

    def _opened(self) -> None:
        facts = self._session.facts
        assert facts is not None
        if facts.warnings:
            self._page.banner.say(". ".join(facts.warnings))
        elif facts.made_with:
            text = self.tr("This picture was made with {model}.").format(model=facts.made_with)
            self._page.banner.say(text, self.tr("Make again exactly…"), lambda: self._ask_original(facts.path))

    def _ask_original(self, result: str) -> None:
        title = self.tr("From which picture was it made?")
        original, _ = QFileDialog.getOpenFileName(self._page, title, str(Path(result).parent))
        if original:
            self.make_again(result, original)

    def _queue_large(self, path: str, message: str) -> None:
        """A picture that cannot be shown can be upscaled all the same."""
        network = self._page.network_for_many()
        if network is None:
            self._page.banner.say_error(message)
            return
        self._queue.add([path], network, self._page.inspector.output.rules())
        self._page.banner.say(self.tr("{reason}. It waits in the queue.").format(reason=message))
