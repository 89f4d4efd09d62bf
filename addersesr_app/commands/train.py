"""`addersesr train`: everything that needs gradients is in `training`, which needs torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from addersesr_app.places import places
from engine.catalogue import Catalogue
from engine.errors import TrainingError

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console

MISSING = (
    "training needs torch, which is not installed; add it with: pip install 'addersesr[train]' (from a checkout: pip install '.[train]')"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _training().add_arguments(parser)


def run(args: argparse.Namespace, _console: Console) -> int:
    """Train."""
    require_torch()
    status: int = _training().run(args, Catalogue(places().models))
    return status


def require_torch() -> None:
    """Raise TrainingError where torch is not installed."""
    try:
        import_module("torch")
    except ImportError as error:
        raise TrainingError(MISSING) from error


def _training() -> Any:
    return import_module("training.command")
