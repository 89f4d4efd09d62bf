"""`addersesr doctor`: what was found on this computer."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from addersesr_app import __version__
from addersesr_app.places import Places, places
from engine import bench, cpu
from engine.backends import choose
from engine.catalogue import Catalogue
from engine.power import find_meters
from engine.video_options import CODECS

if TYPE_CHECKING:
    import argparse

    from addersesr_app.console import Console

PACKAGES = ("numpy", "onnxruntime", "onnx", "opencv-python-headless", "halide", "torch", "PySide6-Essentials", "safetensors", "av")


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
        "versions": {"addersesr": __version__, "python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
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

    return {name: trouble(name) or "works" for name in CODECS}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


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
    return f"{entry['name']}: {entry['version']} on {', '.join(entry['devices'])}"


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
