"""`imresize` makes the published low-resolution pictures, sample for sample, and keeps what resampling must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.resize import Resampler, enlarged_bytes, imresize

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("folder", ["Set5/x2", "Set5/x4", "Set14/x2", "Set14/x4"])
def test_it_makes_every_sample_of_the_published_pictures(data: Path, folder: str) -> None:
    pairs = sorted((data / folder).glob("*_HR.png"))
    assert len(pairs) in (5, 14)
    for path in pairs:
        high = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        low = cv2.imread(str(path).replace("_HR", "_LR"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(imresize(high, *low.shape[:2]), low, err_msg=path.name)


def direct(x: np.ndarray, wanted: int) -> np.ndarray:
    """One axis resampled by the definition, sample by sample."""
    scale = wanted / len(x)
    stretch = min(1.0, scale)
    out = np.zeros((wanted, *x.shape[1:]))
    for i in range(wanted):
        centre = (i + 0.5) / scale - 0.5
        total = 0.0
        for j in range(int(centre - 2 / stretch) - 2, int(centre + 2 / stretch) + 4):
            d = abs(stretch * (centre - j))
            w = 1.5 * d**3 - 2.5 * d**2 + 1 if d <= 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0
            out[i] += w * x[min(max(j, 0), len(x) - 1)]
            total += w
        out[i] /= total
    return out


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 45), st.integers(1, 45), st.sampled_from([(), (1,), (3,)]))
def test_it_is_the_definition_at_any_size(
    height: int, width: int, wanted_height: int, wanted_width: int, channels: tuple[int, ...]
) -> None:
    x = np.random.default_rng(height * 31 + width).random((height, width, *channels), np.float32)
    expected = direct(direct(x.astype(np.float64), wanted_height).swapaxes(0, 1), wanted_width).swapaxes(0, 1)
    got = imresize(x, wanted_height, wanted_width)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([2, 3, 4]), st.sampled_from([2, 3, 4]), st.data())
def test_whole_factors_are_the_definition_too(height: int, width: int, tall: int, wide: int, data: st.DataObject) -> None:
    x = np.random.default_rng(height * 31 + width).random((height, width), np.float32)
    expected = direct(direct(x.astype(np.float64), height * tall).swapaxes(0, 1), width * wide).swapaxes(0, 1)
    np.testing.assert_allclose(imresize(x, height * tall, width * wide), expected, atol=2e-6)
    start = data.draw(st.integers(0, height * tall - 1))
    stop = data.draw(st.integers(start + 1, height * tall))
    resampler = Resampler(height, width, height * tall, width * wide)
    low, high = resampler.vertical.source(start, stop)
    np.testing.assert_allclose(resampler.rows(x[low:high], low, start, stop), expected[start:stop], atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 90), st.integers(1, 60), st.integers(0, 59))
def test_rows_are_those_of_the_whole(height: int, wanted: int, start: int, count: int) -> None:
    x = np.random.default_rng(height).integers(0, 256, (height, 7, 3)).astype(np.uint8)
    start = min(start, wanted - 1)
    stop = min(wanted, start + count + 1)
    resampler = Resampler(height, 7, wanted, 11)
    low, high = resampler.vertical.source(start, stop)
    np.testing.assert_array_equal(resampler.rows(x[low:high], low, start, stop), imresize(x, wanted, 11)[start:stop])


@pytest.mark.parametrize(("dtype", "level"), [(np.uint8, 255), (np.uint16, 65535), (np.uint16, 33000)])
def test_a_flat_picture_stays_flat_and_integers_do_not_wrap(dtype: type, level: int, rng: np.random.Generator) -> None:
    assert (imresize(np.full((9, 5), level, dtype), 20, 31) == level).all()
    edge = np.zeros((16, 16), dtype)
    edge[:, 8:] = np.iinfo(dtype).max
    wide = imresize(edge, 32, 32)
    assert (wide[:, :15] <= np.iinfo(dtype).max // 10).all()
    assert (wide[:, 17:] >= np.iinfo(dtype).max // 10 * 9).all()


def test_the_same_size_is_a_copy() -> None:
    x = np.arange(12, dtype=np.uint8).reshape(3, 4)
    same = imresize(x, 3, 4)
    np.testing.assert_array_equal(same, x)
    assert not np.shares_memory(same, x)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        imresize(np.zeros((2, 2)), 4, 4)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="H, W"):
        imresize(np.zeros(3, np.uint8), 4, 4)
    with pytest.raises(ValueError, match="below one pixel"):
        imresize(np.zeros((3, 3), np.uint8), 0, 4)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (5, 5, 3), (37, 53, 3), (40, 31), (33, 64, 4)])
def test_bytes_enlarged_by_a_whole_factor_are_imresize_bit_for_bit(rng, factor, shape):
    for x in (rng.integers(0, 256, shape, np.uint8), (rng.integers(0, 2, shape) * 255).astype(np.uint8)):
        expected = imresize(x, shape[0] * factor, shape[1] * factor)
        np.testing.assert_array_equal(enlarged_bytes(x, factor), expected)
