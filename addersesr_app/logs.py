"""Where the application writes its log, and what goes into it when something breaks."""

from __future__ import annotations

import logging
import logging.handlers
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1_000_000
KEPT_FILES = 2


def start(target: Path) -> None:
    """Send warnings and worse of the whole process to the log. A log that cannot be written is done without."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.RotatingFileHandler(target, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    except OSError:
        logging.getLogger().addHandler(logging.NullHandler())  # else Python prints warnings, traces among them, to standard error
        return
    file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    file.setLevel(logging.WARNING)
    logging.getLogger().addHandler(file)


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
