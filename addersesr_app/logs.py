"""Where the application writes its log, and what goes into it when something breaks."""

from __future__ import annotations

import contextlib
import logging
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1_000_000


def start(target: Path) -> None:
    """Send warnings and worse of the whole process to the log. A log that cannot be written is done without."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _make_room(target)
        file = logging.FileHandler(target, encoding="utf-8")
    except OSError:
        logging.getLogger().addHandler(logging.NullHandler())  # else Python prints warnings, traces among them, to standard error
        return
    file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    file.setLevel(logging.WARNING)
    logging.getLogger().addHandler(file)


def older(target: Path) -> Path:
    """Where a log goes that has grown too large by the time a process starts."""
    return target.with_name(f"{target.name}.1")


def _make_room(target: Path) -> None:
    """Put a log aside that has grown too large. Where that cannot be done (another process holds it), it grows on."""
    with contextlib.suppress(OSError):
        if target.stat().st_size > MAX_BYTES:
            target.replace(older(target))


def record_crash(error: BaseException, path: Path) -> str:
    """Append the trace of ``error`` to the log at ``path`` and say, in a clause, where it is to be found."""
    text = "".join(traceback.format_exception(error))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return "its trace could not be stored"
    return f"its trace is in {path}"
