"""Folders of each layout are scored by the one protocol."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine import images
from engine.backends.bicubic import Bicubic
from engine.errors import Cancelled, DataError
from engine.evaluate import evaluate, find_pairs, through_jpeg
from engine.picture import Picture
from engine.resize import imresize

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("folder", "psnr", "count"), [("Set5/x2", 33.67, 5), ("Set14/x2", 30.22, 14)])
def test_the_published_pairs(data: Path, folder: str, psnr: float, count: int) -> None:
    result = evaluate(Bicubic(2), data / folder, "bicubic")
    assert result.psnr == pytest.approx(psnr, abs=0.005)
    assert (result.model, result.scale, len(result.pictures)) == ("bicubic", 2, count)
    assert result.psnr == pytest.approx(np.mean([each.psnr for each in result.pictures]))
    assert result.ssim == pytest.approx(np.mean([each.ssim for each in result.pictures]))
    assert [each.name for each in result.pictures] == [f"{i:03}" for i in range(1, count + 1)]


def test_references_alone_and_divk2_layout_give_the_pairs_figures(data: Path, tmp_path: Path) -> None:
    """The LR pictures in circulation are MATLAB's, so making them anew changes nothing, whatever the layout."""
    alone, divk = tmp_path / "alone", tmp_path / "div2k"
    high, low = divk / "DIV2K_valid_HR", divk / "DIV2K_valid_LR_bicubic" / "X2"
    for folder in (alone, high, low):
        folder.mkdir(parents=True)
    for i in (2, 3):
        shutil.copy(data / f"Set5/x2/00{i}_HR.png", alone / f"p{i}.png")
        shutil.copy(data / f"Set5/x2/00{i}_HR.png", high / f"080{i}.png")
        shutil.copy(data / f"Set5/x2/00{i}_LR.png", low / f"080{i}x2.png")
    (alone / "notes.txt").write_text("not a picture")
    pairs = {each.name: each for each in evaluate(Bicubic(2), data / "Set5/x2").pictures}
    for folder, names in ((alone, ["p2", "p3"]), (divk, ["0802", "0803"])):
        result = evaluate(Bicubic(2), folder)
        assert [each.name for each in result.pictures] == names
        for mine, theirs in zip(result.pictures, ("002", "003"), strict=True):
            assert (mine.psnr, mine.ssim) == (pairs[theirs].psnr, pairs[theirs].ssim)


def test_a_grey_file_is_luma_as_it_stands(tmp_path: Path, rng: np.random.Generator) -> None:
    levels = imresize(rng.integers(0, 256, (10, 10)).astype(np.uint8), 60, 60)
    images.write(Picture(levels), tmp_path / "grey.png")
    images.write(Picture(np.dstack([levels] * 3)), tmp_path / "rgb.png")
    grey, rgb = evaluate(Bicubic(2), tmp_path).pictures
    assert grey.psnr < rgb.psnr - 1, "the same picture in colour has a studio range of 219 levels, and so smaller errors"


def test_sizes_that_the_scale_does_not_divide(tmp_path: Path, rng: np.random.Generator) -> None:
    images.write(Picture(rng.integers(0, 256, (61, 47, 3)).astype(np.uint8)), tmp_path / "odd.png")
    for scale in (2, 3, 4):
        assert len(evaluate(Bicubic(scale), tmp_path).pictures) == 1


def test_progress_and_cancelling(tmp_path: Path) -> None:
    for name in "abc":
        images.write(Picture(np.zeros((40, 40), np.uint8)), tmp_path / f"{name}.png")
    seen: list[tuple[int, int]] = []
    evaluate(Bicubic(2), tmp_path, on_picture=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(Cancelled):
        evaluate(Bicubic(2), tmp_path, cancelled=lambda: True)


def test_what_cannot_be_scored_is_refused(tmp_path: Path) -> None:
    black = Picture(np.zeros((40, 40), np.uint8))
    with pytest.raises(DataError, match="has no pictures"):
        evaluate(Bicubic(2), tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        evaluate(Bicubic(2), tmp_path / "absent")
    images.write(black, tmp_path / "a_HR.png")
    images.write(black, tmp_path / "b_LR.png")
    with pytest.raises(DataError, match="a, b is there only"):
        find_pairs(tmp_path, 2)
    (tmp_path / "b_LR.png").rename(tmp_path / "a_LR.png")
    with pytest.raises(DataError, match="is not 2 times"):
        evaluate(Bicubic(2), tmp_path)
    (tmp_path / "a_LR.png").unlink()
    (tmp_path / "a_HR.png").unlink()
    images.write(Picture(np.zeros((9, 9), np.uint8)), tmp_path / "tiny.png")
    with pytest.raises(DataError, match="too small"):
        evaluate(Bicubic(2), tmp_path)


def test_pictures_through_jpeg(data: Path) -> None:
    """Published for Set14 through JPEG they are not; but the loss is the less the better the quality, and a JPEG file's own."""
    clean, fine, coarse = (evaluate(Bicubic(2), data / "Set5/x2", jpeg=quality).psnr for quality in (None, 95, 30))
    assert clean > fine + 0.1 > coarse + 2
    low = images.read(data / "Set5/x2/003_LR.png")
    again = through_jpeg(low, 30)
    assert again.pixels.shape == low.pixels.shape
    error = np.abs(again.pixels.astype(int) - low.pixels)
    assert 1 < error.mean() < 20
