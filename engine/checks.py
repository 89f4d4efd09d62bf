"""Is an upscaled picture the picture that went in? What a network gives is scaled back and compared, before it counts as a result.

A network adds detail within a pixel's block and hardly changes the block's mean. So where the means are off as a whole, in a part
of the picture, on one side of a tile's border only, or by a movement, it was the machine that failed, not the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from engine.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK = 16
"""Side of the parts that are compared, in input pixels."""
BAND = 8
"""Width of what is compared on each side of a tile's border, in input pixels."""
MEAN_LIMIT, BIAS_LIMIT, BLOCK_LIMIT, SEAM_LIMIT = 0.04, 0.02, 0.06, 0.015
"""How far block means may be off, of the whole range: in size, as a whole, in a part, from one side of a border to the other."""
CONTRAST_SHARE = 0.5
"""How much of the picture's fine contrast may add to that. (A trained network stays below 0.15 for sizes, 0.01 for a whole.)"""
SHIFT_LIMIT, EXPLAINED = 0.6, 0.05
"""How far the picture may seem to have moved, in output pixels, where that explains such a share of all error. (A trained
network's seems to by 0.06 at most; after a movement by one pixel it is 1.3 and a third.)"""
LIVELY = 2e-5
"""Mean squared slope per input pixel from which on a movement can be told."""


class Inspector:
    """Looks over one step of a network, a row of tiles after the other from the top down."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._above: NDArray[np.float32] | None = None

    def look(self, y: NDArray[np.float32], rows: slice, upscaled: NDArray[np.float32], borders: Sequence[int] = ()) -> None:
        """Compare ``rows`` of luma ``y`` (H, W) with what they became, (scale*rows, scale*W), both in [0, 1].

        The other rows of ``y`` are what lies above and below. ``borders`` are the columns where one tile ends and the next begins.
        Raises BackendError for a result that cannot be right, which another back end may get right.
        """
        error = _scaled_back(finite(upscaled), self._scale) - y[rows]
        contrast = np.abs(y - cv2.blur(y, (5, 5)))[rows]
        if error.size < BLOCK * BLOCK:  # too few pixels to tell what is usual among them
            contrast = np.full_like(error, np.ptp(y))
        _check_means(error, contrast)
        _check_blocks(error, contrast)
        _check_shift(_slopes(y, rows), error, SHIFT_LIMIT / self._scale)
        for column in borders:
            _check_seam(error[:, max(column - BAND, 0) : column], error[:, column : column + BAND], contrast)
        if self._above is not None:
            _check_seam(self._above, error[:BAND], contrast)
        self._above = error[-BAND:]


def finite(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """``samples`` as they are. Raises BackendError where one is not a number."""
    if not np.isfinite(samples.sum(dtype=np.float64)):
        raise BackendError("the result holds values that are not numbers")
    return samples


def _scaled_back(upscaled: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """The mean of each pixel's block."""
    size = (upscaled.shape[1] // scale, upscaled.shape[0] // scale)
    return cast("NDArray[np.float32]", cv2.resize(upscaled, size, interpolation=cv2.INTER_AREA))


def _check_means(error: NDArray[np.float32], contrast: NDArray[np.float32]) -> None:
    off, bias, explained = float(np.abs(error).mean()), abs(float(error.mean())), CONTRAST_SHARE * float(contrast.mean())
    if off > MEAN_LIMIT + 2 * explained or bias > BIAS_LIMIT + explained * _chance(error.size):
        raise BackendError(f"the result does not match the picture (off by {off:.1%} on average)")


def _chance(count: int) -> float:
    """How much of single errors is left in the mean of ``count`` of them, generously."""
    return min(1.0, 0.25 + 4 / float(np.sqrt(count)))


def _check_blocks(error: NDArray[np.float32], contrast: NDArray[np.float32]) -> None:
    size = (-(-error.shape[1] // BLOCK), -(-error.shape[0] // BLOCK))
    off = np.abs(cv2.resize(error, size, interpolation=cv2.INTER_AREA))
    allowed = BLOCK_LIMIT + CONTRAST_SHARE * cv2.resize(contrast, size, interpolation=cv2.INTER_AREA)
    if np.any(off > allowed):
        raise BackendError(f"part of the result does not match the picture (off by {off.max():.1%})")


def _slopes(y: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
    """Across and down, at each pixel of ``rows``: (2, pixels)."""
    return np.stack([cv2.Sobel(y, cv2.CV_32F, *order, ksize=3, scale=1 / 8)[rows].ravel() for order in ((1, 0), (0, 1))])


def _check_shift(slopes: NDArray[np.float32], error: NDArray[np.float32], limit: float) -> None:
    """The movement that explains ``error`` best, by least squares over the slopes (Lucas and Kanade 1981), where slopes suffice."""
    if min(error.shape) < BLOCK:
        return
    powers, axes = np.linalg.eigh((slopes @ slopes.T).astype(np.float64))
    movements = axes.T @ (slopes @ error.ravel()) / np.maximum(powers, 1e-12)
    movements[powers < LIVELY * error.size] = 0
    explained = float((movements**2 * powers).sum()) / max(float((error**2).sum()), 1e-12)
    moved = float(np.hypot(*movements))
    if moved > limit and explained > EXPLAINED:
        raise BackendError(f"the result is shifted against the picture (by {moved:.2f} of its pixels)")


def _check_seam(first: NDArray[np.float32], second: NDArray[np.float32], contrast: NDArray[np.float32]) -> None:
    if min(first.size, second.size) < BAND * BLOCK:
        return
    step = abs(float(first.mean()) - float(second.mean()))
    if step > SEAM_LIMIT + 2 * CONTRAST_SHARE * float(contrast.mean()) * _chance(min(first.size, second.size)):
        raise BackendError(f"tiles of the result do not meet (a step of {step:.1%})")
