"""Frames of a film as pictures: planes of Y, Cb and Cr to RGB, by the film's own matrix and range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from av.video.reformatter import ColorRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.video_planes import Planes, Sampling
    from engine.video_source import Colours, VideoInfo

WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""The share of red and blue in luma, by H.273's matrix coefficients; 10 is as 9."""
HIGH_DEFINITION = 720
"""Films of at least so many rows that do not name a matrix have that of BT.709, others that of BT.601."""


def shown(planes: Planes, info: VideoInfo) -> NDArray[Any]:
    """A frame of the film, its own or one that was made larger, as `to_rgb` and upright as a player shows it."""
    return upright(to_rgb(planes, info.form, info.colours, info.height), info)


def upright(pixels: NDArray[Any], info: VideoInfo) -> NDArray[Any]:
    """(H, W[, 3]) of a frame, or of a part of one, turned as a player does."""
    return np.ascontiguousarray(np.rot90(pixels, info.turns)) if info.turns else pixels


def to_rgb(planes: Planes, form: Sampling, colours: Colours, source_height: int) -> NDArray[Any]:
    """The frame as (H, W, 3) R, G, B, uint8, or uint16 where it has more than 8 bits; (H, W) where it is grey.

    ``source_height`` decides the matrix where the film names none. High dynamic range is not mapped to a lower one.
    """
    black, luma_scale, chroma_scale = _range(form, colours)
    y = (planes.luma.astype(np.float32) - np.float32(black)) * np.float32(luma_scale)
    if form.grey:
        return _stored(y, form)
    height, width = planes.luma.shape
    middle = np.float32(1 << (form.bits - 1))
    cb, cr = ((_spread(plane, form, width, height) - middle) * np.float32(chroma_scale) for plane in planes.chroma)
    red, blue = WEIGHTS.get(9 if colours.matrix == 10 else colours.matrix, WEIGHTS[1 if source_height >= HIGH_DEFINITION else 5])
    green = 1 - red - blue
    r = y + np.float32(2 - 2 * red) * cr
    b = y + np.float32(2 - 2 * blue) * cb
    g = y - np.float32(2 * red * (1 - red) / green) * cr - np.float32(2 * blue * (1 - blue) / green) * cb
    return _stored(np.stack([r, g, b], axis=2), form)


def _range(form: Sampling, colours: Colours) -> tuple[float, float, float]:
    """Black, and what luma and chroma are multiplied by to be in [0, 1] and [-0.5, 0.5]."""
    if colours.range == ColorRange.JPEG:
        return 0.0, 1 / form.top, 1 / form.top
    step = 1 << (form.bits - 8)
    return 16.0 * step, 1 / (219 * step), 1 / (224 * step)


def _spread(plane: NDArray[Any], form: Sampling, width: int, height: int) -> NDArray[np.float32]:
    """Chroma at every luma sample, linearly between where its samples lie (beside every second column, as in H.264)."""
    samples = plane.astype(np.float32)
    if (form.across, form.down) == (1, 1):
        return samples
    left = 0.0 if form.across == 2 else 0.5 / form.across - 0.5
    top = 0.5 / form.down - 0.5
    place = np.array([[1 / form.across, 0, left], [0, 1 / form.down, top]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(samples, place, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _stored(unit: NDArray[np.float32], form: Sampling) -> NDArray[Any]:
    """From [0, 1] to whole samples, rounded half up."""
    dtype: type[np.uint8 | np.uint16] = np.uint8 if form.bits == 8 else np.uint16
    top = np.iinfo(dtype).max
    samples: NDArray[Any] = np.clip(unit * np.float32(top) + np.float32(0.5), 0, top).astype(dtype)
    return samples
