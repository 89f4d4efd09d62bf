"""What the command line prints: lines for people, or one JSON object a line; a calm progress line on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.events import Event

CLEAR_LINE = "\r\x1b[K"


class Console:
    """Standard output for results, standard error for errors and progress.

    Names that are not UTF-8 hold lone surrogates; written with backslashes they are valid JSON, and harmless text.
    """

    def __init__(self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        for stream in (self._out, self._err):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        self._live = not as_json and self._err.isatty()
        self._showing = False

    def line(self, text: str) -> None:
        """One line of a result."""
        self.clear()
        self._out.write(text + "\n")
        self._out.flush()

    def value(self, value: Any) -> None:
        """One JSON value on a line of its own."""
        import json  # noqa: PLC0415 (the window prints nothing, and is to be there at once)

        self.line(json.dumps(value, ensure_ascii=False))

    def event(self, event: Event) -> None:
        """An event as JSON."""
        self.line(event.to_json())

    def note(self, text: str) -> None:
        """Something worth knowing that is not a result."""
        self.clear()
        self._err.write(text + "\n")
        self._err.flush()

    def fail(self, error: str, message: str) -> None:
        """The whole command failed."""
        if self.as_json:
            from engine.events import Failed  # noqa: PLC0415 (as above)

            self.event(Failed(None, error, message))
        else:
            self.note(f"addersesr: {message}")

    def status(self, text: str) -> None:
        """Replace the progress line, where there is a terminal to show one."""
        if self._live:
            self._err.write(f"{CLEAR_LINE}{text}")
            self._err.flush()
            self._showing = True

    def clear(self) -> None:
        """Take the progress line away."""
        if self._showing:
            self._err.write(CLEAR_LINE)
            self._err.flush()
            self._showing = False

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their widest cell; every column but the first is set flush right."""
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        for row in (header, *rows):
            cells = (cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
            self.line("  ".join(cells).rstrip())
