"""argparse with errors that name what is near, and the types that several sub-commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BACKENDS = ("auto", "native", "onnx", "torch")
PRECISIONS = ("auto", "fp32", "int8")
DEVICE_HELP = "where the back end runs: auto, cpu, or a provider's name such as cuda (see `addersesr doctor`)"


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError, never prints or exits on one, and accepts no shortened options."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with argparse's ``message``."""
        raise UsageError(f"{self._command()}{message}")

    def check_strangers(self, strangers: Sequence[str]) -> None:
        """Raise UsageError for the first argument that nothing took, naming the option that is near."""
        if not strangers:
            return
        stranger = strangers[0].split("=", 1)[0]
        options = [option for action in self._actions for option in action.option_strings]
        kind = "option" if stranger.startswith("-") else "argument"
        raise UsageError(f"{self._command()}unknown {kind} {stranger}{did_you_mean(stranger, options)}")

    def _command(self) -> str:
        """The sub-command and a colon, or nothing."""
        name = self.prog.partition(" ")[2]
        return f"{name}: " if name else ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse's, in plainer words and with the nearest choice."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        option = "/".join(action.option_strings) or action.dest
        near = did_you_mean(str(value), choices)
        raise UsageError(f"{self._command()}{option} {value}: not one of {', '.join(choices)}{near}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` where something known is near, else nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 (only where something was mistyped)

    near = get_close_matches(word, list(known), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def file(text: str) -> Path:
    """A path. Raises UsageError for nothing, which a shell gives for a variable that is not set: it would be the folder one is in."""
    if not text:
        raise UsageError("an empty name is no file")
    return Path(text)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def percent(text: str) -> int:
    """A whole number from 1 to 100."""
    value = int(text)
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 100")
    return value


positive.__name__ = "whole number"  # what argparse calls the type in its message
percent.__name__ = "percentage"


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


fraction.__name__ = "number"


def add_strength(parser: argparse.ArgumentParser) -> None:
    """How far a network that was fine-tuned from another is from that one."""
    words = "of a network that has a plain twin: 0 as that one, 1 as it ships (default: 1); see `addersesr models`"
    parser.add_argument("--strength", type=fraction, default=1.0, metavar="0-1", help=words)


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``, which every sub-command has."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """How a network is run: back end, device, precision, threads."""
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="what runs the network (default: the fastest that can)")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="float32 or 8-bit integers (default: what the model suits)")
    parser.add_argument("--threads", type=positive, metavar="N", help="processor threads (default: all cores)")
