"""Luma is MATLAB's, nothing shifts on the way through, and transparent pixels neither leak nor fringe."""

from __future__ import annotations

import numpy as np
import pytest

from engine import colour
from engine.colour import Span, alpha_to_luma, bleed, from_unit, join, limit_alpha, limits, luma_to_alpha, rgb_to_y, split, to_unit


@pytest.mark.parametrize(
    ("rgb", "y"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((10, 200, 90), 16 + (65.481 * 10 + 128.553 * 200 + 24.966 * 90) / 255),
    ],
)
def test_luma_is_matlabs_and_unrounded(rgb: tuple[int, int, int], y: float) -> None:
    luma = rgb_to_y(np.array([[rgb]], np.uint8))
    assert luma.dtype == np.float32
    assert luma.shape == (1, 1)
    assert luma[0, 0] * 255 == pytest.approx(y, abs=2e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(17, 23, 3), (17, 23), (1, 1, 3), (1, 1), (1, 5, 3)])
def test_splitting_and_joining_changes_nothing(dtype: type, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    pixels = rng.random(shape, np.float32)
    pixels = pixels if dtype == np.float32 else (pixels * np.iinfo(dtype).max).astype(dtype)
    luma, chroma = split(pixels)
    assert luma.shape == shape[:2]
    assert (chroma is None) == (len(shape) == 2)
    back = join(luma, chroma, dtype)
    assert back.dtype == dtype
    np.testing.assert_allclose(back, pixels, atol=2e-6 if dtype == np.float32 else 0)


def test_every_16_bit_grey_level_and_every_8_bit_colour_on_a_grid_survives() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(join(*split(ramp), np.uint16), ramp)
    np.testing.assert_array_equal(join(*split(np.dstack([ramp, ramp[::-1], ramp.T])), np.uint16), np.dstack([ramp, ramp[::-1], ramp.T]))
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(52, -1, 3)
    np.testing.assert_array_equal(join(*split(cube), np.uint8), cube)


def test_grey_is_luma_as_it_stands() -> None:
    luma, chroma = split(np.array([[0, 51, 255]], np.uint8))
    assert chroma is None
    np.testing.assert_allclose(luma, [[0, 0.2, 1]], atol=1e-7)


def test_joining_clips_and_rounds_half_up() -> None:
    values = np.array([[-0.2, 1.7, 100.5 / 255, 100.49 / 255]], np.float32)
    assert join(values, None, np.uint8).tolist() == [[0, 255, 101, 100]]
    assert values[0, 0] == np.float32(-0.2)


def test_float_pictures_keep_a_span_of_their_own(rng: np.random.Generator) -> None:
    span = Span(-0.5, 12.0)
    pixels = rng.uniform(-0.5, 12, (9, 8, 3)).astype(np.float32)
    luma, chroma = split(pixels, span)
    assert 16 / 255 <= luma.min() <= luma.max() <= 235 / 255
    np.testing.assert_allclose(join(luma, chroma, np.float32, span), pixels, atol=3e-5)
    with pytest.raises(ValueError, match="above black"):
        Span(1.0, 1.0)


def test_unit_round_trip() -> None:
    samples = np.arange(65536, dtype=np.uint16)[None]
    np.testing.assert_array_equal(from_unit(to_unit(samples), np.uint16), samples)


def test_bleeding_hides_hidden_colours_and_leaves_visible_ones(rng: np.random.Generator) -> None:
    colours = np.zeros((40, 60, 3), np.float32)
    colours[:] = (0, 1, 0)  # a hidden green
    colours[:, :20] = rng.uniform(0.4, 0.6, (40, 20, 3)) * (1, 0, 0)
    alpha = np.zeros((40, 60), np.float32)
    alpha[:, :20] = 1
    out = bleed(colours, alpha)
    np.testing.assert_array_equal(out[:, :20], colours[:, :20])
    carried = out[:, 20:34]
    assert carried[..., 1].max() < 1e-5, "green must not reach within the network's sight of the edge"
    assert carried[..., 0].min() > 0.4
    np.testing.assert_array_equal(out[:, 36:], colours[:, 36:])


def test_bleeding_by_the_strip_is_bleeding_the_whole(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    colours, alpha = rng.random((120, 70, 3), np.float32), rng.random((120, 70), np.float32)
    alpha[20:90, 10:60] = 0
    whole = bleed(colours, alpha)
    monkeypatch.setattr(colour, "BLEED_PIXELS", 70 * 17)
    np.testing.assert_allclose(bleed(colours, alpha), whole, rtol=0, atol=1e-5)


def test_bleeding_keeps_the_detail_of_half_transparent_pixels(rng: np.random.Generator) -> None:
    colours = rng.random((12, 12, 3), np.float32)
    alpha = np.full((12, 12), 0.3, np.float32)
    np.testing.assert_array_equal(bleed(colours, alpha), colours)


def test_an_upscaled_alpha_does_not_leave_its_sources_range(rng: np.random.Generator) -> None:
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, 10:] = 1
    noisy = alpha.repeat(2, 0).repeat(2, 1) + rng.normal(0, 0.1, (40, 40)).astype(np.float32)
    out = limit_alpha(noisy, *limits(alpha), 2)
    assert (out[:, :16] == 0).all()
    assert (out[:, 24:] == 1).all()
    assert 0 < out[:, 18:22].mean() < 1
    np.testing.assert_allclose(luma_to_alpha(alpha_to_luma(alpha)), alpha, atol=1e-6)
    assert alpha_to_luma(alpha).min() * 255 == pytest.approx(16)
