"""Results that are not the picture are caught, whatever the machine did; results that are, pass, whatever the picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import weights
from engine.backends.onnx import OnnxBackend
from engine.checks import Inspector, finite
from engine.errors import BackendError
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.resize import imresize
from engine.upscaler import Upscaler

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


class Bicubic:
    """A back end that works."""

    name, device, precision = "bicubic", "cpu", "fp32"

    def __init__(self, scale: int = 2) -> None:
        self.spec = NetworkSpec(scale, 1, 1)

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        return np.clip(imresize(y_hw, y_hw.shape[0] * self.spec.scale, y_hw.shape[1] * self.spec.scale), 0, 1)


class Broken(Bicubic):
    """One that goes wrong at some of its runs."""

    def __init__(self, damage: Callable[[np.ndarray], np.ndarray], every: int = 1, scale: int = 2) -> None:
        super().__init__(scale)
        self.damage, self.every, self.runs = damage, every, 0

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        self.runs += 1
        good = super().run(y_hw)
        return self.damage(good.copy()) if self.runs % self.every == 0 else good


def sample() -> Picture:
    stored = cv2.imread(str(ROOT / "resources" / "sample.png"))
    return Picture(np.ascontiguousarray(stored[..., ::-1]))


def hole(y: np.ndarray) -> np.ndarray:
    y[20:60, 20:60] = 0
    return y


def spoilt(y: np.ndarray) -> np.ndarray:
    y[y.shape[0] // 2, y.shape[1] // 2] = np.nan
    return y


DAMAGES = {
    "zeros": np.zeros_like,
    "not a number": spoilt,
    "infinite": lambda y: np.where(y > 0.8, np.inf, y).astype(np.float32),
    "one": np.ones_like,
    "inverted": lambda y: 1 - y,
    "shifted right": lambda y: np.roll(y, 1, 1),
    "shifted down": lambda y: np.roll(y, 1, 0),
    "shifted far": lambda y: np.roll(y, 9, 1),
    "upside down": lambda y: np.ascontiguousarray(y[::-1]),
    "transposed": lambda y: np.ascontiguousarray(y.T).reshape(y.shape),
    "noise": lambda y: np.random.default_rng(0).random(y.shape, np.float32),
    "hole": hole,
    "darker": lambda y: y * np.float32(0.9),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("tile", [500, 70])
def test_a_back_end_that_fails_is_caught(damage: str, tile: int) -> None:
    with pytest.raises(BackendError, match="the result"):
        Upscaler(Broken(DAMAGES[damage]), tile).upscale(sample())


@pytest.mark.parametrize("damage", ["zeros", "not a number", "one", "inverted", "upside down", "noise", "hole", "shifted far"])
def test_a_single_bad_tile_is_caught(damage: str) -> None:
    with pytest.raises(BackendError):
        Upscaler(Broken(DAMAGES[damage], every=5), 70).upscale(sample())


@pytest.mark.parametrize("step", [0.05, -0.05])
def test_a_tile_that_does_not_meet_its_neighbours_is_caught(step: float) -> None:
    smooth = Picture(np.clip(imresize(np.random.default_rng(0).random((4, 5), np.float32), 200, 300) * 0.6 + 0.2, 0, 1))
    Upscaler(Bicubic(), 50).upscale(smooth)
    with pytest.raises(BackendError):
        Upscaler(Broken(lambda y: y + np.float32(step), every=7), 50).upscale(smooth)


def test_a_row_of_tiles_that_does_not_meet_the_one_above_is_caught() -> None:
    y = np.full((64, 64), 0.5, np.float32)
    inspector = Inspector(2)
    inspector.look(y, slice(0, 32), np.full((64, 128), 0.51, np.float32))
    with pytest.raises(BackendError, match="do not meet"):
        inspector.look(y, slice(32, 64), np.full((64, 128), 0.49, np.float32))


def test_alpha_that_is_not_a_number_is_caught() -> None:
    alpha = (np.indices((40, 40)).sum(0) * 3).astype(np.uint8)
    plain = np.full((40, 40, 3), 90, np.uint8)
    with pytest.raises(BackendError, match="not numbers"):
        Upscaler(Broken(spoilt, every=2)).upscale(Picture(plain, alpha))
    with pytest.raises(BackendError, match="not numbers"):
        finite(np.array([[np.inf]], np.float32))


def text(size: float) -> np.ndarray:
    page = np.full((90, 300), 255, np.uint8)
    cv2.putText(page, "The quick brown fox", (4, 50), cv2.FONT_HERSHEY_SIMPLEX, size, 0, 1)
    return page


RNG = np.random.default_rng(3)
DIFFICULT = {
    "black": np.zeros((60, 60), np.uint8),
    "white": np.full((60, 60), 255, np.uint8),
    "noise": RNG.integers(0, 256, (150, 150)).astype(np.uint8),
    "black and white noise": (RNG.integers(0, 2, (150, 150)) * 255).astype(np.uint8),
    "checkers": (np.indices((120, 120)).sum(0) % 2 * 255).astype(np.uint8),
    "stripes": (np.indices((120, 120))[1] % 2 * 255).astype(np.uint8),
    "broad stripes": (np.indices((120, 120))[1] // 2 % 2 * 255).astype(np.uint8),
    "an edge": ((np.indices((120, 120))[1] > 60) * 255).astype(np.uint8),
    "dots": ((np.indices((120, 120)) % 7 == 0).all(0) * 255).astype(np.uint8),
    "a ramp": np.linspace(0, 255, 300).astype(np.uint8)[None].repeat(80, 0),
    "text": text(0.8),
    "small text": text(0.3),
    "a pixel": np.full((1, 1), 120, np.uint8),
    "a line": RNG.integers(0, 256, (1, 200)).astype(np.uint8),
}


@pytest.fixture(scope="module")
def trained() -> OnnxBackend:
    shipped = ROOT / "resources" / "models" / "sesr-m5-x2.safetensors"
    return OnnxBackend(weights.read(shipped), "fp32", threads=1)


@pytest.mark.parametrize("name", DIFFICULT)
def test_difficult_pictures_pass(trained: OnnxBackend, name: str) -> None:
    for backend in (trained, Bicubic(), Bicubic(3), Bicubic(4)):
        for tile in (500, 50):
            Upscaler(backend, tile).upscale(Picture(DIFFICULT[name]))


def test_real_pictures_pass(trained: OnnxBackend, data: Path) -> None:
    Upscaler(trained, 64).upscale(sample())
    for path in sorted((data / "Set14" / "x2").glob("*_LR.png")):
        stored = cv2.imread(str(path))
        Upscaler(trained, 100).upscale(Picture(np.ascontiguousarray(stored[..., ::-1])))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([2, 3, 4]), st.integers(1, 40), st.floats(0, 1), st.integers(0, 999))
def test_a_working_back_end_is_never_refused(height: int, width: int, scale: int, tile: int, contrast: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    unit = (0.5 + contrast * (draw.random((height, width)) - 0.5)).astype(np.float32)
    Upscaler(Bicubic(scale), tile).upscale(Picture(unit))


def test_the_mean_colour_of_real_pictures_stays(trained: OnnxBackend, data: Path) -> None:
    for path in sorted((data / "Set14" / "x2").glob("*_LR.png")):
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        pixels = stored if stored.ndim == 2 else np.ascontiguousarray(stored[..., ::-1])
        out = Upscaler(trained).upscale(Picture(pixels))
        shift = np.abs(out.pixels.mean((0, 1)) - pixels.mean((0, 1))).max()
        assert shift < 0.2, path.name


def test_the_patches_of_a_wide_gamut_chart_do_not_shift(trained: OnnxBackend) -> None:
    """A profile's gamut may be wide, so that colours we know as extreme are everyday: none may move."""
    steps = np.array([0, 64, 128, 192, 255])
    patches = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(5, 25, 3)
    chart = patches.repeat(24, 0).repeat(24, 1).astype(np.uint8)
    out = Upscaler(trained, 200).upscale(Picture(chart)).pixels.reshape(5, 48, 25, 48, 3)
    middles = out[:, 16:32, :, 16:32].astype(float).mean((1, 3))
    assert np.abs(middles - patches).max() < 0.5
    assert np.abs(out.mean((0, 1, 2, 3)) - chart.mean((0, 1))).max() < 0.2
