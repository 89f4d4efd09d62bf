"""`addersesr train`: flags to settings, a run's events to lines. Torch is imported when a run begins, not before."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from engine.errors import ConfigError, UsageError
from engine.network import PRESETS
from training.control import Control
from training.events import as_text
from training.folder import RunFolder
from training.models import located
from training.settings import RECIPES, Settings, help_of, read_toml, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.catalogue import Catalogue
    from engine.events import Event

QUIET_S = 2.0
"""Between two step lines for people."""
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every setting as a flag with its own name, dashes or underscores, and where the run lies."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings, or the name of one that ships")
    parser.add_argument("--run", dest="run_folder", type=Path, metavar="DIR", help="the run's folder (default: runs/NAME, a new one)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run")
    parser.add_argument("--check", action="store_true", help="look through the pictures and stop")
    parser.add_argument("--measure", action="store_true", help="take steps for some seconds, say how long one takes, and stop")
    hints = get_type_hints(Settings)
    for item in fields(Settings):
        names = dict.fromkeys((f"--{item.name.replace('_', '-')}", f"--{item.name}"))
        parser.add_argument(*names, dest=f"setting_{item.name}", help=help_of(item.name), **_kind(item.name, hints[item.name]))


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What the configuration file and the flags say, the flags counting more. Paths become absolute."""
    given = read_toml(args.config) if args.config else {}
    for item in fields(Settings):
        value = getattr(args, f"setting_{item.name}")
        if value is not None:
            given[item.name] = value
    for name in ("data", "val", "sample"):
        if given.get(name):
            given[name] = str(Path(given[name]).expanduser().resolve())
    return given


def run(args: argparse.Namespace, catalogue: Catalogue) -> int:
    """Train, printing events; the exit status. ``catalogue`` has the models that may be named by their ids.

    Raises AdderSESRError; wrong flags raise UsageError.
    """
    given = given_settings(args)
    for name in ("start", "teacher"):
        if given.get(name):
            given[name] = located(given[name], catalogue)
    if args.check:
        return _check(given, args.json)
    if args.measure:
        return _measure(given, args.json)
    if args.resume and not args.run_folder:
        raise UsageError("--resume needs --run DIR, the run to go on with")
    if not args.resume and not given.get("data"):
        raise UsageError("train needs --data DIR, a folder of pictures")
    try:
        folder = RunFolder((args.run_folder or _free_folder(resolve(given).name)).resolve())
    except ConfigError as error:
        raise _as_usage(args, error) from error
    from training.session import begin, train  # noqa: PLC0415 - brings torch

    settings = begin(folder, given, resume=args.resume, first=_is_first())
    show = printer(as_json=args.json)
    with _control(folder) as control, _obeying_signals(control):
        for event in train(folder, settings, control):
            show(event)
    return 0


def printer(*, as_json: bool) -> Callable[[Event], None]:
    """A function that prints events: all as JSON, or for people those worth reading, step lines not too often."""
    last = 0.0

    def show(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        if not as_json and event.name in {"step", "imitated"} and now - last < QUIET_S:
            return
        last = now
        line = event.to_json() if as_json else as_text(event)
        if line is not None:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    return show


def _check(given: dict[str, Any], as_json: bool) -> int:
    """Only look through the pictures; 1 if some are left out."""
    from training.material import Preparation  # noqa: PLC0415 - brings OpenCV

    show, left_out = printer(as_json=as_json), 0
    for event in Preparation(resolve(given), Path.cwd()).look_through():
        left_out += event.name == "problem"
        show(event)
    return int(left_out > 0)


def _measure(given: dict[str, Any], as_json: bool) -> int:
    """Only measure a step."""
    from training.measure import measure  # noqa: PLC0415 - brings torch

    printer(as_json=as_json)(measure(resolve(given)))
    return 0


def _kind(name: str, hint: Any) -> dict[str, Any]:
    """Argparse's options for one setting."""
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if name in ("preset", "recipe"):
        return {"choices": tuple(PRESETS if name == "preset" else RECIPES)}
    if hint is bool:
        return {"type": _truth, "nargs": "?", "const": True, "metavar": "BOOL"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def _truth(text: str) -> bool:
    if text.lower() not in TRUTHS:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return TRUTHS[text.lower()]


def _as_usage(args: argparse.Namespace, error: ConfigError) -> Exception:
    """A wrong value is wrong usage where it came from a flag."""
    return error if args.config else UsageError(str(error))


def _free_folder(name: str) -> Path:
    """The next unused folder for a run of that name."""
    number = 1
    while (path := Path("runs") / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return path


@contextmanager
def _control(folder: RunFolder) -> Iterator[Control]:
    """Take orders, in the first process of a run alone."""
    control = Control(folder.path)
    if not _is_first():
        yield control
        return
    with control:
        yield control


def _is_first() -> bool:
    """Whether this is a lone process, or the first of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _obeying_signals(control: Control) -> Iterator[None]:
    """Ctrl+C and SIGTERM break off behind the present step, with a checkpoint."""
    before = {number: signal.signal(number, lambda *_: control.interrupt()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
