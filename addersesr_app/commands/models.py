"""`addersesr models`: the networks that there are, and taking in others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from addersesr_app.places import places
from engine.catalogue import Catalogue, read
from engine.export.files import to_bytes
from engine.foreign import ForeignModel
from engine.storing import aside
from engine.workshop import make_folder

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console
    from engine.catalogue import Entry

HEADER = ("id", "scale", "m", "f", "block", "precision", "parameters", "PSNR dB", "licence", "file")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument("--add", type=Path, metavar="FILE", help="take a .safetensors model, or somebody's .onnx file, into your folder")


def run(args: argparse.Namespace, console: Console) -> int:
    """List every usable model, one that is added among them; damaged ones are named on standard error."""
    if args.add is not None:
        console.note(f"added as {_add(args.add)}")
    catalogue = Catalogue(places().models)
    entries = catalogue.entries()
    if console.as_json:
        console.value([entry.row() for entry in entries])
    else:
        console.table(HEADER, [_cells(entry) for entry in entries])
    for problem in catalogue.problems():
        console.note(problem.message)
    return 0


def _add(file: Path) -> Path:
    """Read a model and store it among the user's own. Raises ModelError, OutputError."""
    model = read(file)
    target = places().user_models / file.name
    data = to_bytes(model, "onnx" if isinstance(model, ForeignModel) else "safetensors")
    make_folder(target.parent)
    with aside(target, overwrite=False) as temporary:
        temporary.write_bytes(data)
    return target


def _cells(entry: Entry) -> tuple[str, ...]:
    row = entry.row()
    psnr = ", ".join(f"{name} {figure:.2f}" for name, figure in entry.psnr.items())
    shape = [str(row[name]) if row[name] is not None else "–" for name in ("m", "f")]
    numbers = (f"×{row['scale']}", *shape, row["block"], row["precision"], f"{row['parameters']:,}")
    return (row["id"], *numbers, psnr or "–", row["licence"], row["file"])
