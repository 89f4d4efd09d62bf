"""Pictures of every kind come out larger and otherwise the same: no seams, no shift, no fringes, nothing lost on the way."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import colour, upscaler
from engine.colour import Span
from engine.errors import Cancelled
from engine.network import NetworkSpec
from engine.picture import Metadata, Picture
from engine.reference import ReferenceBackend
from engine.resize import imresize
from engine.rows import Layout, PictureRows, Strip, Window
from engine.upscaler import Upscaler, steps_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.weights import Model


class Bicubic:
    """A real enlarger with the interface of a back end: bicubic, which keeps means, so that shifts of ours show."""

    name, device, precision = "bicubic", "cpu", "fp32"

    def __init__(self, scale: int = 2) -> None:
        self.spec = NetworkSpec(scale, 1, 1)

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        return np.clip(imresize(y_hw, y_hw.shape[0] * self.spec.scale, y_hw.shape[1] * self.spec.scale), 0, 1)


@pytest.fixture
def backend(random_model: Callable[..., Model]) -> ReferenceBackend:
    return ReferenceBackend(random_model(NetworkSpec(2, 1, 3), 5))


def unchecked(backend: object, tile: int | None = None) -> Upscaler:
    """For networks of random weights, whose results do not look like the picture."""
    return Upscaler(backend, tile, checked=False)


def drawn(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    """Smooth blobs over the dtype's range."""
    noise = np.random.default_rng(seed).random((shape[0] // 6 + 2, shape[1] // 6 + 2, *shape[2:]), np.float32)
    smooth = np.clip(imresize(noise, *shape[:2]), 0, 1)
    return colour.from_unit(smooth, dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_tiles_and_strips_do_not_show(
    backend: ReferenceBackend, monkeypatch: pytest.MonkeyPatch, dtype: type, channels: tuple[int, ...], has_alpha: bool
) -> None:
    pixels = drawn((45, 52, *channels), dtype)
    picture = Picture(pixels, drawn((45, 52), dtype, 7) if has_alpha else None)
    whole = unchecked(backend, 500).upscale(picture)
    monkeypatch.setattr(upscaler, "STRIP_BYTES", 20_000)
    cut = unchecked(backend, 11).upscale(picture)
    assert whole.pixels.shape == (90, 104, *channels)
    assert whole.pixels.dtype == dtype
    step = 1e-5 if dtype == np.float32 else 1
    assert np.abs(cut.pixels.astype(float) - whole.pixels).max() <= step
    if dtype == np.uint8 and not has_alpha:
        np.testing.assert_array_equal(cut.pixels, whole.pixels)
    assert (cut.alpha is None) == (not has_alpha)
    if cut.alpha is not None and whole.alpha is not None:
        assert np.abs(cut.alpha.astype(float) - whole.alpha).max() <= step


def test_grey_goes_through_the_network_as_it_stands(backend: ReferenceBackend) -> None:
    pixels = drawn((12, 11), np.uint8)
    out = unchecked(backend).upscale(Picture(pixels))
    expected = np.floor(backend.run(pixels.astype(np.float32) / 255) * 255 + 0.5)
    np.testing.assert_array_equal(out.pixels, expected)


def test_luma_of_colour_is_the_networks_and_chroma_is_bicubic(backend: ReferenceBackend) -> None:
    pixels = (drawn((14, 17, 3), np.float32) * 0.4 + 0.3).astype(np.float32)
    out = unchecked(backend).upscale(Picture(pixels))
    luma, chroma = colour.split(pixels)
    got_luma, got_chroma = colour.split(out.pixels)
    assert chroma is not None
    inside = (out.pixels > 0.01).all(axis=2) & (out.pixels < 0.99).all(axis=2)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(got_luma[inside], backend.run(luma)[inside], atol=1e-5)
    for got, plane in zip(got_chroma, chroma, strict=True):
        np.testing.assert_allclose(got[inside], imresize(plane, 28, 34)[inside], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([2, 3, 4]), st.booleans(), st.booleans(), st.integers(1, 6))
def test_any_size_down_to_one_pixel(height: int, width: int, scale: int, grey: bool, has_alpha: bool, tile: int) -> None:
    rng = np.random.default_rng(height + 10 * width)
    pixels = rng.integers(0, 256, (height, width) if grey else (height, width, 3)).astype(np.uint8)
    alpha = rng.integers(0, 256, (height, width)).astype(np.uint8) if has_alpha else None
    out = Upscaler(Bicubic(scale), tile).upscale(Picture(pixels, alpha))
    assert out.pixels.shape == (scale * height, scale * width, *pixels.shape[2:])
    assert (out.alpha is not None) == has_alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_mean_colour_stays(dtype: type) -> None:
    for seed in range(4):
        pixels = drawn((60, 70, 3), dtype, seed)
        out = Upscaler(Bicubic(), 16).upscale(Picture(pixels))
        top = Span.of(dtype).high
        shift = np.abs(out.pixels.reshape(-1, 3).mean(0, np.float64) - pixels.reshape(-1, 3).mean(0, np.float64)) * 255 / top
        assert shift.max() < 0.2


def test_a_16_bit_ramp_keeps_its_levels() -> None:
    ramp = np.linspace(0, 65535, 300 * 200).reshape(200, 300).astype(np.uint16)
    grey = Upscaler(Bicubic(), 64).upscale(Picture(ramp))
    assert len(np.unique(grey.pixels)) > 20_000
    rgb = Upscaler(Bicubic(), 64).upscale(Picture(np.dstack([ramp] * 3)))
    assert all(len(np.unique(rgb.pixels[..., i])) > 20_000 for i in range(3))


def test_float_beyond_one_keeps_its_span() -> None:
    pixels = drawn((20, 20, 3), np.float32) * 7 - 1
    out = Upscaler(Bicubic()).upscale(Picture(pixels, span=Span(-1, 6)))
    assert out.span == Span(-1, 6)
    assert out.pixels.min() < -0.5
    assert out.pixels.max() > 5
    assert np.abs(out.pixels.mean() - pixels.mean()) < 0.01


def disc(colour_inside: tuple[int, int, int], hidden: tuple[int, int, int]) -> Picture:
    """An opaque disc with a soft rim over transparent pixels that hide another colour."""
    y, x = np.mgrid[:48, :48] - 23.5
    alpha = np.clip(16 - np.hypot(x, y) + 0.5, 0, 1)
    pixels = np.where((alpha > 0)[..., None], np.array(colour_inside), np.array(hidden)).astype(np.uint8)
    return Picture(pixels, (alpha * 255 + 0.5).astype(np.uint8))


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
@pytest.mark.parametrize("target", [None, (150, 150), (61, 77)])
def test_no_fringe_of_a_hidden_colour(backend: ReferenceBackend, hidden: tuple[int, int, int], target: tuple[int, int] | None) -> None:
    colour_inside = (200, 120, 60)
    for engine in (Bicubic(),) if target else (Bicubic(), backend):  # resampling mixes a random network's phases
        plain = unchecked(engine).upscale(Picture(np.full((48, 48, 3), colour_inside, np.uint8)), size=target)
        out = unchecked(engine, 20).upscale(disc(colour_inside, hidden), size=target)
        assert out.alpha is not None
        seen = out.alpha > 12
        assert np.abs(out.pixels[seen].astype(float) - plain.pixels[seen]).max() <= 3


def test_alpha_edges_are_smooth_and_flat_alpha_stays_flat(backend: ReferenceBackend) -> None:
    out = Upscaler(Bicubic()).upscale(disc((9, 9, 9), (0, 0, 0)))
    assert out.alpha is not None
    assert out.alpha[48, 48] == 255
    assert out.alpha[2, 2] == 0
    y, x = np.mgrid[:96, :96] - 47.5
    exact = np.clip(32 - np.hypot(x, y) + 0.5, 0, 1) * 255
    assert np.abs(out.alpha - exact).max() < 110, "a rim one pixel wide may widen, never break"
    assert np.abs(out.alpha - exact).mean() < 3
    flat = unchecked(backend).upscale(Picture(np.zeros((9, 9, 3), np.uint8), np.full((9, 9), 77, np.uint8)))
    assert (flat.alpha == 77).all()


def test_a_target_size_is_met_from_the_next_larger_step() -> None:
    layout = Layout(10, 20, True, False, np.dtype(np.uint8), Span(0, 255))
    assert [steps_to(layout, size, 2) for size in [(40, 20), (41, 20), (80, 40), (30, 15), (5, 5), (20, 41), (81, 1)]] == [
        1,
        2,
        2,
        1,
        1,
        3,
        3,
    ]
    pixels = drawn((10, 20, 3), np.uint8)
    for size in [(40, 20), (50, 25), (33, 47), (7, 3), (80, 40)]:
        out = Upscaler(Bicubic()).upscale(Picture(pixels), size=size)
        assert (out.width, out.height) == size
        assert np.abs(out.pixels.mean((0, 1)) - pixels.mean((0, 1))).max() < 2.5


def test_progress_counts_every_tile_of_every_step_and_cancel_stops(backend: ReferenceBackend) -> None:
    picture = Picture(drawn((30, 30), np.uint8))
    worker = unchecked(backend, 10)
    calls: list[tuple[int, int]] = []
    worker.upscale(picture, on_progress=lambda done, total: calls.append((done, total)), size=(100, 100))
    total = worker.count(Layout.of(picture), (100, 100))
    assert total == 9 + 36
    assert calls == [(i + 1, total) for i in range(total)]
    calls.clear()
    with pytest.raises(Cancelled):
        worker.upscale(picture, lambda done, total: calls.append((done, total)), cancelled=lambda: len(calls) == 2)
    assert len(calls) == 2


def test_metadata_comes_along(backend: ReferenceBackend) -> None:
    about = Metadata(icc=b"profile", exif=b"MM", xmp=b"<x/>", resolution=(300.0, 300.0))
    out = unchecked(backend).upscale(Picture(np.zeros((3, 3, 3), np.uint8), metadata=about, format="png"))
    assert out.metadata == about
    assert out.format == "png"


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
def test_a_window_gives_any_rows_from_the_top_down(heights: list[int], data: st.DataObject) -> None:
    whole = np.arange(sum(heights) * 2, dtype=np.uint8).reshape(-1, 2)
    edges = np.cumsum([0, *heights])
    layout = Layout.of(Picture(whole))
    window = Window(layout, (Strip(whole[a:b], None) for a, b in itertools.pairwise(edges)))
    start = 0
    for _ in range(4):
        start = data.draw(st.integers(start, len(whole) - 1))
        stop = data.draw(st.integers(start + 1, len(whole)))
        np.testing.assert_array_equal(window.rows(start, stop).pixels, whole[start:stop])
        np.testing.assert_array_equal(PictureRows(Picture(whole)).rows(start, stop).pixels, whole[start:stop])


def test_a_tile_below_one_pixel_is_refused(backend: ReferenceBackend) -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        Upscaler(backend, 0)
