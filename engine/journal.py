"""An append-only record of a queue that survives a crash: one line an entry, each with its checksum.

A line is ``CRC32 JSON``, the CRC-32 of the JSON's UTF-8 bytes as 8 hex digits. Every append is flushed to the disk before it
returns. A process killed while appending leaves at most one torn line at the end: reading leaves it out, opening cuts it off.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

from engine.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

State = Literal["queued", "started", "finished", "failed", "skipped", "removed"]
OPEN_STATES = frozenset({"queued", "started"})


@dataclass(frozen=True, slots=True)
class Entry:
    """Job ``job`` reached ``state``. ``data`` is free JSON: the request when queued, the result or the error at the end."""

    job: str
    state: State
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state not in get_args(State):
            raise ValueError(f"state must be one of {get_args(State)}, not {self.state!r}")


class Journal:
    """A journal opened for appending. Raises OutputError where the file cannot be written. Close it, or use ``with``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open_whole(path)
        except OSError as error:
            raise OutputError(f"{path}: the journal cannot be opened ({error.strerror})") from error

    def append(self, entry: Entry) -> None:
        """Store ``entry``; it is on the disk when this returns."""
        try:
            self._file.write(_line(entry))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}: the journal cannot be written ({error.strerror})") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> tuple[Entry, ...]:
    """Every whole entry, oldest first; none where there is no journal. Damaged lines are left out. Raises OutputError."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OutputError(f"{path}: the journal cannot be read ({error.strerror})") from error


def unfinished(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The jobs that were queued and not yet ended, in the order of their queueing, each with its ``queued`` entry."""
    queued: dict[str, Entry] = {}
    for entry in entries:
        if entry.state == "queued":
            queued[entry.job] = entry
        elif entry.state not in OPEN_STATES:
            queued.pop(entry.job, None)
    return queued


def rewrite(path: Path, entries: Iterable[Entry]) -> None:
    """Replace the journal by ``entries`` alone, in one step: a crash leaves the old one or the new one. Raises OutputError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.writelines(map(_line, entries))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OutputError(f"{path}: the journal cannot be written ({error.strerror})") from error


def _open_whole(path: Path) -> IO[bytes]:
    """Open for appending, a torn last line cut off first so that the next one stands alone."""
    file = path.open("ab+")
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
    return file


def _line(entry: Entry) -> bytes:
    text = json.dumps({"job": entry.job, "state": entry.state, "data": dict(entry.data)}).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(content: bytes) -> tuple[Entry, ...]:
    entries = (_entry(line) for line in content.split(b"\n")[:-1])
    return tuple(entry for entry in entries if entry is not None)


def _entry(line: bytes) -> Entry | None:
    """The entry of one line, None where it is damaged."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        record = json.loads(text)
        return Entry(record["job"], record["state"], record["data"])
    except (ValueError, KeyError, TypeError):
        return None
