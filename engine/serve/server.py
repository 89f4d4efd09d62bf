"""`addersesr serve`: the engine as a process. Requests come in on one stream, events leave on another, a line each.

Lanes give way to one another: what is visible now, the one picture on the screen, then the queue of files and small pictures. The process
ends when its requests do, that is with the window that started it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from engine.bench import load
from engine.catalogue import Catalogue
from engine.errors import AdderSESRError, Cancelled
from engine.events import Event, Failed
from engine.jobs import Tools
from engine.power import find_meters
from engine.serve.desk import Desk
from engine.serve.lanes import Lane, Ticket
from engine.serve.protocol import (
    Bench,
    Cancel,
    CancelledRequest,
    Hello,
    Open,
    Pause,
    Paused,
    Plan,
    Preview,
    Release,
    Request,
    Resume,
    Resumed,
    Save,
    Scan,
    Show,
    Survey,
    Thumbnail,
    Told,
    Upscale,
)
from engine.serve.wire import parse_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.serve.desk import Asked, Tell

CLOSING_S = 2.0
_log = logging.getLogger(__name__)


class Speaker:
    """Writes events, whole lines from any thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, event: Event) -> None:
        """Send one event; a reader that is gone is no error, the end of the requests is near then."""
        with self._lock:
            try:
                self._stream.write(event.to_json().encode() + b"\n")
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                _log.info("nobody listens any more")


class Server:
    """Takes requests, hands each to its lane, and tells what became of it."""

    def __init__(self, tools: Tools, events: IO[bytes]) -> None:
        changed = threading.Condition()
        self._speaker = Speaker(events)
        self._visible = Lane("visible", changed)
        self._screen = Lane("screen", changed, (self._visible,))
        self._files = Lane("files", changed, (self._visible, self._screen))
        self._spare = Lane("spare", changed, (self._visible, self._screen))
        self._lanes = (self._visible, self._screen, self._files, self._spare)
        self._desk = desk = Desk(tools)
        self._work: dict[type[Request], Callable[[Any, Tell, Asked], Event | None]] = {
            Hello: lambda request, tell, cancelled: desk.hello(request),
            Survey: lambda request, tell, cancelled: desk.survey(request),
            Open: lambda request, tell, cancelled: desk.open(request),
            Scan: lambda request, tell, cancelled: desk.scan(request),
            Thumbnail: lambda request, tell, cancelled: desk.thumbnail(request),
            Bench: lambda request, tell, cancelled: desk.bench(request),
            Preview: lambda request, tell, cancelled: desk.preview(request, cancelled),
            Show: desk.show,
            Save: desk.save,
            Upscale: desk.upscale,
            Plan: desk.plan,
        }

    def run(self, requests: IO[bytes]) -> bool:
        """Serve until ``requests`` ends; whether all work came to its end then."""
        try:
            for line in requests:
                self._take(line.decode(errors="replace"))
        finally:
            ended = self.close()
        return ended

    def close(self) -> bool:
        """End all work and give the shared memory back; whether all work ended in time."""
        for lane in self._lanes:
            lane.cancel_all()
        ended = [lane.close(CLOSING_S) for lane in self._lanes]
        self._desk.close()
        return all(ended)

    def _take(self, line: str) -> None:
        try:
            request = parse_request(line)
        except AdderSESRError as error:
            self._speaker.say(Told(0, Failed(None, type(error).__name__, str(error))))
            return
        if isinstance(request, Release):
            self._desk.release(request.memory)
        elif isinstance(request, Pause | Resume | Cancel):
            self._control(request)
        else:
            self._queue(request)

    def _queue(self, request: Request) -> None:
        lane = self._lane_of(request)
        if isinstance(request, Preview):
            self._visible.cancel_all(Preview)
        lane.submit(Ticket(request.id, type(request)), lambda ticket: self._answer(lane, ticket, request))

    def _lane_of(self, request: Request) -> Lane:
        if isinstance(request, Upscale):
            return self._files
        if isinstance(request, Thumbnail | Plan | Scan):
            return self._spare
        return self._screen if isinstance(request, Show | Save) else self._visible

    def _control(self, request: Pause | Resume | Cancel) -> None:
        for lane in self._lanes:
            ticket = lane.find(request.id)
            if ticket is None:
                continue
            if isinstance(request, Cancel):
                lane.cancel(ticket)
            else:
                lane.set_paused(ticket, isinstance(request, Pause))
                self._speaker.say(Paused(request.id) if isinstance(request, Pause) else Resumed(request.id))

    def _answer(self, lane: Lane, ticket: Ticket, request: Request) -> None:
        """Do one request's work in its lane's thread and say how it ended, whatever happens."""

        def tell(event: Event) -> None:
            self._speaker.say(Told(ticket.id, event))

        def cancelled() -> bool:
            return lane.hold(ticket)

        try:
            check(cancelled)
            if closing := self._work[type(request)](request, tell, cancelled):
                self._speaker.say(closing)
        except Cancelled:
            self._speaker.say(CancelledRequest(ticket.id))
        except AdderSESRError as error:
            tell(Failed(None, type(error).__name__, str(error)))
        except Exception as error:  # a fault of ours or a library's must not end the lane: it is told and logged
            _log.exception("request %s", request)
            tell(Failed(None, type(error).__name__, f"something went wrong: {error}"))


def check(cancelled: Asked) -> None:
    """Raise Cancelled if the work was called off."""
    if cancelled():
        raise Cancelled("cancelled")


def serve(folders: Sequence[Path], calibration: Path | None = None) -> int:
    """Serve standard input and output until the input ends.

    Models are looked for in ``folders``; ``calibration`` is the file with this machine's speed. Whatever a library prints goes
    to standard error, so that the events stay clean.
    """
    tools = Tools(Catalogue(folders), load(calibration) if calibration else None, *find_meters())
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as events:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        ended = Server(tools, events).run(sys.stdin.buffer)
    if not ended:
        os._exit(0)  # a library is in the middle of a tile: to take the interpreter down under it would abort
    return 0
