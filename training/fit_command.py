"""`addersesr fit`: a network fitted to somebody's own material. Torch is imported when it begins."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from training.command import printer
from training.models import find_model, located

if TYPE_CHECKING:
    from engine.catalogue import Catalogue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to fit to, which network, where the result goes, and how long it may take."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="pictures, clips or folders of what it shall suit")
    parser.add_argument("--model", default="sesr-m5-x2", metavar="ID|FILE", help="the network to begin with (default: %(default)s)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the fitted network, a .safetensors file")
    parser.add_argument("--minutes", type=_minutes, default=3.0, help="how long it may take (default: 3)")
    parser.add_argument("--steps", type=_steps, metavar="N", help="take so many steps instead, however long they take")
    parser.add_argument("--data", type=Path, metavar="DIR", help="general pictures to mix in, so that it stays good at the rest")
    parser.add_argument("--threads", type=_threads, default=0, metavar="N", help="processor threads (default: 0, all cores)")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")


def run(args: argparse.Namespace, catalogue: Catalogue) -> int:
    """Fit, printing events; 0 if something was gained, 1 if not. ``catalogue`` has the models that may be named. Raises AdderSESRError."""
    import torch  # noqa: PLC0415 - not before it is needed

    from training.fit import Fit, check_output  # noqa: PLC0415 - brings torch

    if args.output.is_dir():
        raise UsageError(f"-o {args.output}: is a folder; name the .safetensors file")
    check_output(args.output, overwrite=args.overwrite)
    if args.threads:
        torch.set_num_threads(args.threads)
    model, extra = find_model(located(args.model, catalogue)), (args.data,) if args.data else ()
    show, gained = printer(as_json=args.json), False
    for event in Fit(args.inputs, model, args.output, args.minutes, extra, steps=args.steps).events():
        show(event)
        gained = gained or event.name == "saved"
    return 0 if gained else 1


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1440:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1440")
    return value


def _steps(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _threads(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value
