"""The published protocol gives the published figures, and SSIM is the paper's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from engine.colour import rgb_to_y
from engine.metrics import psnr, rounded, ssim
from engine.resize import imresize

if TYPE_CHECKING:
    from pathlib import Path


def luma(path: Path) -> np.ndarray:
    """Y in 0..255 as the protocol takes it from a file."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return stored.astype(np.float32) if stored.ndim == 2 else rgb_to_y(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)) * 255


@pytest.mark.parametrize(("folder", "expected"), [("Set5/x2", 33.67), ("Set14/x2", 30.22)])
def test_bicubic_scores_what_it_is_known_to(data: Path, folder: str, expected: float) -> None:
    scores = []
    for path in sorted((data / folder).glob("*_HR.png")):
        high = luma(path)
        low = luma(path.with_name(path.name.replace("_HR", "_LR")))
        scores.append(psnr(rounded(imresize(low / np.float32(255), *high.shape)), high, border=2))
    assert np.mean(scores) == pytest.approx(expected, abs=0.005)


def ssim_by_the_paper(x: np.ndarray, y: np.ndarray) -> float:
    """Equations 13 to 16 of Wang et al. 2004, window by window."""
    offsets = np.arange(11) - 5
    gauss = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    gauss /= gauss.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (gauss * a).sum(), (gauss * b).sum()
            va, vb = (gauss * (a - ma) ** 2).sum(), (gauss * (b - mb) ** 2).sum()
            cov = (gauss * (a - ma) * (b - mb)).sum()
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return float(np.mean(values))


@pytest.mark.parametrize("shape", [(11, 11), (25, 40), (64, 31)])
@pytest.mark.parametrize("noise", [0.5, 20.0])
def test_ssim_is_the_papers(shape: tuple[int, int], noise: float, rng: np.random.Generator) -> None:
    x = np.clip(cv2.GaussianBlur(rng.uniform(0, 255, shape), (5, 5), 0) * 2 - 120, 0, 255)
    y = np.clip(x + rng.normal(0, noise, shape), 0, 255)
    assert ssim(y, x, border=0) == pytest.approx(ssim_by_the_paper(y, x), abs=1e-4)


def test_ssim_of_a_published_pair(data: Path) -> None:
    high = luma(data / "Set5/x2/003_HR.png")
    low = luma(data / "Set5/x2/003_LR.png")
    up = rounded(imresize(low / np.float32(255), *high.shape))
    assert ssim(up, high, border=2) == pytest.approx(ssim_by_the_paper(up[2:-2, 2:-2], high[2:-2, 2:-2].astype(np.float64)), abs=1e-4)


def test_psnr_by_hand(rng: np.random.Generator) -> None:
    reference = rng.uniform(20, 200, (30, 20))
    off = reference.copy()
    off[4:-4, 4:-4] += 2
    assert psnr(off, reference, border=4) == pytest.approx(20 * np.log10(255 / 2))
    off[0, 0] += 100
    assert psnr(off, reference, border=4) == pytest.approx(20 * np.log10(255 / 2)), "the border does not count"
    assert psnr(off / 255, reference / 255, border=4, peak=1) == pytest.approx(20 * np.log10(255 / 2))
    assert psnr(reference, reference, border=0) == float("inf")
    assert ssim(reference, reference, border=0) == pytest.approx(1)


def test_rounding_is_half_up_and_clipped() -> None:
    y = np.array([[0.5 / 255, 1.49 / 255, -1, 2, 1]], np.float32)
    assert rounded(y).tolist() == [[1, 1, 0, 255, 255]]


def test_planes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)), 0)
    with pytest.raises(ValueError, match="nothing is left"):
        psnr(np.zeros((4, 4)), np.zeros((4, 4)), 2)
    with pytest.raises(ValueError, match="11×11"):
        ssim(np.zeros((12, 12)), np.zeros((12, 12)), 1)
