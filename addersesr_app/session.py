"""The picture on the screen: opened, previewed, upscaled and saved by the engine's process. Knows no widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from addersesr_app.comparison import Patch
from addersesr_app.shared_picture import SharedPicture
from engine.errors import TooLargeError
from engine.events import Event, Failed, Progress, Warned
from engine.serve.protocol import (
    CancelledRequest,
    Open,
    Opened,
    Preview,
    Previewed,
    Save,
    Saved,
    Show,
    Shown,
    Spent,
    Told,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from addersesr_app.engine_client import EngineClient
    from engine.serve.protocol import FilmFacts, ModelCard, Network, Output, Pixels, Region, Request

State = Literal["empty", "opening", "open", "upscaling", "done", "saving"]
LOOK_MS = 12
REST_MS = 350


@dataclass(frozen=True, slots=True)
class Sight:
    """What is looked at: a region of the source at one size, against what, and whether the difference is wanted too."""

    region: Region
    reduce: int
    left: str
    heat: bool


class PictureSession(QObject):
    """One picture at a time and what the chosen network makes of it.

    ``warned`` tells what a person should know of a result that was saved, ``too_large`` the path of a picture that cannot be shown.
    """

    opened = Signal()
    state_changed = Signal()
    result_changed = Signal()
    patch_changed = Signal()
    progressed = Signal(int, int)
    spent = Signal(object)
    failed = Signal(str)
    saved = Signal(str)
    warned = Signal(str)
    too_large = Signal(str, str)
    moment_changed = Signal()

    def __init__(self, client: EngineClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self.state: State = "empty"
        self.facts: Opened | None = None
        self.before: SharedPicture | None = None
        self.after: SharedPicture | None = None
        self.shown: Shown | None = None
        self.patch: Patch | None = None
        self.card: ModelCard | None = None
        self.whole_wanted = True
        self._network: Network | None = None
        self._open_id = self._work_id = self._preview_id = 0
        self._sight: Sight | None = None
        self._wanted_s: float | None = None
        self._seeking = self._deinterlaced = False
        self._look_timer = self._timer(LOOK_MS, self._ask_preview)
        self._rest_timer = self._timer(REST_MS, self._ask_exact_preview)

    @property
    def network(self) -> Network | None:
        """The chosen network and what runs it."""
        return self._network

    @property
    def path(self) -> str:
        """The source's path; empty without one."""
        return self.facts.path if self.facts else ""

    @property
    def film(self) -> FilmFacts | None:
        """What is known of the film, where it is one."""
        return self.facts.film if self.facts else None

    def seek(self, seconds: float) -> None:
        """Show another frame of the film; the newest wish counts, and `moment_changed` tells."""
        self._wanted_s = seconds
        if not self._seeking:
            self._ask_frame()

    def deinterlace(self, wanted: bool) -> None:
        """Show the film's frames with their fields taken apart, or as they are stored."""
        if self.film is not None and wanted != self._deinterlaced:
            self._deinterlaced = wanted
            self.seek(self.film.at_s if self._wanted_s is None else self._wanted_s)

    def open(self, path: str, *, whole: bool = True) -> None:
        """Open another picture; `opened` or `failed` tells. Without ``whole`` only previews of it are wanted for now."""
        self.whole_wanted = whole
        self._client.forget(self._open_id)
        self._set_state("opening")
        self._open_id = self._client.ask(lambda identity: Open(identity, path), lambda event: self._on_opened(path, event))

    def choose(self, network: Network, card: ModelCard) -> None:
        """Use this network from now on; what another one made is let go."""
        if network == self._network:
            return
        mixed_anew = self._network is not None and replace(self._network, strength=network.strength) == network
        self._network, self.card = network, card
        self._drop_work(keep_patch=mixed_anew)
        self._ask_preview()

    def look(self, sight: Sight) -> None:
        """Say what is seen now, as often as it changes."""
        self._sight = sight
        if not self._look_timer.isActive():
            self._look_timer.start()
        self._rest_timer.start()

    def upscale(self) -> None:
        """Upscale the whole picture."""
        network, path = self._network, self.path
        if network is None or not path or self.film is not None or self.state in {"upscaling", "done", "saving"}:
            return
        self._set_state("upscaling")
        self._work_id = self._client.ask(lambda identity: Show(identity, path, network), self._on_work)

    def save(self, output: Output) -> None:
        """Store the whole result, made first where it is missing."""
        network, path = self._network, self.path
        if network is None or not path:
            return
        self._client.forget(self._work_id)
        self._set_state("saving")
        self._work_id = self._client.ask(lambda identity: Save(identity, path, network, output), self._on_work)

    def cancel(self) -> None:
        """Stop upscaling or saving."""
        self._client.cancel(self._work_id)

    def close(self) -> None:
        """Let go of all pictures; nothing may paint them any more."""
        for timer in (self._look_timer, self._rest_timer):
            timer.stop()
        for picture in (self.before, self.after):
            if picture is not None:
                picture.close()
        self.before = self.after = None

    def _timer(self, milliseconds: int, action: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(action)
        return timer

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit()

    def _take(self, pixels: Pixels) -> SharedPicture:
        picture = SharedPicture(pixels)
        self._client.release(pixels.name)
        return picture

    def _on_opened(self, path: str, event: Event) -> None:
        if isinstance(event, Opened):
            self._client.forget(self._work_id)
            self._client.forget(self._preview_id)
            old = (self.before, self.after)
            self.facts, self.before = event, self._take(event.pixels)
            self.after, self.shown, self.patch, self._sight = None, None, None, None
            self._wanted_s, self._deinterlaced = None, False
            self._set_state("open")
            self.opened.emit()
            for picture in old:
                if picture is not None:
                    picture.close()
        elif isinstance(event, Told) and isinstance(event.event, Failed) and event.event.error == TooLargeError.__name__:
            self._set_state("open" if self.facts else "empty")
            self.too_large.emit(path, event.event.message)
        else:
            self._on_end(event, "open" if self.facts else "empty")

    def _ask_frame(self) -> None:
        path, wanted_s, deinterlaced = self.path, self._wanted_s, self._deinterlaced
        if self.film is None or wanted_s is None:
            return
        self._wanted_s, self._seeking = None, True
        self._client.ask(lambda identity: Open(identity, path, wanted_s, deinterlaced), lambda event: self._on_frame(path, event))

    def _on_frame(self, path: str, event: Event) -> None:
        """Put another frame in the place of the one that is shown, and look at it as before."""
        self._seeking = False
        if isinstance(event, Opened) and path == self.path:
            old, self.facts, self.before, self.patch = self.before, event, self._take(event.pixels), None
            self.moment_changed.emit()
            if old is not None:
                old.close()
            self._ask_preview()
            self._rest_timer.start()
        elif isinstance(event, Opened):
            self._client.release(event.pixels.name)
        elif isinstance(event, Told) and isinstance(event.event, Failed):
            self.failed.emit(event.event.message)
        self._ask_frame()

    def _on_work(self, event: Event) -> None:
        if isinstance(event, Told) and isinstance(event.event, Progress):
            self.progressed.emit(event.event.done, event.event.total or 0)
        elif isinstance(event, Told) and isinstance(event.event, Spent):
            self.spent.emit(event.event)
        elif isinstance(event, Told) and isinstance(event.event, Warned):
            self.warned.emit(event.event.message)
        elif isinstance(event, Shown):
            self.shown = event
            self._set_after(self._take(event.pixels))
            self._set_state("done")
        elif isinstance(event, Saved):
            self._set_state("done" if self.after else "open")
            self.saved.emit(event.output)
        else:
            self._on_end(event, "done" if self.after else "open")

    def _on_end(self, event: Event, state: State) -> None:
        """Take what ends a request without success."""
        if isinstance(event, Told) and isinstance(event.event, Failed):
            self._set_state(state)
            self.failed.emit(event.event.message)
        elif isinstance(event, CancelledRequest):
            self._set_state(state)

    def _set_after(self, picture: SharedPicture | None) -> None:
        old, self.after = self.after, picture
        self.result_changed.emit()
        if old is not None:
            old.close()

    def _drop_work(self, *, keep_patch: bool) -> None:
        """Let go of what belongs to another network; ``keep_patch``: it is so near that its preview may stand until the next one comes."""
        self._client.forget(self._work_id)
        self._client.forget(self._preview_id)
        self.shown, self.patch = None, self.patch if keep_patch else None
        self._set_after(None)
        self.patch_changed.emit()
        if self.state in {"upscaling", "done", "saving"}:
            self._set_state("open")

    def _ask_preview(self, *, exact: bool = False) -> None:
        network, sight, path = self._network, self._sight, self.path
        if network is None or sight is None or not path:
            return

        frame = self._frame()

        def request(identity: int) -> Request:
            return Preview(identity, path, sight.region, network, sight.left, sight.reduce, exact, sight.heat, *frame)

        self._preview_id = self._client.ask(request, self._on_preview)

    def _frame(self) -> tuple[float | None, bool]:
        """Which frame of the film is on the screen, and whether it is deinterlaced; of a picture nothing of that."""
        return (self.film.at_s, self.film.deinterlaced) if self.film else (None, False)

    def _ask_exact_preview(self) -> None:
        """The hand rests: refine what was only near, unless the whole is there or comes anyway."""
        if self._sight is not None and self._sight.reduce > 1 and self.state == "open":
            self._ask_preview(exact=True)

    def _on_preview(self, event: Event) -> None:
        if isinstance(event, Told) and isinstance(event.event, Failed):
            self.failed.emit(event.event.message)
        if not isinstance(event, Previewed):
            return
        blocks = [pixels for pixels in (event.left, event.right, event.heat) if pixels is not None]
        sides = [SharedPicture(pixels) for pixels in blocks]
        seen = (event.path, (event.at_s, event.deinterlaced), event.network)
        if seen == (self.path, self._frame(), self._network) and self.card is not None:
            images = [side.levels[0].copy() for side in sides]
            heat = images[2] if len(images) > 2 else None
            self.patch = Patch(event.region, self.card.scale, images[0], images[1], heat)
            self.patch_changed.emit()
        for side, pixels in zip(sides, blocks, strict=True):
            side.close()
            self._client.release(pixels.name)
