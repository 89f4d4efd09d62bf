"""`addersesr models`: the networks that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from addersesr_app.places import places
from engine.catalogue import Catalogue

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console
    from engine.catalogue import Entry

HEADER = ("id", "scale", "m", "f", "block", "precision", "parameters", "PSNR dB", "licence", "file")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: none."""


def run(_args: argparse.Namespace, console: Console) -> int:
    """List every usable model; damaged ones are named on standard error."""
    catalogue = Catalogue(places().models)
    entries = catalogue.entries()
    if console.as_json:
        console.value([entry.row() for entry in entries])
    else:
        console.table(HEADER, [_cells(entry) for entry in entries])
    for problem in catalogue.problems():
        console.note(problem.message)
    return 0


def _cells(entry: Entry) -> tuple[str, ...]:
    row = entry.row()
    psnr = ", ".join(f"{name} {figure:.2f}" for name, figure in entry.psnr.items())
    numbers = (f"×{row['scale']}", str(row["m"]), str(row["f"]), row["block"], row["precision"], f"{row['parameters']:,}")
    return (row["id"], *numbers, psnr or "–", row["licence"], row["file"])
