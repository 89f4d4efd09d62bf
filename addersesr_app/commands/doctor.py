"""`addersesr doctor`: what was found on this computer."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from addersesr_app import __version__
from addersesr_app.places import Places, places
from engine import bench, cpu
from engine.backends import choose, runtimes
from engine.catalogue import Catalogue
from engine.power import find_meters
from engine.video_options import CODECS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from addersesr_app.console import Console

PACKAGES = ("numpy", "onnx", "opencv-python-headless", "halide", "torch", "PySide6-Essentials", "safetensors", "av")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: none."""


def run(_args: argparse.Namespace, console: Console) -> int:
    """Look, and print what was found."""
    report = examine(places())
    if console.as_json:
        console.value(report)
    else:
        show(report, console)
    return 0


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report for people."""
    for title, content in report.items():
        console.line(title.replace("_", " "))
        for line in _lines(content):
            console.line(f"  {line}")


def examine(where: Places) -> dict[str, Any]:
    """Everything that helps to understand a report of a fault, as plain JSON types. Nothing leaves the computer."""
    meters, missing = find_meters()
    catalogue = Catalogue(where.models)
    calibration = bench.load(where.calibration)
    return {
        "versions": {"addersesr": __version__, "python": platform.python_version(), **_versions()},
        "system": {"platform": platform.platform(), "executable": sys.executable},
        "cpu": {"name": cpu.name(), "cores": cpu.cores(), "features": list(cpu.features())},
        "backends": [{**asdict(info), "devices": list(info.devices)} for info in choose.found()],
        "film_encoders": _encoders(),
        "meters": {"found": [meter.name for meter in meters], "missing": list(missing)},
        "models": {"found": [model.id for model in catalogue.models()], "damaged": [problem.message for problem in catalogue.problems()]},
        "calibrated": None if calibration is None else len(calibration.rates),
        "folders": {name: str(getattr(where, name)) for name in type(where).__annotations__},
    }


def _encoders() -> dict[str, str]:
    """Each encoder for films and whether it works here: those in hardware are tried out."""
    from engine.video_codecs import trouble  # noqa: PLC0415 (FFmpeg takes a while to load)

    with silence():
        return {name: trouble(name) or "works" for name in CODECS}


@contextmanager
def silence() -> Iterator[None]:
    """Nothing that libraries write to standard error themselves is seen meanwhile: encoders say there how they are set."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _versions() -> dict[str, str | None]:
    """What is installed of `PACKAGES` and ONNX Runtime's own, the plain one also where it is not."""
    return {name: runtimes.installed_version(name) for name in PACKAGES} | ({"onnxruntime": None} | runtimes.installed())


def _lines(content: Any) -> list[str]:
    """A section of the report as lines of text."""
    if isinstance(content, list):
        return [_backend(entry) for entry in content]
    if isinstance(content, dict):
        return [f"{key}: {_words(value)}" for key, value in content.items()]
    return [_words(content)]


def _backend(entry: dict[str, Any]) -> str:
    if entry["problem"]:
        return f"{entry['name']}: not available ({entry['problem']})"
    note = f" ({entry['note']})" if entry["note"] else ""
    return f"{entry['name']}: {entry['version']} on {', '.join(entry['devices'])}{note}"


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
