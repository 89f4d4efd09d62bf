from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import resources
from engine import images, weights
from training.settings import read_toml, resolve, shipped_recipes
from training.zoo import QUEUE, settings_of

ROOT = Path(__file__).parents[2]
WITHOUT = """
import runpy, sys
for name in ("pyvips", "av", "onnx", "onnxruntime", "PySide6", "pyqtgraph", "platformdirs", "pi_heif", "ai_edge_litert"):
    sys.modules[name] = None
runpy.run_module("training.zoo", run_name="__main__")
"""


@pytest.fixture
def quarters(tmp_path: Path) -> Path:
    """A folder with the sample picture's four quarters, large enough for a recipe's patches."""
    folder = tmp_path / "quarters"
    folder.mkdir()
    whole = images.read(resources.FOLDER / "sample.png")
    height, width = (size // 2 for size in whole.pixels.shape[:2])
    for row in (0, 1):
        for column in (0, 1):
            pixels = whole.pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
            images.write(dataclasses.replace(whole, pixels=pixels), folder / f"{row}{column}.png")
    return folder


def test_every_recipe_is_in_the_queue_and_makes_sense() -> None:
    assert sorted(QUEUE) == shipped_recipes()
    for name in QUEUE:
        settings = resolve(read_toml(Path(name)))
        assert settings.name == name
        assert not settings.start or QUEUE.index(settings.start) < QUEUE.index(name)


def test_mixed_precision_is_for_entries_that_are_not_of_8_bits(tmp_path: Path) -> None:
    assert settings_of("sesr-m5-x2", tmp_path, {"amp": True})["amp"] is True
    assert settings_of("sesr-m5-x2-int8", tmp_path, {"amp": True})["amp"] is False
    assert settings_of("addersesr-m5-x2-int8", tmp_path, {"amp": False})["amp"] is False


def test_the_queue_runs_with_torch_numpy_opencv_and_safetensors_alone(quarters: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        WITHOUT,
        "sesr-m5-x2",
        "--data",
        str(quarters),
        "--runs",
        str(tmp_path),
        "--steps",
        "2",
        "--device",
        "cpu",
    ]
    for _ in range(2):  # the second time it is finished and passed over
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert '"finished"' not in done.stdout
    assert weights.read(tmp_path / "sesr-m5-x2" / "sesr-m5-x2.safetensors").spec.m == 5


def test_an_unknown_entry_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.zoo", "sesr-m6", "--data", str(tmp_path), "--runs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "sesr-m6: no such recipe" in done.stderr
