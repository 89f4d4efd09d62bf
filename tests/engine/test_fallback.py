"""A back end whose result fails the check is replaced by another, which is told; where none is right, nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine import images, jobs
from engine.backends import choose
from engine.backends.choose import Kind
from engine.backends.onnx import OnnxBackend
from engine.catalogue import Catalogue
from engine.errors import BackendError
from engine.events import Failed, Finished, Summary, Warned
from engine.jobs import Job, Settings, Tools
from engine.picture import Picture
from tests.commands import photo, store_model

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event

HERE = "tests.engine.test_fallback"


class Zeros(OnnxBackend):
    """A back end that gives black."""

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        return super().run(y_hw) * 0


class NotNumbers(OnnxBackend):
    """A back end whose last pixel is not a number."""

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        out = super().run(y_hw).copy()
        out[-1, -1] = np.nan
        return out


class Shifted(OnnxBackend):
    """A back end whose tiles are a pixel to the left."""

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        return np.roll(super().run(y_hw), -2, axis=1)


class Refusing(OnnxBackend):
    """A back end that fails."""

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        raise BackendError("the device is gone")


class NativeZeros(Zeros):
    name = "native"


class NativeNotNumbers(NotNumbers):
    name = "native"


class NativeShifted(Shifted):
    name = "native"


class NativeRefusing(Refusing):
    name = "native"


BROKEN = ["Zeros", "NotNumbers", "Shifted", "Refusing"]
RIGHT = next(kind for kind in choose.KINDS if kind.name == "onnx")


def kind(name: str, attribute: str) -> Kind:
    return Kind(name, HERE, attribute, "numpy", "")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    images.write(Picture(photo(90, 70)), tmp_path / "photo.png")
    return tmp_path / "photo.png"


def run(source: Path, backend: str = "auto") -> list[Event]:
    model = store_model(source.with_name("small.safetensors"))
    settings = Settings(model=str(model), backend=backend, destination=source.with_name("out.png"))
    return list(jobs.run(Job((source,), settings), Tools(Catalogue([]))))


@pytest.mark.parametrize("broken", BROKEN)
def test_another_back_end_goes_on(source: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setattr(choose, "KINDS", (RIGHT,))
    run(source)
    wanted = images.read(source.with_name("out.png")).pixels
    source.with_name("out.png").unlink()
    monkeypatch.setattr(choose, "KINDS", (kind("native", f"Native{broken}"), RIGHT))
    found = run(source)
    [warned] = [event for event in found if isinstance(event, Warned)]
    assert warned.message.startswith("native on cpu failed (")
    assert warned.message.endswith("): going on with onnx on the CPU")
    [finished] = [event for event in found if isinstance(event, Finished)]
    assert finished.backend == "onnx"
    np.testing.assert_array_equal(images.read(source.with_name("out.png")).pixels, wanted)


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("backend", ["auto", "native"])
def test_what_no_back_end_gets_right_is_not_stored(source: Path, monkeypatch: pytest.MonkeyPatch, broken: str, backend: str) -> None:
    last = (kind("onnx", broken),) if backend == "auto" else (RIGHT,)
    monkeypatch.setattr(choose, "KINDS", (kind("native", f"Native{broken}"), *last))
    found = run(source, backend)
    [failed] = [event for event in found if isinstance(event, Failed)]
    assert failed.error == "BackendError"
    assert found[-1] == Summary(0, 1, 0)
    warned = [event for event in found if isinstance(event, Warned)]
    assert len(warned) == (1 if backend == "auto" else 0), "what the user chose is not replaced"
    assert sorted(path.name for path in source.parent.iterdir()) == ["photo.png", "small.safetensors"]


def test_a_black_picture_is_not_taken_for_a_failure(tmp_path: Path) -> None:
    images.write(Picture(np.zeros((50, 60, 3), np.uint8)), tmp_path / "black.png")
    found = run(tmp_path / "black.png")
    assert not [event for event in found if isinstance(event, Warned | Failed)]
    assert images.read(tmp_path / "out.png").pixels.max() <= 2
