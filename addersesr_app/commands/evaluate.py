"""`addersesr eval`: a network's PSNR and SSIM over a folder of pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from addersesr_app.arguments import add_engine, add_strength, percent, positive
from addersesr_app.places import places
from addersesr_app.stopping import Stopping
from engine import bench
from engine.backends import choose
from engine.backends.bicubic import Bicubic
from engine.catalogue import Catalogue
from engine.crops import Crops
from engine.errors import UsageError
from engine.evaluate import evaluate
from engine.network import SCALES
from engine.selection import Target, select

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console
    from engine.backends import Backend
    from engine.bench import Timing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", metavar="ID|FILE", required=True, help="the network (see `addersesr models`), a model file, or bicubic")
    parser.add_argument("--data", type=Path, metavar="DIR", required=True, help="NAME_HR/NAME_LR pairs, HR pictures alone, or DIV2K")
    parser.add_argument("--scale", type=int, choices=SCALES, help="the model's scale, to be sure; bicubic's (default: 2)")
    parser.add_argument("--jpeg", type=percent, metavar="QUALITY", help="save the small pictures as 4:2:0 JPEG of this quality first")
    parser.add_argument("--crops", type=Path, metavar="DIR", help="also store the middle of each picture there, to be looked at")
    parser.add_argument("--timed", metavar="WIDTHxHEIGHT", type=_size, help="also say what an input of this size takes here, in ms")
    add_strength(parser)
    add_engine(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure every picture and print the figures."""
    name, backend = _network(args)
    look = {"on_luma": Crops(args.crops).store} if args.crops else {}
    with Stopping() as stopping:
        result = evaluate(
            backend,
            args.data,
            name,
            lambda done, total: console.status(f"{done}/{total} pictures"),
            stopping.asked,
            jpeg=args.jpeg,
            **look,
        )
    pictures = [asdict(score) for score in result.pictures]
    if console.as_json:
        value = {"model": name, "scale": result.scale, "psnr": result.psnr, "ssim": result.ssim, "pictures": pictures}
        console.value(value | ({} if args.timed is None else {"timed": asdict(_timed(backend, name, *args.timed))}))
    else:
        rows = [(score.name, f"{score.psnr:.2f}", f"{score.ssim:.4f}") for score in result.pictures]
        console.table(("picture", "PSNR dB", "SSIM"), [*rows, ("mean", f"{result.psnr:.2f}", f"{result.ssim:.4f}")])
        if args.timed is not None:
            console.line(f"{_timed(backend, name, *args.timed).median_ms:.1f} ms for {args.timed[0]}×{args.timed[1]}")
    return 0


def _network(args: argparse.Namespace) -> tuple[str, Backend]:
    """What is to be scored: its name, and it ready to run. Raises UsageError, ModelError, BackendError."""
    if args.model == "bicubic":
        return args.model, Bicubic(args.scale or 2)
    model = select(Catalogue(places().models), args.model, Target(), args.precision, args.strength).nominal
    if args.scale not in (None, model.spec.scale):
        raise UsageError(f"--scale {args.scale}: {model.id} upscales by {model.spec.scale}")
    return model.id, choose.create(model, args.backend, args.device, args.precision, args.threads)


def _timed(backend: Backend, model: str, width: int, height: int) -> Timing:
    return bench.measure((bench.Candidate(backend.name, model, backend.precision, None, backend.run),), width, height)[0]


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return positive(width), positive(height)
