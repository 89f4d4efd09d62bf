"""`addersesr fit`: a network fitted to somebody's own pictures. Like `train`, it needs torch."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from addersesr_app.commands.train import require_torch
from engine.errors import TrainingError

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="pictures or videos to fit to")
    parser.add_argument("--model", metavar="ID|FILE", required=True, help="the network to start from (see `addersesr models`)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help="where the fitted model goes")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to train (default: 5)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="more pictures to learn from")


def run(args: argparse.Namespace, _console: Console) -> int:
    """Fit."""
    require_torch()
    try:
        fitting = import_module("training.fit")
    except ModuleNotFoundError as error:
        raise TrainingError("fitting a network to pictures is not part of this version") from error
    status: int = fitting.run(args)
    return status
