"""The integer network in plain NumPy int64: slow and obvious, the truth for every back end's int8 (see `engine.integer`)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from engine.integer import INPUT_STEPS, IntegerLayer, IntegerNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Number = TypeVar("Number", np.int64, np.float32)


def run(network: IntegerNetwork, y_hw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Upscale luma: (H, W) float32 in [0, 1] to (scale*H, scale*W) float32 in [0, 1]."""
    first = first_layer(network.first, input_codes(y_hw))
    codes, zero = first, network.first.zero
    for layer in network.body:
        codes, zero = body_layer(layer, codes, zero), layer.zero
    accumulator = convolve(network.skip.apply(first, codes).astype(np.int64), network.last.weight) + network.last.bias
    residual = accumulator.astype(np.float32) * network.last.multiplier
    return depth_to_space(np.clip(residual + y_hw[:, :, None].astype(np.float32), 0, 1))


def input_codes(y_hw: NDArray[np.float32]) -> NDArray[np.int64]:
    """Luma in [0, 1] as codes from -512 to 512, (H, W, 1)."""
    steps = np.floor(y_hw.astype(np.float32) * np.float32(INPUT_STEPS) + np.float32(0.5))
    codes: NDArray[np.int64] = np.clip(steps, 0, INPUT_STEPS).astype(np.int64) - INPUT_STEPS // 2
    return codes[:, :, None]


def first_layer(layer: IntegerLayer, x_hwc: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The 5x5 convolution of the input's codes (H, W, 1): codes u8 (H, W, f)."""
    return layer.activate(layer.rescale.apply(convolve(x_hwc, layer.weight)))


def body_layer(layer: IntegerLayer, codes_hwc: NDArray[np.uint8], zero: int) -> NDArray[np.uint8]:
    """One body layer, adder or convolution, of codes u8 (H, W, f) whose zero point is ``zero``."""
    codes = codes_hwc.astype(np.int64)
    if layer.weight.dtype == np.uint8:
        return layer.activate(layer.rescale.apply(absolute_differences(codes, layer.weight, zero), codes))
    return layer.activate(layer.rescale.apply(convolve(codes - zero, layer.weight), codes - zero))


def convolve(x_hwc: NDArray[np.int64], weight_oihw: NDArray[Any]) -> NDArray[np.int64]:
    """Zero-padded convolution ("SAME"), (H, W, I) to (H, W, O), in int64."""
    weight = weight_oihw.astype(np.int64)
    return sum_of(shifted @ weight[:, :, row, column].T for row, column, shifted in windows(x_hwc, weight.shape[-1], 0))


def absolute_differences(x_hwc: NDArray[np.int64], weight_oihw: NDArray[Any], padding: int) -> NDArray[np.int64]:
    """The sum of |x - w| over each window padded with ``padding``, (H, W, I) to (H, W, O), in int64."""
    weight = weight_oihw.astype(np.int64)
    return sum_of(
        np.abs(shifted[:, :, None, :] - weight[None, None, :, :, row, column]).sum(-1)
        for row, column, shifted in windows(x_hwc, weight.shape[-1], padding)
    )


def windows(x_hwc: NDArray[Number], kernel: int, padding: int) -> Iterator[tuple[int, int, NDArray[Number]]]:
    """(kernel row, kernel column, the picture as that tap sees it) for every tap of a square kernel."""
    height, width, _ = x_hwc.shape
    radius = kernel // 2
    padded = np.pad(x_hwc, ((radius, radius), (radius, radius), (0, 0)), constant_values=padding)
    for row, column in product(range(kernel), repeat=2):
        yield row, column, padded[row : row + height, column : column + width]


def depth_to_space(x_hwc: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, s*s) to (s*H, s*W), channel row * s + column going to that place of the s x s block."""
    height, width, channels = x_hwc.shape
    scale = round(channels**0.5)
    blocks = x_hwc.reshape(height, width, scale, scale).transpose(0, 2, 1, 3)
    return blocks.reshape(height * scale, width * scale)


def sum_of(terms: Iterator[NDArray[Number]]) -> NDArray[Number]:
    """The sum of arrays, one in memory at a time."""
    total = next(terms)
    for term in terms:
        total = total + term
    return total
