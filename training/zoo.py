"""The queue of trainings behind the models that ship: ``python -m training.zoo --data DIR --runs DIR [NAME…]``.

Each entry is a recipe of `training/recipes`, shortest first, trained into a run folder of its own below ``--runs`` and taken up again
where it was left. A recipe that starts from another entry's model takes it from that entry's run, or else the one that ships. Needs
torch, numpy, OpenCV and safetensors alone, so that it runs on a borrowed machine with a folder of pictures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import AdderSESRError, ConfigError
from training import checkpoint
from training.command import printer
from training.control import Control
from training.folder import RunFolder
from training.session import begin, train
from training.settings import read_toml, resolve, shipped_recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.events import Event

QUEUE = (
    "sesr-m5-x2",
    "addersesr-m5-x2",
    "sesr-m5-x2-int8",
    "addersesr-m5-x2-int8",
    "sesr-m11-x2",
    "addersesr-m11-x2",
    "sesr-m11-x2-int8",
    "addersesr-m11-x2-int8",
    "sesr-m11-x2-photo",
    "sesr-m11-x2-video",
    "sesr-m11-x2-photo-int8",
    "sesr-m11-x2-video-int8",
    "sesr-m5-x4",
    "addersesr-m5-x4",
    "sesr-m11-x4",
    "addersesr-m11-x4",
    "sesr-m5-x4-int8",
    "addersesr-m5-x4-int8",
    "sesr-m11-x4-int8",
    "addersesr-m11-x4-int8",
    "sesr-xl-x2",
    "addersesr-xl-x2",
    "sesr-xl-x4",
    "sesr-xl-x2-int8",
    "sesr-xl-x4-int8",
    "addersesr-xl-x4",
    "addersesr-xl-x2-int8",
    "addersesr-xl-x4-int8",
)


def settings_of(name: str, runs: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """An entry's settings with ``changes``, its start found among ``runs``. Raises ConfigError for an unknown name."""
    if name not in shipped_recipes():
        raise ConfigError(f"{name}: no such recipe; there are {', '.join(shipped_recipes())}")
    given = {**read_toml(Path(name)), **changes}
    if given.get("quant_A"):
        given["amp"] = False  # bfloat16 does not hold codes exactly
    earlier = RunFolder(runs / str(given.get("start", ""))).model(str(given.get("start", "")))
    return {**given, "start": str(earlier)} if given.get("start") and earlier.exists() else given


def run_entry(name: str, runs: Path, changes: dict[str, Any], show: Callable[[Event], None]) -> None:
    """Train one entry to its end, from where it was left; one that is finished is passed over. Raises AdderSESRError."""
    folder = RunFolder((runs / name).resolve())
    resume = folder.config.exists()
    given = settings_of(name, runs, changes)
    if folder.last.exists() and checkpoint.read(folder.last).step >= resolve(given).steps:
        return
    settings = begin(folder, {} if resume else given, resume=resume)
    with Control(folder.path) as control:
        for event in train(folder, settings, control):
            show(event)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the whole queue, or the entries named; 1 where one fails (the rest is done)."""
    parser = argparse.ArgumentParser(prog="python -m training.zoo", description="Train the models that ship.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries to train (default: all, shortest first)")
    parser.add_argument("--data", required=True, type=Path, help="folder of training pictures")
    parser.add_argument("--runs", default=Path("runs"), type=Path, help="where the run folders lie")
    parser.add_argument("--steps", type=int, help="steps of each entry instead of its recipe's")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--amp", action="store_true", help="mixed precision, but for the entries of 8 bits")
    options = parser.parse_args(arguments)
    changes: dict[str, Any] = {"data": str(options.data.resolve()), "device": options.device, "amp": options.amp}
    if options.steps:
        changes["steps"] = options.steps
    failed = False
    for name in options.names or QUEUE:
        try:
            run_entry(name, options.runs, changes, printer(as_json=True))
        except AdderSESRError as error:
            sys.stderr.write(f"{name}: {error}\n")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
