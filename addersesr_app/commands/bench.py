"""`addersesr bench`: how fast each network runs here, side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from addersesr_app.arguments import BACKENDS, positive
from addersesr_app.places import places
from engine import bench
from engine.catalogue import Catalogue
from engine.errors import BackendError, OutputError
from engine.power import find_meters
from engine.selection import find

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from addersesr_app.console import Console
    from engine.bench import Timing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--width", type=positive, default=640, metavar="PIXELS", help="the input's width (default: 640)")
    parser.add_argument("--height", type=positive, default=360, metavar="PIXELS", help="the input's height (default: 360)")
    parser.add_argument("--model", metavar="ID|FILE", help="one network alone (default: all)")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="one back end alone (default: all)")
    parser.add_argument("--threads", type=positive, metavar="N", help="processor threads (default: all cores)")
    parser.add_argument("--rounds", type=positive, default=bench.ROUNDS, metavar="N", help="how often each is timed (default: %(default)s)")
    parser.add_argument("--watts", type=float, metavar="W", help="what this computer draws under load, if you have measured it")


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure, print, and keep the result for predicting times and energies."""
    catalogue = Catalogue(places().models)
    models = catalogue.models() if args.model is None else (find(catalogue, args.model),)
    tested, reasons = bench.candidates(models, args.backend, args.threads)
    if not tested:
        raise BackendError("; ".join(reasons) or "there is no network to measure")
    for reason in reasons:
        console.note(reason)
    console.status(f"timing {len(tested)} networks at {args.width}×{args.height} …")
    timings: list[Timing] = []
    watts = bench.measure_watts(lambda: timings.extend(bench.measure(tested, args.width, args.height, args.rounds)), find_meters()[0])
    if args.model is None and args.threads is None and args.backend == "auto":
        _keep(bench.calibrate(tested, timings, watts if args.watts is None else args.watts), console)
    if console.as_json:
        console.value([asdict(timing) for timing in timings])
    else:
        for line in markdown(timings):
            console.line(line)
    return 0


def markdown(timings: Sequence[Timing]) -> list[str]:
    """A Markdown table, fastest first; the last column compares with the fastest."""
    ordered = sorted(timings, key=lambda timing: timing.median_ms)
    rows = [f"{ordered[0].width}×{ordered[0].height} input, {bench.machine()}", ""]
    rows += ["| network | back end | precision | median ms | min | max | × the fastest |", "|---|---|---|---:|---:|---:|---:|"]
    for timing in ordered:
        ratio = timing.median_ms / ordered[0].median_ms
        numbers = f"{timing.median_ms:.2f} | {timing.min_ms:.2f} | {timing.max_ms:.2f} | {ratio:.2f}"
        rows.append(f"| {timing.model} | {timing.backend} | {timing.precision} | {numbers} |")
    return rows


def _keep(calibration: bench.Calibration, console: Console) -> None:
    try:
        bench.save(calibration, places().calibration)
    except OutputError as error:
        console.note(str(error))
