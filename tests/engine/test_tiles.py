"""Tiles cover a picture once, and joined they are the untiled result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import tiles
from engine.errors import BackendError, Cancelled
from engine.network import NetworkSpec
from engine.reference import ReferenceBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.weights import Model

specs = st.builds(NetworkSpec, st.sampled_from([2, 3, 4]), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["convolution", "adder"]))


@settings(max_examples=40, deadline=None)
@given(specs, st.integers(1, 30), st.integers(1, 30), st.integers(1, 40), st.integers(0, 99))
def test_joined_tiles_are_the_untiled_picture(
    random_model: Callable[..., Model], spec: NetworkSpec, height: int, width: int, tile: int, seed: int
) -> None:
    backend = ReferenceBackend(random_model(spec, seed))
    y = np.random.default_rng(seed).random((height, width), np.float32)
    whole = backend.run(y)
    seen: list[tuple[int, int]] = []
    joined = tiles.run(backend, y, max(tile, 5), on_tile=lambda done, total: seen.append((done, total)))
    assert joined.dtype == np.float32
    np.testing.assert_allclose(joined, whole, atol=1e-6)
    assert seen == [(i + 1, len(seen)) for i in range(len(seen))]


def test_too_little_context_would_show(random_model: Callable[..., Model]) -> None:
    """The property above can fail: one pixel less of overlap and the seams are there."""
    spec = NetworkSpec(2, 2, 3)
    backend = ReferenceBackend(random_model(spec, 1))
    y = np.random.default_rng(5).random((30, 30), np.float32)
    whole = backend.run(y)
    joined = np.zeros_like(whole)
    for part in tiles.plan(30, 30, 10, spec.receptive_radius - 1):
        joined[part.core.slices(scale=2)] = tiles.run_tile(backend, y[part.context.slices()], part)
    assert np.abs(joined - whole).max() > 1e-5


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 90), st.integers(1, 90), st.integers(0, 20))
def test_a_plan_covers_every_pixel_once(height: int, width: int, tall: int, wide: int, overlap: int) -> None:
    cover = np.zeros((height, width), int)
    for part in tiles.plan(height, width, (tall, wide), overlap):
        cover[part.core.slices()] += 1
        assert 1 <= part.core.height <= tall
        assert 1 <= part.core.width <= wide
        assert part.context.top == max(0, part.core.top - overlap)
        assert part.context.right == min(width, part.core.right + overlap)
    assert (cover == 1).all()


def test_cancelling_stops_before_the_next_tile(random_model: Callable[..., Model]) -> None:
    backend = ReferenceBackend(random_model(NetworkSpec(2, 1, 2), 0))
    done: list[int] = []
    with pytest.raises(Cancelled):
        tiles.run(backend, np.zeros((40, 40), np.float32), 10, lambda i, n: done.append(i), cancelled=lambda: len(done) == 3)
    assert done == [1, 2, 3]


def test_a_back_end_that_gives_the_wrong_size_is_caught(random_model: Callable[..., Model]) -> None:
    class Short(ReferenceBackend):
        def run(self, y_hw: np.ndarray) -> np.ndarray:
            return super().run(y_hw)[:-1]

    with pytest.raises(BackendError, match="for a tile that should become"):
        tiles.run(Short(random_model(NetworkSpec(2, 1, 2), 0)), np.zeros((8, 8), np.float32))


def test_the_default_tile_fits_its_memory() -> None:
    small, large = NetworkSpec(2, 5, 16), NetworkSpec(2, 11, 32)
    for spec in (small, large):
        side = tiles.default_tile(spec) + 2 * spec.receptive_radius
        assert side**2 * spec.f * 4 * tiles.LIVE_ACTIVATIONS <= tiles.ACTIVATION_BYTES
    assert tiles.default_tile(large) < tiles.default_tile(small) <= tiles.LARGEST_TILE
    assert tiles.default_tile(large, 1) == tiles.SMALLEST_TILE


def test_impossible_plans_are_refused() -> None:
    for arguments in ((0, 5, 4, 1), (5, 5, 0, 1), (5, 5, (4, 0), 1), (5, 5, 4, -1)):
        with pytest.raises(ValueError, match="no plan"):
            tiles.plan(*arguments)  # type: ignore[arg-type]
