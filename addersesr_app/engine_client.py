"""Keeps one `addersesr serve` alive: sends it requests, hands its events to whoever asked, starts it again when it dies."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from engine.events import Event, Failed, Summary
from engine.serve.protocol import (
    Benched,
    Cancel,
    CancelledRequest,
    Open,
    Opened,
    Pause,
    Pixels,
    Preview,
    Previewed,
    Ready,
    Release,
    Request,
    Resume,
    Saved,
    Show,
    Shown,
    Surveyed,
    Thumbnailed,
    Told,
)
from engine.serve.wire import ProtocolError, parse_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Handler = Callable[[Event], None]

CANCEL_MS = 3000
CLOSING_MS = 2500
RESTART_MS = 200
MAX_QUICK_DEATHS = 4
LOG_LINES = 200
STOPPED = "EngineStopped"
"""The error's name in `Failed` where the process died while it had the request."""
CLOSING = (Ready, Surveyed, Opened, Thumbnailed, Previewed, Shown, Saved, Benched, CancelledRequest)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pending:
    request: Request
    handler: Handler
    deaths: int = 0


class EngineClient(QObject):
    """One engine process and the requests that it has.

    ``came_up`` and ``went_down`` tell its life (the latter with a line for people); ``gave_up`` that it dies again and again.
    """

    came_up = Signal()
    went_down = Signal(str)
    gave_up = Signal(str)

    def __init__(self, command: Sequence[str], directory: str, parent: QObject | None = None) -> None:
        """``command`` starts the process in ``directory``."""
        super().__init__(parent)
        self._command, self._directory = list(command), directory
        self._process: QProcess | None = None
        self._pending: dict[int, _Pending] = {}
        self._last_id = 0
        self._deaths = 0
        self._closing = False
        self._log: deque[str] = deque(maxlen=LOG_LINES)

    @property
    def process_id(self) -> int:
        """The process's id; 0 while there is none."""
        return int(self._process.processId()) if self._process else 0

    @property
    def log(self) -> str:
        """The last lines that the process wrote about itself."""
        return "\n".join(self._log)

    def start(self) -> None:
        """Start the process; requests may be sent at once."""
        process = QProcess(self)
        process.setWorkingDirectory(self._directory)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_log)
        process.started.connect(self.came_up)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed_to_start)
        self._process = process
        process.start(self._command[0], self._command[1:])

    def ask(self, make: Callable[[int], Request], handler: Handler) -> int:
        """Send the request that ``make`` makes with the id it is given; ``handler`` gets every event that answers it."""
        self._last_id += 1
        request = make(self._last_id)
        self._pending[request.id] = _Pending(request, handler)
        self._send(request)
        return request.id

    def pause(self, identity: int) -> None:
        """Hold a request after its tile."""
        self._send(Pause(identity))

    def resume(self, identity: int) -> None:
        """Let a held request go on."""
        self._send(Resume(identity))

    def cancel(self, identity: int) -> None:
        """End a request; a process that does not within 3 s is killed and started again."""
        if identity in self._pending:
            self._send(Cancel(identity))
            QTimer.singleShot(CANCEL_MS, self, lambda: self._kill_if_pending(identity))

    def forget(self, identity: int) -> None:
        """Cancel a request whose events nobody wants any more."""
        if identity in self._pending:
            self._pending[identity].handler = _ignore
            self.cancel(identity)

    def release(self, memory: str) -> None:
        """Tell the process that shared memory was mapped, so that it can let go."""
        self._send(Release(0, memory))

    def close(self) -> None:
        """End the process, politely first."""
        self._closing = True
        self._pending.clear()
        process, self._process = self._process, None
        if process is not None:
            process.closeWriteChannel()
            if process.state() != QProcess.ProcessState.NotRunning and not process.waitForFinished(CLOSING_MS):
                process.kill()
                process.waitForFinished(CLOSING_MS)

    def _send(self, request: Request) -> None:
        if self._process is not None:
            self._process.write(request.to_json().encode() + b"\n")

    def _read(self) -> None:
        process = self._process
        while process is not None and process is self._process and process.canReadLine():
            line = bytes(process.readLine().data()).decode(errors="replace")
            try:
                event = parse_event(line)
            except ProtocolError as error:
                _log.warning("from the engine: %s", error)
            else:
                self._deliver(event)

    def _deliver(self, event: Event) -> None:
        self._deaths = 0
        identity = int(getattr(event, "id", 0))
        pending = self._pending.get(identity)
        if pending is None or pending.handler is _ignore:
            for pixels in pixels_of(event):
                self.release(pixels.name)
        if pending is None:
            return
        if is_closing(event):
            del self._pending[identity]
        pending.handler(event)

    def _read_log(self) -> None:
        if self._process is not None:
            text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            self._log.extend(text.splitlines())

    def _kill_if_pending(self, identity: int) -> None:
        if identity in self._pending and self._process is not None:
            _log.warning("the engine did not cancel request %s in time and is killed", identity)
            pending = self._pending.pop(identity)
            self._process.kill()
            pending.handler(CancelledRequest(identity))

    def _failed_to_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process = None
            self.gave_up.emit(self.tr("The engine cannot be started: {command}").format(command=" ".join(self._command)))

    def _finished(self) -> None:
        """Start again, and send again what was asked and can be asked twice."""
        if self._closing or self._process is None:
            return
        self._read()
        self._read_log()
        code = self._process.exitCode()
        self._process.deleteLater()
        self._process = None
        self._deaths += 1
        if self._deaths > MAX_QUICK_DEATHS:
            self._fail_all(list(self._pending))
            self.gave_up.emit(self.tr("The engine stops again and again (exit status {code}).").format(code=code))
            return
        self.went_down.emit(self.tr("The engine stopped unexpectedly and was started again."))
        QTimer.singleShot(RESTART_MS, self, self._start_again)

    def _start_again(self) -> None:
        if self._closing:
            return
        self.start()
        lost = []
        for identity, pending in list(self._pending.items()):
            pending.deaths += 1
            if isinstance(pending.request, Preview):
                self._deliver(CancelledRequest(identity))
            elif pending.deaths > 1 or not (isinstance(pending.request, Open | Show) or _asks(pending.request)):
                lost.append(identity)
            else:
                self._send(pending.request)
        self._fail_all(lost)

    def _fail_all(self, identities: Sequence[int]) -> None:
        for identity in identities:
            message = self.tr("The engine stopped while it worked on this.")
            pending = self._pending.pop(identity, None)
            if pending is not None:
                pending.handler(Told(identity, Failed(None, STOPPED, message)))


def pixels_of(event: Event) -> tuple[Pixels, ...]:
    """The shared memory that an event hands over."""
    if isinstance(event, Previewed):
        return tuple(pixels for pixels in (event.left, event.right, event.heat) if pixels is not None)
    return (event.pixels,) if isinstance(event, Opened | Shown | Thumbnailed) else ()


def is_closing(event: Event) -> bool:
    """Whether nothing more comes for the request that ``event`` answers."""
    if isinstance(event, Told):
        return isinstance(event.event, Summary) or (isinstance(event.event, Failed) and event.event.input is None)
    return isinstance(event, CLOSING)


def _asks(request: Request) -> bool:
    """Whether a request only asks, and may be asked twice."""
    return request.name in {"hello", "survey", "bench", "thumbnail", "plan"}


def _ignore(event: Event) -> None:
    """Take an event that nobody waits for."""
