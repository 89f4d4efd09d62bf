"""One training run, seen from the window: its folder followed, its process started, told what to do, and missed when it is gone."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from addersesr_app.processes import Detached, is_alive
from addersesr_app.run_follow import Follower
from addersesr_app.run_record import Record
from engine.errors import AdderSESRError, TrainingError
from training import control
from training.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.settings import Settings

State = Literal["queued", "starting", "running", "paused", "done", "stopped", "failed", "interrupted"]
GOING: frozenset[State] = frozenset({"starting", "running", "paused"})
FOLLOW_MS, WATCH_MS = 250, 1500
STOP_S = 3.0
ASK_EVERY = 5
"""Of so many looks at a run that goes on, one also asks its process whether it is what it seems."""
QUEUED, LOG = "queued", "trainer.log"


class RunClient(QObject):
    """Follows the run in ``path``. ``told`` comes after new events, ``state_changed`` after another state, ``refused`` with a reason."""

    told = Signal()
    state_changed = Signal()
    refused = Signal(str)
    _asked = Signal(bool)

    def __init__(self, path: Path, program: Sequence[str], directory: str, parent: QObject | None = None) -> None:
        """``program`` and ``directory`` start a trainer; a run that goes on already is only followed."""
        super().__init__(parent)
        self.folder = RunFolder(path)
        self.record = Record()
        self.state: State = "starting"
        self._program, self._directory = list(program), directory
        self._follower = Follower(self.folder.events)
        self._settings: tuple[int, Settings] | None = None
        self._process: Detached | None = None
        self._begun_before = 0
        self._looks = 0
        self._released = False
        self._answers = True
        self._asked.connect(self._on_asked)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self.look()
        if self.state in GOING:
            self._ask()

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.folder.path.name

    @property
    def settings(self) -> Settings:
        """The run's settings as they are stored now. Raises TrainingError or ConfigError."""
        stamp = self.folder.config.stat().st_mtime_ns if self.folder.config.exists() else 0
        if self._settings is None or self._settings[0] != stamp:
            self._settings = (stamp, self.folder.settings())
        return self._settings[1]

    @property
    def model_file(self) -> Path | None:
        """The best network so far."""
        file = self.folder.path / self.record.model_file
        return file if self.record.model_file and file.is_file() else None

    @property
    def going(self) -> bool:
        """Whether a process has this run."""
        return self.state in GOING

    def look(self) -> None:
        """Take in what is new."""
        if self._released:
            return
        self._looks += 1
        if self.going and self._looks % ASK_EVERY == 0:
            self._ask()
        more = self._read()
        if not more:
            self._judge()
        interval = 0 if more else FOLLOW_MS if self.going else WATCH_MS
        if not self._timer.isActive() or self._timer.interval() != interval:
            self._timer.start(interval)

    def start(self) -> None:
        """Begin a new run, or one that waited."""
        self._launch("--config", str(self.folder.config))
        self.queue(wait=False)  # not before: whoever starts what waits would think that nothing goes on

    def go_on(self, steps: int | None = None, rate: float | None = None) -> None:
        """Go on from the last checkpoint, to ``steps`` in all where that is another number."""
        changes = [] if steps is None else ["--steps", str(steps)]
        changes += [] if rate is None else ["--learning-rate", str(rate)]
        self._launch("--resume", *changes)

    def queue(self, *, wait: bool) -> None:
        """Mark the run as one that waits for its turn, or no longer."""
        mark = self.folder.path / QUEUED
        mark.touch() if wait else mark.unlink(missing_ok=True)
        self._judge()

    def pause(self) -> None:
        """Let it wait after its step, without using any processor."""
        self._send("pause")

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._send("resume")

    def stop(self) -> None:
        """End it after its step and keep what it has learnt."""
        self._send("stop")

    def cancel(self) -> None:
        """End a run that has not begun to train: there is nothing to keep. One that began just now is stopped."""
        if self._process is not None and not self.record.step:
            self._process.terminate()
        else:
            self.stop()

    def stop_and_wait(self) -> None:
        """As `stop`, and come back when the run has been told: for a window that is about to go.

        A process that does not listen yet has nothing to lose, and is ended.
        """
        teller = self._send("stop")
        teller.join(STOP_S)
        if self.state == "starting" and self._process is not None:
            self._process.terminate()

    def change(self, steps: int, rate: float) -> None:
        """Give what remains another end and another highest rate."""
        self._send("extend", steps=steps)
        self._send("rate", rate=rate)

    def release(self) -> None:
        """Let go of the run; its process goes on."""
        self._released = True
        self._timer.stop()
        if self._process is not None:
            self._process.release()

    def _launch(self, *words: str) -> None:
        argv = [*self._program, "train", "--run", str(self.folder.path), *words]
        if self._process is not None:  # that of a run which is over, and about to go
            self._process.wait(STOP_S)
            self._process.release()
        self._begun_before, self._answers = self.record.begun, True
        try:
            self._process = Detached(argv, self._directory, self.folder.path / LOG)
        except OSError as error:
            self.refused.emit(self.tr("{command} cannot be started: {reason}").format(command=argv[0], reason=error.strerror))
        self.look()

    def _read(self) -> bool:
        anew, lines, more = self._follower.read()
        if anew:
            self.record = Record()
        self.record.take(lines)
        if anew or lines:
            self.told.emit()
        return more

    def _judge(self) -> None:
        state = self._state()
        if state != self.state:
            self.state = state
            self.state_changed.emit()

    def _state(self) -> State:
        record, alive = self.record, self._alive()
        if alive and self._process is not None and record.begun == self._begun_before:
            return "starting"
        if record.end:
            return record.end
        if alive:
            return "starting" if not record.begun else "paused" if record.paused else "running"
        if (self.folder.path / QUEUED).exists():
            return "queued"
        if self._process is not None and (complaint := self._complaint()):
            record.end, record.message = "failed", complaint
            return "failed"
        return "interrupted"

    def _alive(self) -> bool:
        if self._process is not None and self._process.alive:
            return True
        try:
            contact = json.loads((self.folder.path / control.FILE).read_text("utf-8"))
            return self._answers and is_alive(int(contact["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _complaint(self) -> str:
        """What the process said when it failed before it could write an event down."""
        try:
            lines = (self.folder.path / LOG).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.removeprefix("addersesr: ") for line in reversed(lines) if line.startswith("addersesr: ")), "")

    def _ask(self) -> None:
        """Ask the process itself: its number alone may be another's by now."""

        def ask() -> None:
            try:
                control.send(self.folder.path, "status")
                answers = True
            except TrainingError:
                answers = False
            with contextlib.suppress(RuntimeError):  # the window has gone meanwhile
                self._asked.emit(answers)

        threading.Thread(target=ask, daemon=True, name="ask").start()

    def _on_asked(self, answers: bool) -> None:
        self._answers = answers
        self._judge()

    def _send(self, command: str, **values: Any) -> threading.Thread:
        """Send a command without waiting for what it is answered."""

        def send() -> None:
            try:
                control.send(self.folder.path, command, **values)
            except AdderSESRError as error:
                with contextlib.suppress(RuntimeError):
                    self.refused.emit(str(error))

        teller = threading.Thread(target=send, daemon=True, name=command)
        teller.start()
        return teller
