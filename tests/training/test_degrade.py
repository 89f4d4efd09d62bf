from __future__ import annotations

import numpy as np
import pytest

from engine.resize import imresize
from tests.training.drawings import draw
from training.degrade import CODECS, as_jpeg, as_video, blurred, noisy, smaller, spoil, through_codec, variants


@pytest.mark.parametrize("kind", ["photo", "video"])
def test_the_same_seed_spoils_the_same_picture_in_the_same_way(kind: str) -> None:
    first, second = variants(kind, 2, seed=4)
    picture = draw(1)
    small = first(picture, 2)
    assert small.shape == (32, 40, 3)
    assert small.dtype == np.uint8
    assert np.array_equal(small, variants(kind, 1, seed=4)[0](picture.copy(), 2))
    assert not np.array_equal(small, second(picture, 2))
    assert not np.array_equal(small, variants(kind, 1, seed=5)[0](picture, 2))
    assert not np.array_equal(small, first(picture[:, ::-1].copy(), 2)[:, ::-1])


@pytest.mark.parametrize("kind", ["photo", "video"])
def test_what_is_spoilt_stays_in_place(kind: str) -> None:
    """A shifted pair would teach the network to shift."""
    picture = draw(2, 96, 96)
    clean = imresize(picture, 48, 48).astype(np.float64)
    shifts = {}
    for down, right in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)):
        errors = []
        for seed in range(6):
            small = np.roll(spoil(picture, 2, kind, np.random.default_rng(seed)).astype(np.float64), (down, right), (0, 1))
            errors.append(np.mean((small - clean)[4:-4, 4:-4] ** 2))
        shifts[down, right] = np.mean(errors)
    assert min(shifts, key=shifts.get) == (0, 0)
    assert shifts[0, 0] > 4


def test_grey_odd_and_deep_pictures_can_be_spoilt() -> None:
    grey = draw(3, 66, 54)[..., 0]
    for kind in ("photo", "video"):
        assert spoil(grey, 2, kind, np.random.default_rng(0)).shape == (33, 27)
        deep = spoil(draw(3, 66, 54).astype(np.uint16) * 257, 2, kind, np.random.default_rng(0))
        assert np.array_equal(deep, spoil(draw(3, 66, 54), 2, kind, np.random.default_rng(0)))


def test_each_part_does_what_it_is_called() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((48, 64, 3), 120, np.uint8)
    picture = draw(4)
    assert np.array_equal(blurred(flat, 2, rng), flat)
    assert np.diff(blurred(picture, 2, rng).astype(int), axis=1).std() < np.diff(picture.astype(int), axis=1).std()
    assert smaller(picture, 2, rng).shape == (32, 40, 3)
    noise = [noisy(flat, np.random.default_rng(seed)).astype(float) - 120 for seed in range(12)]
    assert any(each.std() > 2 for each in noise)
    assert all(abs(each.mean()) < 0.5 for each in noise)
    assert any(np.array_equal(each[..., 0], each[..., 1]) and each.std() > 1 for each in noise)
    for spoiler in (as_jpeg, as_video):
        error = spoiler(picture, rng).astype(float) - picture
        assert 0.5 < np.sqrt(np.mean(error**2)) < 40


@pytest.mark.parametrize("kind", ["photo", "video"])
def test_some_are_spared(kind: str) -> None:
    """Clean pictures are among them, and ones that were compressed alone."""
    picture = draw(6, 96, 96)
    clean = imresize(picture, 48, 48).astype(float)
    errors = [np.sqrt(np.mean((spoil(picture, 2, kind, np.random.default_rng(seed)) - clean) ** 2)) for seed in range(60)]
    assert 10 < sum(error == 0 for error in errors) < 35
    assert max(errors) > 5


@pytest.mark.parametrize(("codec", "qualities"), CODECS)
def test_a_codec_does_more_at_the_low_end_of_its_qualities(codec: str, qualities: tuple[int, int]) -> None:
    picture = draw(4, 96, 96)
    good, poor = (through_codec(picture, codec, quality, np.random.default_rng(0)).astype(float) - picture for quality in qualities)
    assert np.abs(poor).mean() > 1.5 * np.abs(good).mean() > 0


def test_codecs_leave_their_blocks() -> None:
    """Differences across 8 × 8 block borders grow more than those inside."""
    rng = np.random.default_rng(1)
    picture = np.clip(draw(5, 128, 128) + rng.normal(0, 12, (128, 128, 3)), 0, 255).astype(np.uint8)
    ratios = []
    for seed in range(6):
        steps = np.abs(np.diff(as_jpeg(picture, np.random.default_rng(seed)).astype(float).mean(axis=2), axis=1))
        ratios.append(steps[:, 7::8].mean() / steps.mean())
    assert (
        np.mean(ratios)
        > np.abs(np.diff(picture.astype(float).mean(axis=2), axis=1))[:, 7::8].mean()
        / np.abs(np.diff(picture.astype(float).mean(axis=2), axis=1)).mean()
    )
