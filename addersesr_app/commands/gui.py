"""`addersesr gui`: the window."""

from __future__ import annotations

import gc
import signal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from addersesr_app.console import Console

THEMES = ("light", "dark", "auto")
PAGES = ("upscale", "train", "models", "settings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("inputs", nargs="*", type=Path, metavar="FILE", help="pictures to open")
    parser.add_argument("--theme", choices=THEMES, help="colours (default: as set, else the system's)")
    parser.add_argument("--page", choices=PAGES, default="upscale", help="the page to show first")


def run(args: argparse.Namespace, _console: Console) -> int:
    """Open the window and give its exit status."""
    return open_window(args.inputs, args.theme, args.page)


def open_window(inputs: Sequence[Path] = (), theme: str | None = None, page: str = "upscale") -> int:
    """Open the window and give its exit status.

    Qt's event loop is not Python: a handler of ours would never be called there, so a signal ends the process as it does any
    other. Nothing is lost: the engine ends with its window, and the queue's journal is whole after every line.
    """
    gc.disable()  # nothing of all that is loaded now is garbage; `addersesr_app.start` turns it on again
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    status: int = import_module("addersesr_app.start").main(inputs, theme=theme, page=page)
    return status
