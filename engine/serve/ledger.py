"""What one job has begun and finished, on the disk before and after each file: no crash repeats or loses a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine import journal
from engine.events import Event, Finished, Started
from engine.journal import Entry, Journal

if TYPE_CHECKING:
    from types import TracebackType

    from engine.existing import Existing


class Ledger:
    """A job's notes, to be used with ``with``. Raises OutputError where they cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal: Journal | None = None

    def __enter__(self) -> Ledger:
        self._journal = Journal(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._journal is not None:
            self._journal.close()

    def note(self, event: Event) -> None:
        """Keep what begins or ends a file; it is on the disk when this returns."""
        assert self._journal is not None
        if isinstance(event, Started):
            self._journal.append(Entry(event.input, "started", {"output": event.output}))
        elif isinstance(event, Finished):
            self._journal.append(Entry(event.input, "finished", {"output": event.output}))

    def finished(self, existing: Existing) -> tuple[str, ...]:
        """The inputs that are finished.

        An output appears whole or not at all. So one that was begun and not noted as finished is finished where its output is
        there, unless outputs that were there before are replaced: then it is done again, which harms nothing.
        """
        entries = journal.read(self._path)
        done = {entry.job for entry in entries if entry.state == "finished"}
        if existing != "overwrite":
            begun = {entry.job: entry.data.get("output") for entry in entries if entry.state == "started"}
            done |= {job for job, output in begun.items() if isinstance(output, str) and Path(output).exists()}
        return tuple(sorted(done))
