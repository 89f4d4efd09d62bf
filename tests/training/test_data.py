from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from engine.colour import split
from engine.errors import DataError
from engine.images import read
from engine.resize import imresize
from tests.training.drawings import draw, store
from training.augment import copies
from training.data import Pair, Patches, PlaneStore, as_unit, load, make_pair
from training.sources import Source, find, held_out_list, hold_out, picture_files

if TYPE_CHECKING:
    from pathlib import Path


def test_pictures_are_found_in_folders_below_but_not_in_hidden_ones(pictures: Path, tmp_path: Path) -> None:
    assert [file.relative_to(pictures).as_posix() for file in picture_files(pictures)][-2:] == [
        "deeper/deep.png",
        "deeper/grey.png",
    ] or len(picture_files(pictures)) == 6
    store(tmp_path / ".hidden" / "a.png", draw(0))
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="no pictures"):
        picture_files(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        picture_files(tmp_path / "missing")


def test_linked_folders_are_searched_and_links_back_do_no_harm(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(pictures)
    (tmp_path / "set" / "back").symlink_to(tmp_path / "set")
    linked = tmp_path / "set" / "linked"
    assert picture_files(tmp_path / "set") == [linked / path.relative_to(pictures) for path in picture_files(pictures)]


def test_a_pair_is_the_whole_picture_scaled_down(pictures: Path) -> None:
    lr, hr = make_pair(Source("grey", pictures / "deeper" / "grey.png"), 3)
    stored = cv2.imread(str(pictures / "deeper" / "grey.png"), cv2.IMREAD_GRAYSCALE)[:63, :78]
    assert np.array_equal(hr, stored.astype(np.float32) / np.float32(255))
    assert np.array_equal(lr, imresize(stored, 21, 26).astype(np.float32) / np.float32(255))


def test_sixteen_bits_give_the_same_luma_as_eight(pictures: Path, tmp_path: Path) -> None:
    deep = make_pair(Source("deep", pictures / "deeper" / "deep.png"), 2)[1]
    eight = make_pair(Source("eight", store(tmp_path / "eight.png", draw(5))), 2)[1]
    assert np.abs(deep - eight).max() < 1e-6


def test_planes_beyond_the_bound_lie_in_a_file_and_read_the_same(pictures: Path, tmp_path: Path) -> None:
    sources = find(pictures, 2)
    in_memory = list(load(sources, 2, PlaneStore(64, tmp_path)))
    in_file = list(load(sources, 2, PlaneStore(0, tmp_path)))
    assert all(isinstance(pair.hr, np.memmap) for pair in in_file)
    assert not any(isinstance(pair.hr, np.memmap) for pair in in_memory)
    for a, b in zip(in_memory, in_file, strict=True):
        assert np.array_equal(a.lr, b.lr)
        assert np.array_equal(a.hr, b.hr)
    exact = make_pair(sources[0], 2)
    assert np.abs(as_unit(in_file[0].hr) - exact[1]).max() < 1e-5


def test_a_batch_depends_on_the_seed_and_the_step_alone(pictures: Path, tmp_path: Path) -> None:
    pairs = list(load(find(pictures, 2), 2, PlaneStore(64, tmp_path)))
    patches = Patches(pairs, 2, 16, 6, seed=3)
    low, high = patches.draw(11)
    patches.draw(12)
    again = Patches(pairs, 2, 16, 6, seed=3).draw(11)
    assert np.array_equal(low, again[0])
    assert np.array_equal(high, again[1])
    assert low.shape == (6, 1, 16, 16)
    assert high.shape == (6, 1, 32, 32)
    assert not np.array_equal(low, Patches(pairs, 2, 16, 6, seed=4).draw(11)[0])


def test_parts_of_a_batch_are_the_batch(pictures: Path, tmp_path: Path) -> None:
    pairs = list(load(find(pictures, 2), 2, PlaneStore(64, tmp_path)))
    patches = Patches(pairs, 2, 16, 6, seed=3)
    whole, parts = patches.draw(5), [patches.draw(5, part, 3) for part in range(3)]
    for index in range(2):
        assert np.array_equal(whole[index], np.concatenate([part[index] for part in parts]))
    assert np.array_equal(patches.errors(5), np.concatenate([patches.errors(5, part, 3) for part in range(3)]))


def test_the_hardness_of_a_patch_is_its_whole_pictures_bicubic_error(pictures: Path, tmp_path: Path) -> None:
    pairs = list(load(find(pictures, 2), 2, PlaneStore(64, tmp_path)))
    for pair in pairs:
        alone = Patches([pair], 2, 16, 3, seed=0)
        enlarged = imresize(as_unit(pair.lr), *pair.hr.shape)
        assert alone.errors(4) == pytest.approx(np.full(3, np.square(enlarged - as_unit(pair.hr)).mean()), rel=1e-5)
    hard = Patches(pairs, 2, 16, 64, seed=0)
    assert len(set(hard.errors(0).tolist())) == len(pairs)


def test_patches_stay_aligned_when_turned_and_mirrored() -> None:
    low = np.arange(24 * 30, dtype=np.float32).reshape(24, 30)
    patches = Patches([Pair("ramp", low, low.repeat(2, 0).repeat(2, 1))], 2, 8, 16, seed=0)
    lows, highs = patches.draw(0)
    assert np.array_equal(lows.repeat(2, 2).repeat(2, 3), highs)
    assert len({patch.tobytes() for patch in lows}) == 16


def test_large_pictures_are_drawn_more_often_unless_told_otherwise() -> None:
    small, large = (
        Pair(str(side), np.full((side, side), side, np.float32), np.full((2 * side, 2 * side), side, np.float32)) for side in (16, 64)
    )
    by_area = Patches([small, large], 2, 16, 400, seed=0).draw(0)[0]
    equal = Patches([small, large], 2, 16, 400, seed=0, equal=True).draw(0)[0]
    assert (by_area[:, 0, 0, 0] == 64).mean() == pytest.approx(0.8, abs=0.06)
    assert (equal[:, 0, 0, 0] == 64).mean() == pytest.approx(0.5, abs=0.08)


def test_a_picture_smaller_than_a_patch_is_named() -> None:
    with pytest.raises(DataError, match="tiny"):
        Patches([Pair("tiny", np.zeros((8, 40), np.float32), np.zeros((16, 80), np.float32))], 2, 16, 1, seed=0)


def test_div2k_layout_with_and_without_its_small_pictures(tmp_path: Path) -> None:
    for number in (1, 2):
        store(tmp_path / "DIV2K_train_HR" / f"000{number}.png", draw(number))
    store(tmp_path / "DIV2K_train_LR_bicubic" / "X2" / "0001x2.png", draw(1)[::2, ::2])
    store(tmp_path / "DIV2K_valid_HR" / "0801.png", draw(3))
    first, second = find(tmp_path, 2)
    assert (first.name, first.lr.name, second.lr) == ("0001", "0001x2.png", None)
    assert [source.name for source in find(tmp_path, 2, "valid")] == ["0801"]
    assert find(tmp_path, 4)[0].lr is None
    lr, hr = make_pair(first, 2)
    assert lr.shape == (32, 40)
    assert hr.shape == (64, 80)


def test_named_pairs_are_understood(tmp_path: Path) -> None:
    store(tmp_path / "a_HR.png", draw(1))
    store(tmp_path / "a_LR.png", draw(1)[::2, ::2])
    (source,) = find(tmp_path, 2)
    assert (source.name, source.hr.name, source.lr.name) == ("a", "a_HR.png", "a_LR.png")


def test_the_held_out_list_follows_its_rule(data: Path) -> None:
    for folder, names in held_out_list().items():
        files = sorted(file.name for file in (data / "train" / folder).iterdir())
        assert names == set(files[7::40])
    train, held = hold_out(find(data / "train", 2))
    assert len(held) == 34
    assert {source.hr.name for source in held if source.hr.parent.name == "t91"} == {"t16.webp", "t53.webp", "tt6.webp"}
    assert len(train) + len(held) == 1314


def test_other_folders_hold_out_every_fortieth(tmp_path: Path) -> None:
    sources = [Source(str(i), tmp_path / f"{i:03}.png") for i in range(50)]
    train, held = hold_out(sources)
    assert [source.name for source in held] == ["7", "47"]
    assert len(train) == 48
    assert hold_out(sources[:7])[1] == []


def test_augmentation_adds_single_colours_and_smaller_copies_that_still_hold_a_patch(tmp_path: Path) -> None:
    file = store(tmp_path / "colour.png", draw(1, 80, 100))
    hr = read(file).pixels
    pairs = list(load([Source("colour", file)], 2, PlaneStore(64, tmp_path), copies=partial(copies, least=50)))
    assert [pair.hr.shape for pair in pairs] == [(80, 100), (80, 100), (80, 100), (56, 70)]  # half of it would be 40 high
    assert all((2 * pair.lr.shape[0], 2 * pair.lr.shape[1]) == pair.hr.shape for pair in pairs)
    for pair, channel in zip(pairs[1:], (0, 2), strict=False):
        assert np.abs(as_unit(pair.hr) - hr[..., channel] / 255).max() < 1e-4
        assert np.abs(as_unit(pair.lr) - imresize(hr[..., channel].copy(), 40, 50) / 255).max() < 1e-4
    luma = split(imresize(hr, 56, 70))[0]
    assert np.abs(as_unit(pairs[3].hr) - luma).max() < 1e-4


def test_a_grey_picture_has_no_colours_to_add() -> None:
    assert [copy.shape for copy in copies(np.zeros((100, 120), np.uint8), 48)] == [(70, 84), (50, 60)]


def test_a_pair_with_a_small_picture_of_its_own_is_not_augmented(tmp_path: Path) -> None:
    hr, lr = store(tmp_path / "a_HR.png", draw(1, 80, 100)), store(tmp_path / "a_LR.png", draw(1, 80, 100)[::2, ::2])
    assert len(list(load([Source("a", hr, lr)], 2, PlaneStore(64, tmp_path), copies=partial(copies, least=16)))) == 1
