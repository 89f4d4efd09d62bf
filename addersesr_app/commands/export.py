"""`addersesr export`: a network for other people's programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from addersesr_app.arguments import add_strength, positive
from addersesr_app.places import places
from engine import strength
from engine.catalogue import Catalogue
from engine.errors import UsageError
from engine.export.files import to_bytes
from engine.selection import find
from engine.storing import aside
from engine.weights import MAX_ID

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console
    from engine.foreign import AnyModel

FORMATS = ("onnx", "tflite", "safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", metavar="ID|FILE", required=True, help="the network (see `addersesr models`), or a model file")
    parser.add_argument("--format", choices=FORMATS, required=True, help="what to write")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help="where to write it")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32", help="which form of the network (default: fp32)")
    add_strength(parser)
    parser.add_argument("--name", metavar="NAME", help="the model's id and title in a safetensors file (default: its own)")
    parser.add_argument("--width", type=positive, metavar="PIXELS", help="fix the input's width (default: any)")
    parser.add_argument("--height", type=positive, metavar="PIXELS", help="fix the input's height (default: any)")


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the file and say how large it is."""
    if (args.width is None) != (args.height is None):
        raise UsageError("--width and --height: give both, or neither")
    catalogue = Catalogue(places().models)
    model = strength.at(find(catalogue, args.model), args.strength, catalogue.models)
    if args.precision not in model.precisions:
        raise UsageError(f"--precision {args.precision}: {model.id} has no {args.precision} form (it has {', '.join(model.precisions)})")
    size = None if args.width is None else (args.width, args.height)
    if args.name is not None:
        model = _renamed(model, args.name)
    data = to_bytes(model, args.format, args.precision, size)
    with aside(args.output, overwrite=True) as temporary:
        temporary.write_bytes(data)
    if console.as_json:
        console.value({"file": str(args.output), "format": args.format, "precision": args.precision, "bytes": len(data)})
    else:
        console.line(f"{args.output}: {model.id} {args.precision} as {args.format}, {len(data):,} bytes")
    return 0


def _renamed(model: AnyModel, name: str) -> AnyModel:
    """The same model under another id and title. Raises UsageError for what cannot be a file's name."""
    if not 0 < len(name) <= MAX_ID or not name.isprintable() or set(name) & set("/\\") or name.startswith("."):
        raise UsageError(f"--name {name!r}: cannot be a model's name")
    return replace(model, id=name).with_about(title=name)
