"""`addersesr energy`: what each network costs for a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from addersesr_app.arguments import positive
from engine.cost import Accounting, table
from engine.network import SCALES

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console
    from engine.cost import Row

HEADER = ("network", "block", "precision", "parameters", "MACs", "multiplies", "additions", "energy mJ, arithmetic (45 nm)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--width", type=positive, default=640, metavar="PIXELS", help="the input's width (default: 640)")
    parser.add_argument("--height", type=positive, default=360, metavar="PIXELS", help="the input's height (default: 360)")
    parser.add_argument("--scale", type=int, choices=SCALES, default=2, help="how many times as wide and high (default: 2)")
    help_text = "kernel taps alone, as in the literature, or every operation (default: published)"
    parser.add_argument("--accounting", choices=get_args(Accounting), default="published", help=help_text)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the table."""
    rows = table(args.width, args.height, args.scale, args.accounting)
    if console.as_json:
        console.value([record(row) for row in rows])
    else:
        console.table(HEADER, [_cells(row) for row in rows])
    return 0


def record(row: Row) -> dict[str, Any]:
    """A row as plain JSON types."""
    cost = row.cost
    counts = {"parameters": cost.parameters, "macs": cost.macs, "multiplies": cost.multiplies, "additions": cost.additions}
    return {"id": row.id, "block": row.block, "precision": row.precision, **counts, "energy_mj": cost.energy_mj}


def _cells(row: Row) -> tuple[str, ...]:
    cost = row.cost
    giga = (f"{count / 1e9:.3f} G" for count in (cost.macs, cost.multiplies, cost.additions))
    return (row.id, row.block, row.precision, f"{cost.parameters:,}", *giga, f"{cost.energy_mj:.4g}")
