"""Bicubic resampling exactly as MATLAB's ``imresize``: what the published low-resolution pictures were made with.

Keys' cubic with a = -0.5, antialiased when it makes smaller (the kernel stretched by the scale), rows first and then
columns, edge pixels repeated, integers rounded half up after each pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sample = TypeVar("Sample", np.uint8, np.uint16, np.float32)

SUPPORT = 4.0
"""Width of the cubic kernel, in samples of the smaller of the two grids."""
REACH = 2
"""Samples on each side that the kernel covers when it enlarges."""
CHUNK_SAMPLES = 1 << 16
"""Output samples computed at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Taps:
    """How one axis is resampled: output i is the sum over k of ``weights[i, k] * input[indices[i, k]]``."""

    indices: NDArray[np.intp]
    weights: NDArray[np.float64]

    @property
    def length(self) -> int:
        """Samples along this axis of the output."""
        return len(self.indices)

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """First and one past the last input sample that outputs ``start`` up to ``stop`` need."""
        needed = self.indices[start:stop]
        return int(needed.min()), int(needed.max()) + 1

    def apply(self, x: NDArray[Any], first: int, start: int, stop: int) -> NDArray[Any]:
        """Return outputs ``start`` up to ``stop`` along axis 0 of the floating-point array ``x``, whose row 0 is input row ``first``."""
        weights = self.weights[start:stop].astype(x.dtype).reshape(stop - start, -1, *(1,) * (x.ndim - 1))
        indices = self.indices[start:stop] - first
        total = np.take(x, indices[:, 0], axis=0)
        total *= weights[:, 0]
        term = np.empty_like(total)
        for k in range(1, indices.shape[1]):
            np.take(x, indices[:, k], axis=0, out=term, mode="clip")
            term *= weights[:, k]
            total += term
        return total


def taps(length: int, wanted: int) -> Taps:
    """Return the indices and weights that resample an axis from ``length`` to ``wanted`` samples."""
    scale = wanted / length
    stretch = min(scale, 1.0)
    support = SUPPORT / stretch
    centre = (np.arange(wanted) + 0.5) / scale - 0.5
    leftmost = np.floor(centre - support / 2)
    positions = leftmost[:, None] + np.arange(int(np.ceil(support)) + 2)
    weights = stretch * _cubic(stretch * (centre[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)
    used = np.any(weights != 0, axis=0)
    indices = np.clip(positions[:, used], 0, length - 1).astype(np.intp)
    return Taps(indices, weights[:, used])


def enlarged_bytes(x: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """As `imresize` of (H, W) or (H, W, C) uint8 by a whole ``factor``, bit for bit, several times as quick.

    Sums of bytes and these weights are exact in float32, or so near that a nudge below their grain makes halves round up.
    """
    planes = [x] if x.ndim == 2 else cv2.split(x)
    wide = [_enlarged_plane(np.asarray(plane, np.uint8), _phases(factor)) for plane in planes]
    return cast("NDArray[np.uint8]", wide[0] if x.ndim == 2 else cv2.merge(wide).reshape(*wide[0].shape, -1))


def _enlarged_plane(plane: NDArray[np.uint8], kernels: tuple[NDArray[np.float32], ...]) -> NDArray[np.uint8]:
    (height, width), factor = plane.shape, len(kernels)
    nudge, border, alone = 2.0**-11, cv2.BORDER_REPLICATE, np.ones(1, np.float32)
    tall = np.empty((height, factor, width), np.uint8)
    for i, kernel in enumerate(kernels):
        tall[:, i] = cv2.sepFilter2D(plane, cv2.CV_8U, alone, kernel, delta=nudge, borderType=border)
    rows = tall.reshape(height * factor, width)
    parts = [cv2.sepFilter2D(rows, cv2.CV_8U, kernel, alone, delta=nudge, borderType=border) for kernel in kernels]
    return cast("NDArray[np.uint8]", cv2.merge([part.reshape(rows.shape) for part in parts]).reshape(height * factor, width * factor))


def _phases(factor: int) -> tuple[NDArray[np.float32], ...]:
    """The kernels, of ``2 * REACH + 1`` taps about a sample, that give its ``factor`` outputs when enlarging by a whole factor."""
    length = 4 * REACH + 1
    middle = taps(length, length * factor)
    kernels = np.zeros((factor, 2 * REACH + 1), np.float32)
    for phase in range(factor):
        output = 2 * REACH * factor + phase
        kernels[phase, middle.indices[output] - REACH] = middle.weights[output]
    return tuple(kernels)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5."""
    near = np.abs(x)
    inner = (1.5 * near - 2.5) * near**2 + 1
    outer = ((-0.5 * near + 2.5) * near - 4) * near + 2
    return np.where(near <= 1, inner, np.where(near <= 2, outer, 0.0))


class Resampler:
    """Resamples pictures of one size to another, whole or by rows, so that neither has to be in memory."""

    def __init__(self, height: int, width: int, wanted_height: int, wanted_width: int) -> None:
        if min(height, width, wanted_height, wanted_width) < 1:
            raise ValueError(f"cannot resample {width}×{height} to {wanted_width}×{wanted_height}: a side is below one pixel")
        self.vertical = taps(height, wanted_height)
        self.horizontal = taps(width, wanted_width)
        self._factors = (wanted_height // height, wanted_width // width)
        whole = all(factor > 1 for factor in self._factors) and (wanted_height % height, wanted_width % width) == (0, 0)
        self._phases = tuple(_phases(factor) for factor in self._factors) if whole else None

    def rows(self, x: NDArray[Sample], first: int, start: int, stop: int) -> NDArray[Sample]:
        """Output rows ``start`` up to ``stop``.

        ``x`` is (rows, W) or (rows, W, C) and holds input rows from ``first`` on, at least those that
        ``vertical.source(start, stop)`` names. Returns (stop - start, wanted_width[, C]) of the same dtype; float is not clipped.
        """
        if self._phases is not None and x.dtype == np.float32 and x.ndim == 2:
            return self._enlarged(x, first, start, stop)
        out = np.empty((stop - start, self.horizontal.length, *x.shape[2:]), x.dtype)
        channels = int(np.prod(x.shape[2:]))
        chunk = max(1, CHUNK_SAMPLES // (self.horizontal.length * channels))
        for top in range(start, stop, chunk):
            bottom = min(top + chunk, stop)
            out[top - start : bottom - start] = self._chunk(x, first, top, bottom)
        return out

    def _enlarged(self, x: NDArray[Any], first: int, start: int, stop: int) -> NDArray[Any]:
        """As `rows`, of a float plane by whole factors: then outputs of one phase share their weights, and are a convolution."""
        assert self._phases is not None
        (tall, wide), (down, across) = self._factors, self._phases
        top, bottom = start // tall, -(-stop // tall)
        low, high = max(top - REACH, first), min(bottom + REACH, first + len(x))
        source = x[low - first : high - first]
        out = np.empty((bottom - top, tall, wide * x.shape[1]), np.float32)
        for i, vertical in enumerate(down):
            parts = [cv2.sepFilter2D(source, cv2.CV_32F, kernel, vertical, borderType=cv2.BORDER_REPLICATE) for kernel in across]
            woven = cv2.merge([part.reshape(source.shape) for part in parts])
            out[:, i] = woven[top - low : bottom - low].reshape(bottom - top, -1)
        return out.reshape(-1, wide * x.shape[1])[start - top * tall : stop - top * tall]

    def _chunk(self, x: NDArray[Sample], first: int, start: int, stop: int) -> NDArray[Any]:
        low, high = self.vertical.source(start, stop)
        work = np.float32 if x.dtype == np.float32 else np.float64
        needed = x[low - first : high - first].astype(work)
        tall = _rounded(self.vertical.apply(needed, low, start, stop), x.dtype)
        # Columns are gathered as rows of the transpose: whole rows copy fast, single columns do not.
        turned = np.ascontiguousarray(tall.swapaxes(0, 1))
        return _rounded(self.horizontal.apply(turned, 0, 0, self.horizontal.length), x.dtype).swapaxes(0, 1)


def imresize(x: NDArray[Sample], height: int, width: int) -> NDArray[Sample]:
    """``x``, (H, W) or (H, W, C) of uint8, uint16 or float32, resampled to ``height`` × ``width``; same dtype.

    Float is not clipped: the cubic overshoots at edges. Raises ValueError for another dtype or shape or a side below 1.
    """
    if x.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"imresize takes uint8, uint16 or float32, not {x.dtype}")
    if x.ndim not in (2, 3):
        raise ValueError(f"imresize takes (H, W) or (H, W, C), not {x.shape}")
    if x.shape[:2] == (height, width):
        return x.copy()
    return Resampler(x.shape[0], x.shape[1], height, width).rows(x, 0, 0, height)


def _rounded(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round half up and clip to ``dtype``'s range if that is an integer; the values stay floating-point. In place."""
    if dtype.kind == "u":
        x += 0.5
        np.floor(x, out=x)
        np.clip(x, 0, np.iinfo(dtype).max, out=x)
    return x
