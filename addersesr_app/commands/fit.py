"""`addersesr fit`: a network fitted to somebody's own pictures. Like `train`, it needs torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from addersesr_app.commands.train import require_torch
from addersesr_app.places import places
from engine.catalogue import Catalogue

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _fitting().add_arguments(parser)


def run(args: argparse.Namespace, _console: Console) -> int:
    """Fit."""
    require_torch()
    status: int = _fitting().run(args, Catalogue(places().models))
    return status


def _fitting() -> Any:
    return import_module("training.fit_command")
