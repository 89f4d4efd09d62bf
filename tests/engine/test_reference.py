"""The reference agrees with definitions written another way, and does what `engine.network` says in cases worked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from engine import reference
from engine.network import NetworkSpec
from engine.weights import Model

if TYPE_CHECKING:
    from collections.abc import Callable


def test_convolution_is_opencvs_correlation(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 9, 13))
    w = rng.normal(size=(3, 2, 5, 5))
    expected = [sum(cv2.filter2D(x[c], -1, w[o, c], borderType=cv2.BORDER_CONSTANT) for c in range(2)) for o in range(3)]
    np.testing.assert_allclose(reference.convolution(x, w), expected, atol=1e-12)


def test_adder_pixel_by_pixel(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 4, 5))
    w = rng.normal(size=(3, 2, 3, 3))
    out = reference.adder(x, w)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    for o, r, c in np.ndindex(out.shape):
        assert out[o, r, c] == pytest.approx(-np.abs(padded[:, r : r + 3, c : c + 3] - w[o]).sum())


def test_depth_to_space_order() -> None:
    x = np.arange(4 * 2 * 3, dtype=float).reshape(4, 2, 3)
    out = reference.depth_to_space(x, 2)
    for i in range(2):
        for j in range(2):
            np.testing.assert_array_equal(out[i::2, j::2], x[2 * i + j])


def blank(spec: NetworkSpec, **changes: np.ndarray) -> Model:
    """A model of zeros but for the named tensors (dots written as two underscores)."""
    tensors = {name: np.zeros(shape, np.float32) for name, shape in spec.tensor_shapes().items()}
    for name, value in changes.items():
        tensors[name.replace("__", ".")][...] = value
    return Model("blank", spec, tensors)


@pytest.mark.parametrize("block", ["convolution", "adder"])
@pytest.mark.parametrize("activation", ["prelu", "relu"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_zero_weights_repeat_the_input(block: str, activation: str, scale: int, rng: np.random.Generator) -> None:
    y = rng.random((3, 5), np.float32)
    model = blank(NetworkSpec(scale, 1, 4, block, activation))  # type: ignore[arg-type]
    np.testing.assert_allclose(reference.run(model, y), y.repeat(scale, 0).repeat(scale, 1), atol=1e-7)


def test_one_path_by_hand() -> None:
    """One pixel, one channel: every term of the definition appears once."""
    spec = NetworkSpec(2, 1, 1, "adder", "prelu")
    centre5, centre3 = np.zeros((1, 1, 5, 5)), np.zeros((1, 1, 3, 3))
    centre5[0, 0, 2, 2], centre3[0, 0, 1, 1] = 2.0, 0.7
    last = np.zeros((4, 1, 5, 5))
    last[:, 0, 2, 2] = [0.1, 0.2, 0.3, -9.0]
    model = blank(
        spec,
        first__weight=centre5,
        first__bias=0.05,
        body__0__weight=centre3,
        body__0__multiplier=0.5,
        body__0__bias=-0.4,
        body__0__slope=0.25,
        last__weight=last,
        last__bias=0.01,
    )
    start = 2.0 * (0.8 - 0.5) + 0.05
    body = 0.5 * -abs(start - 0.7) - 0.4 + start
    body = body if body >= 0 else 0.25 * body
    total = body + start
    expected = np.clip([0.8 + 0.01 + 0.1 * total, 0.8 + 0.01 + 0.2 * total, 0.8 + 0.01 + 0.3 * total, -1], 0, 1)
    out = reference.run(model, np.array([[0.8]], np.float32))
    np.testing.assert_allclose(out.ravel(), expected, atol=1e-6)


@pytest.mark.parametrize("block", ["convolution", "adder"])
def test_a_pixel_reaches_just_as_far_as_the_spec_says(block: str, random_model: Callable[..., Model]) -> None:
    spec = NetworkSpec(2, 2, 3, block)  # type: ignore[arg-type]
    model = random_model(spec, 3)
    y = np.full((31, 31), 0.5)
    moved = y.copy()
    moved[15, 15] += 0.05
    changed = np.argwhere(np.abs(reference.run(model, moved) - reference.run(model, y)) > 0)
    radius = spec.receptive_radius
    assert changed.min() // 2 == 15 - radius
    assert changed.max() // 2 == 15 + radius
