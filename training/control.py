"""Commands to a run that is going on, over a local socket that its folder names.

A request is ``{"command": NAME, …}``, the answer ``{"ok": true, …}`` or ``{"ok": false, "message": …}``. Commands:
``status``; ``pause``; ``resume``; ``stop`` (and keep what was trained); ``extend`` with ``steps``, the new total;
``rate`` with ``rate``, the highest rate of what remains. Neither side needs torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
import threading
from dataclasses import dataclass, replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from engine.errors import TrainingError

FILE = "control.json"
LONGEST_SOCKET_PATH = 90


@dataclass(frozen=True, slots=True)
class Orders:
    """What the run was told and has not done yet."""

    stop: bool = False
    interrupt: bool = False
    steps: int | None = None
    rate: float | None = None


class Control:
    """The run's end: keeps orders until the loop asks for them, and holds the loop while paused. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._changed = threading.Condition()
        self._orders = Orders()
        self._paused = False
        self._closed = False
        self._status: dict[str, Any] = {"step": 0, "steps": 0}
        self._key = secrets.token_bytes(32)
        self._address = _address(folder)
        self._listener: Listener | None = None

    def __enter__(self) -> Control:
        if os.name != "nt":
            Path(self._address).unlink(missing_ok=True)  # left by a run that was killed
        self._listener = Listener(self._address, authkey=self._key)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True, name="control").start()
        self._file.unlink(missing_ok=True)
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"address": self._address, "key": self._key.hex(), "pid": os.getpid()}, file)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._file.unlink(missing_ok=True)
        assert self._listener is not None
        with contextlib.suppress(OSError):
            Client(self._address).close()  # wakes the thread that waits for a connection; with a key it would wait for that thread in turn
        self._listener.close()

    @property
    def paused(self) -> bool:
        """Whether the loop is to wait."""
        return self._paused

    def report(self, step: int, steps: int) -> None:
        """Tell what ``status`` answers."""
        self._status = {"step": step, "steps": steps}

    def take(self) -> Orders:
        """The orders since the last time."""
        with self._changed:
            orders, self._orders = self._orders, Orders()
        return orders

    def interrupt(self) -> None:
        """Break off behind the present step, with a checkpoint: what a signal's handler asks for. Ends a pause."""
        with self._changed:
            self._orders, self._paused = replace(self._orders, interrupt=True), False
            self._changed.notify_all()

    def wait(self) -> None:
        """Sleep until the pause is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._paused)

    def _serve(self, listener: Listener) -> None:
        while not self._closed:
            try:
                connection = listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection[Any, Any]) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            while True:
                connection.send_bytes(json.dumps(self._reply(connection.recv_bytes(1 << 16))).encode())

    def _reply(self, request: bytes) -> dict[str, Any]:
        try:
            wish = json.loads(request)
            with self._changed:
                self._obey(wish)
                self._changed.notify_all()
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "message": f"not understood: {error}"}
        return {"ok": True, "state": "paused" if self._paused else "running", **self._status}

    def _obey(self, wish: dict[str, Any]) -> None:
        now = self._orders
        match wish["command"]:
            case "status":
                pass
            case "pause":
                self._paused = True
            case "resume":
                self._paused = False
            case "stop":
                self._orders, self._paused = replace(now, stop=True), False
            case "extend":
                self._orders = replace(now, steps=_positive(wish["steps"]))
            case "rate":
                self._orders = replace(now, rate=_rate(wish["rate"]))
            case other:
                raise ValueError(f"no command {other!r}")


def send(folder: Path, command: str, **values: Any) -> dict[str, Any]:
    """Send a command to the run in ``folder`` and return its answer. Raises TrainingError where none is going on there."""
    try:
        contact = json.loads((folder / FILE).read_text("utf-8"))
        with Client(contact["address"], authkey=bytes.fromhex(contact["key"])) as connection:
            connection.send_bytes(json.dumps({"command": command, **values}).encode())
            answer: dict[str, Any] = json.loads(connection.recv_bytes())
    except (OSError, EOFError, ValueError, KeyError, TypeError, AuthenticationError) as error:
        raise TrainingError(f"{folder}: no training is going on here") from error
    if not answer.get("ok"):
        raise TrainingError(f"{folder}: {answer.get('message')}")
    return answer


def is_running(folder: Path) -> bool:
    """Whether a run answers in ``folder``."""
    try:
        send(folder, "status")
    except TrainingError:
        return False
    return True


def _address(folder: Path) -> str:
    """A socket's path (beside the run, or in the temporary folder where that is too long for one), or a pipe's name on Windows."""
    if os.name == "nt":
        return rf"\\.\pipe\addersesr-{secrets.token_hex(8)}"
    path = folder.resolve() / "control.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        path = Path(tempfile.gettempdir()) / f"addersesr-{secrets.token_hex(8)}.sock"
    return str(path)


def _positive(value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"steps must be a whole number above 0, not {value!r}")
    return value


def _rate(value: Any) -> float:
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"rate must lie between 0 and 1, not {value!r}")
    return value
