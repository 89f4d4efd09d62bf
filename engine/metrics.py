"""PSNR and SSIM as super-resolution papers publish them: on luma, with a border cropped.

The one scoring path: Y in float from the stored 8-bit RGB (`engine.colour.rgb_to_y`), single-channel pictures as they stand; the
network's Y rounded to 8 bit, the reference's not; a border of ``scale`` pixels left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PEAK = 255.0
WINDOW, SIGMA = 11, 1.5
"""The Gaussian window of SSIM (Wang et al. 2004, section III-B), its side and standard deviation in pixels."""
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def rounded(y: NDArray[np.float32]) -> NDArray[np.float64]:
    """A network's luma, (H, W) in [0, 1], as the 8-bit levels 0..255 that are scored; half rounds up."""
    return np.clip(np.floor(y.astype(np.float64) * PEAK + 0.5), 0, PEAK)


def psnr(y: NDArray[Any], reference: NDArray[Any], border: int, peak: float = PEAK) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W) planes in 0..``peak``; infinite where they are equal.

    ``border`` pixels on each side are left out. Raises ValueError for planes of different shape or smaller than the border.
    """
    first, second = _cropped(y, reference, border)
    error = float(np.mean((first - second) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(y: NDArray[Any], reference: NDArray[Any], border: int) -> float:
    """Structural similarity of two (H, W) planes in 0..255 (Wang et al. 2004, equation 13), its mean over whole windows.

    ``border`` as in `psnr`. Raises ValueError also where the rest is smaller than the window of 11×11.
    """
    x, t = _cropped(y, reference, border)
    if min(x.shape) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW}×{WINDOW} pixels inside the border, not {x.shape[1]}×{x.shape[0]}")
    mean_x, mean_t = _windowed(x), _windowed(t)
    variance_x = _windowed(x * x) - mean_x**2
    variance_t = _windowed(t * t) - mean_t**2
    covariance = _windowed(x * t) - mean_x * mean_t
    luminance = (2 * mean_x * mean_t + _C1) / (mean_x**2 + mean_t**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_t + _C2)
    return float(np.mean(luminance * structure))


def _cropped(y: NDArray[Any], reference: NDArray[Any], border: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if y.shape != reference.shape or y.ndim != 2:
        raise ValueError(f"two planes of one size are compared, not {y.shape} and {reference.shape}")
    if border < 0 or min(y.shape) <= 2 * border:
        raise ValueError(f"nothing is left of {y.shape[1]}×{y.shape[0]} pixels inside a border of {border}")
    inside = slice(border, -border if border else None)
    return y[inside, inside].astype(np.float64), reference[inside, inside].astype(np.float64)


def _windowed(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Gaussian-weighted mean of every whole window."""
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)
    margin = WINDOW // 2
    means: NDArray[Any] = cv2.sepFilter2D(x, cv2.CV_64F, kernel, kernel)
    return means[margin:-margin, margin:-margin]
