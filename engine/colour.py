"""RGB, luma and chroma, alpha, and the ranges of samples.

Luma is float32 in [0, 1]: BT.601 studio-range Y (16..235) divided by 255, as MATLAB's ``rgb2ycbcr`` and every published figure
have it, unrounded. A grey picture's samples are its luma, as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

# Rows Y, Cb, Cr; columns R, G, B, constant; for RGB in [0, 1] (ITU-R BT.601, as in MATLAB's rgb2ycbcr).
_TO_YCC = np.array([[65.481, 128.553, 24.966, 16], [-37.797, -74.203, 112.0, 128], [112.0, -93.786, -18.214, 128]]) / 255
_FROM_YCC = np.linalg.inv(np.vstack([_TO_YCC, [0, 0, 0, 1]]))[:3]

STUDIO_LOW, STUDIO_HIGH = 16 / 255, 235 / 255
BLEED_RADIUS = 15
"""How far, in pixels, colour is carried out of the visible pixels into transparent ones."""
BLEED_PIXELS = 1 << 20
"""How many are bled at a time: each takes some 80 bytes of memory meanwhile."""
ALPHA_REACH = 2
"""An upscaled alpha stays between the least and the greatest alpha within this many pixels of its source."""
_OPENCV_TAIL = 4
_VISIBLE = 1 / 16
"""From this alpha on a pixel's own colour is taken as it is."""


@dataclass(frozen=True, slots=True)
class Span:
    """The sample values that stand for black and white."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"white ({self.high}) must be above black ({self.low})")

    @classmethod
    def of(cls, dtype: DTypeLike) -> Span:
        """Return the span of a dtype: 0..255, 0..65535, or 0..1 for float."""
        kind = np.dtype(dtype)
        return cls(0.0, float(np.iinfo(kind).max) if kind.kind == "u" else 1.0)


UNIT = Span(0.0, 1.0)


def rgb_to_y(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma of 8-bit RGB: (H, W, 3) uint8 to (H, W) float32, Y / 255, unrounded."""
    return split(rgb)[0]


def split(pixels: NDArray[Any], span: Span | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Luma (H, W) and chroma (2, H, W), Cb and Cr, all float32, of RGB (H, W, 3); a grey picture (H, W) has no chroma.

    ``pixels`` is uint8, uint16 or float32; ``span`` is its black and white, by default its dtype's.
    """
    span = span or Span.of(pixels.dtype)
    if pixels.ndim == 2:
        return to_unit(pixels, span), None
    unit = pixels.astype(np.float32, copy=False)
    planes = np.empty((3, *pixels.shape[:2]), np.float32)
    for plane, factors in zip(planes, _after_scaling(_TO_YCC, span), strict=True):
        cv2.transform(unit, factors[None], dst=plane)
    return planes[0], planes[1:]


def join(luma: NDArray[np.float32], chroma: NDArray[np.float32] | None, dtype: DTypeLike, span: Span | None = None) -> NDArray[Any]:
    """The inverse of `split`: (H, W, 3) RGB, or (H, W) grey without chroma, clipped to ``span``; integers rounded half up."""
    span = span or Span.of(dtype)
    if chroma is None:
        unit = luma.astype(np.float32)
    else:
        # OpenCV rounds the last pixels of an array otherwise than the rest, so that the array is given some more at its end:
        # a pixel's value must not depend on which part of a picture it is computed with.
        stacked = np.zeros((luma.size + _OPENCV_TAIL, 1, 3), np.float32)
        cv2.merge([luma, *chroma], stacked[: luma.size].reshape(*luma.shape, 3))
        joined = cv2.transform(stacked, _FROM_YCC.astype(np.float32))[: luma.size]
        unit = cast("NDArray[np.float32]", joined.reshape(*luma.shape, 3))
    return from_unit(unit, dtype, span)


def to_unit(samples: NDArray[Any], span: Span | None = None) -> NDArray[np.float32]:
    """Samples of any dtype as float32, black 0 and white 1."""
    span = span or Span.of(samples.dtype)
    return (samples.astype(np.float32) - np.float32(span.low)) / np.float32(span.high - span.low)


def from_unit(unit: NDArray[np.float32], dtype: DTypeLike, span: Span | None = None) -> NDArray[Any]:
    """The inverse of `to_unit`, clipped to the span; integers rounded half up. Overwrites ``unit``."""
    span = span or Span.of(dtype)
    np.clip(unit, 0, 1, out=unit)
    if span != UNIT:
        unit *= np.float32(span.high - span.low)
    offset = span.low + (0.5 if np.dtype(dtype).kind == "u" else 0)  # the conversion to an integer cuts off
    if offset:
        unit += np.float32(offset)
    return unit.astype(dtype, copy=False)


def bleed(unit: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give nearly transparent pixels the alpha-weighted mean colour of what is visible near by.

    So neither the network nor the cubic mixes a hidden colour into an edge. ``unit`` is (H, W) or (H, W, 3), ``alpha`` (H, W),
    both in [0, 1]. Pixels further than `BLEED_RADIUS` from anything visible keep what they hold.
    """
    if alpha.min() >= _VISIBLE:
        return unit
    height, width = alpha.shape
    tall = max(1, BLEED_PIXELS // width)
    bled = np.empty_like(unit)
    for top in range(0, height, tall):
        first, last = max(top - BLEED_RADIUS, 0), min(top + tall + BLEED_RADIUS, height)
        bled[top : top + tall] = _bled(unit[first:last], alpha[first:last])[top - first :][:tall]
    return bled


def _bled(unit: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `bleed`, at once."""
    own = np.minimum(alpha / np.float32(_VISIBLE), np.float32(1))[..., None]
    colours = unit.reshape(*alpha.shape, -1)
    carried = colours.copy()
    for radius in (BLEED_RADIUS, 7, 3, 1):  # the nearest that finds anything is the last to be written
        weight, total = _box_mean(alpha, radius), _box_mean(colours * alpha[..., None], radius)
        near = weight[..., 0] > 1e-4
        carried[near] = total[near] / weight[near]
    mixed: NDArray[np.float32] = own * colours + (1 - own) * carried
    return mixed.reshape(unit.shape)


def limits(alpha: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The least and the greatest alpha within `ALPHA_REACH` of each pixel, both (H, W)."""
    window = np.ones((2 * ALPHA_REACH + 1,) * 2, np.uint8)
    return cast("NDArray[np.float32]", cv2.erode(alpha, window)), cast("NDArray[np.float32]", cv2.dilate(alpha, window))


def limit_alpha(
    upscaled: NDArray[np.float32], least: NDArray[np.float32], greatest: NDArray[np.float32], scale: int
) -> NDArray[np.float32]:
    """Keep an upscaled alpha, (scale*H, scale*W), between the `limits` of its source.

    What was opaque stays opaque and what was transparent stays so, without ringing.
    """
    return np.clip(upscaled, _repeated(least, scale), _repeated(greatest, scale))


def alpha_to_luma(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Alpha in [0, 1] moved into the studio range, which the networks know."""
    return alpha * np.float32(STUDIO_HIGH - STUDIO_LOW) + np.float32(STUDIO_LOW)


def luma_to_alpha(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `alpha_to_luma`."""
    return (luma - np.float32(STUDIO_LOW)) / np.float32(STUDIO_HIGH - STUDIO_LOW)


def _after_scaling(matrix: NDArray[np.float64], span: Span) -> NDArray[np.float32]:
    """``matrix`` (rows of three factors and a constant, for samples in [0, 1]) for samples in ``span``."""
    factors = matrix[:, :3] / (span.high - span.low)
    constants = matrix[:, 3:] - factors.sum(axis=1, keepdims=True) * span.low
    return np.hstack([factors, constants]).astype(np.float32)


def _box_mean(x: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """The mean over a square around each pixel, nothing being outside the picture; (H, W[, C]) to (H, W, C)."""
    side = (2 * radius + 1, 2 * radius + 1)
    return cast("NDArray[np.float32]", cv2.blur(x, side, borderType=cv2.BORDER_CONSTANT)).reshape(*x.shape[:2], -1)


def _repeated(x: NDArray[Any], scale: int) -> NDArray[Any]:
    return x.repeat(scale, axis=0).repeat(scale, axis=1)
