"""`addersesr serve`: the engine as a process, for the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from addersesr_app.places import places
from engine.serve.server import serve

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: none."""


def run(_args: argparse.Namespace, _console: Console) -> int:
    """Serve until standard input ends."""
    where = places()
    return serve(where.models, where.calibration)
