"""The command line: which sub-command, with what. Each sub-command is a module of `addersesr_app.commands`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from addersesr_app import __version__
from addersesr_app.commands import COMMANDS, NAMES
from addersesr_app.console import Console
from engine.errors import AdderSESRError, Cancelled, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from addersesr_app.arguments import Parser

OK, SOME_FAILED, WRONG_USAGE, CANCELLED = 0, 1, 2, 130
DESCRIPTION = "Upscale photos and videos on the computer you already have, see what each network costs, and train your own."


def main(argv: Sequence[str]) -> int:
    """Run the command that ``argv`` (without the program's name) asks for and give its exit status.

    0: all done; 1: some input failed, the rest is done; 2: wrong usage; 130: cancelled.
    """
    console = Console(as_json="--json" in argv)
    with contextlib.suppress(ValueError):  # not the main thread: signals are somebody else's
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(argv, console)
    except UsageError as error:
        console.fail("UsageError", str(error))
        return WRONG_USAGE
    except (Cancelled, KeyboardInterrupt):
        console.note("cancelled")
        return CANCELLED
    except AdderSESRError as error:
        console.fail(type(error).__name__, str(error))
        return SOME_FAILED
    except BrokenPipeError:  # whoever read our output has gone; nothing more can be said there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except Exception as error:
        console.fail("InternalError", f"something went wrong that should not ({type(error).__name__}: {error}); {_record(error)}")
        return SOME_FAILED


def _record(error: Exception) -> str:
    """Write the trace to the log and say where that is."""
    logs, places = import_module("addersesr_app.logs"), import_module("addersesr_app.places")
    where: str = logs.record_crash(error, places.places().log)
    return where


def _run(argv: Sequence[str], console: Console) -> int:
    words = with_command(argv)
    if words == ["gui"]:  # nothing is to be parsed, and the window to be there at once
        _start_log()
        return int(import_module("addersesr_app.commands.gui").open_window())
    from addersesr_app.arguments import file  # noqa: PLC0415 (as below)

    parser, chosen = build_parser(words[0])
    args, strangers = parser.parse_known_args(words)
    if hasattr(args, "inputs"):  # argparse takes inputs up to the first option only
        args.inputs += [file(word) for word in strangers if not word.startswith("-")]
        strangers = [word for word in strangers if word.startswith("-")]
    (chosen or parser).check_strangers(strangers)
    _start_log()
    status: int = args.run(args, console)
    return status


def _start_log() -> None:
    logs, places = import_module("addersesr_app.logs"), import_module("addersesr_app.places")
    logs.start(places.places().log)


def build_parser(wanted: str) -> tuple[Parser, Parser | None]:
    """Return the whole command line's parser, and that of the sub-command ``wanted``, which alone gets its options."""
    from addersesr_app.arguments import Parser, add_json  # noqa: PLC0415 (a window without arguments needs none)

    parser = Parser(prog="addersesr", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"addersesr {__version__}")
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen: Parser | None = None
    for command in COMMANDS:
        sub: Parser = choices.add_parser(command.name, help=command.help, description=command.help)
        if command.name == wanted:
            add_json(sub)
            command.add_arguments(sub)
            sub.set_defaults(run=command.run)
            chosen = sub
    return parser, chosen


def with_command(argv: Sequence[str]) -> list[str]:
    """``argv`` with ``gui`` put in front where it names no sub-command. Raises UsageError for a word that is neither that nor a path."""
    words = list(argv)
    if not words:
        return ["gui"]
    first = words[0]
    if first in ("-h", "--help", "--version", *NAMES):
        return words
    if first.startswith("-") or Path(first).exists() or os.sep in first or Path(first).suffix:
        return ["gui", *words]
    from addersesr_app.arguments import did_you_mean  # noqa: PLC0415 (as above)

    raise UsageError(f"{first}: neither a file nor one of {', '.join(NAMES)}{did_you_mean(first, NAMES)}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
