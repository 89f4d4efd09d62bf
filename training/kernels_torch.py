"""The adder layer in plain torch, for any device and precision: taps are accumulated one by one, never broadcast all at once.

A tap's differences need one array of the output's size for each input channel, so memory stays near a convolution's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator


def sums(x_nchw: Tensor, weight_oihw: Tensor) -> Tensor:
    """-sum |x - w| over each zero-padded window: (N, I, H, W) and (O, I, k, k) to (N, O, H, W)."""
    total = x_nchw.new_zeros(x_nchw.shape[0], weight_oihw.shape[0], *x_nchw.shape[2:])
    for window_nhw, weight_o, _ in _taps(x_nchw, weight_oihw):
        total -= (window_nhw[:, None] - weight_o[:, None, None]).abs_()
    return total


def soft_sums(x_nchw: Tensor, weight_oihw: Tensor, reach: float) -> Tensor:
    """`sums` with |d| rounded off within ``reach``: d^2 / (2 reach) there, |d| - reach / 2 beyond."""
    total = x_nchw.new_zeros(x_nchw.shape[0], weight_oihw.shape[0], *x_nchw.shape[2:])
    for window_nhw, weight_o, _ in _taps(x_nchw, weight_oihw):
        difference = window_nhw[:, None] - weight_o[:, None, None]
        near = difference.clamp(-reach, reach)
        total -= near * (2 * difference - near)
    return total / (2 * reach)


def input_gradient(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor) -> Tensor:
    """The clipped gradient of `sums` by x: sum over windows of clip(w - x, -1, 1) g (AdderNet, arXiv 1912.13200, eq. 6)."""
    radius = weight_oihw.shape[-1] // 2
    height, width = x_nchw.shape[2:]
    padded = functional.pad(x_nchw.new_zeros(x_nchw.shape), [radius] * 4)
    for window_nhw, weight_o, (channel, row, column) in _taps(x_nchw, weight_oihw):
        slope = (weight_o[:, None, None] - window_nhw[:, None]).clamp_(-1, 1)
        padded[:, channel, row : row + height, column : column + width] += slope.mul_(gradient_nchw).sum(1)
    return padded[:, :, radius : radius + height, radius : radius + width].contiguous()


def weight_gradient(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor, reach: float = math.inf) -> Tensor:
    """The sum of clip(x - w, -reach, reach) g over pictures and pixels, x zero-padded: (O, I, k, k)."""
    if math.isinf(reach):
        return _correlation(x_nchw, weight_oihw, gradient_nchw) - weight_oihw * gradient_nchw.sum((0, 2, 3)).view(-1, 1, 1, 1)
    result = torch.empty_like(weight_oihw)
    for window_nhw, weight_o, (channel, row, column) in _taps(x_nchw, weight_oihw):
        difference = (window_nhw[:, None] - weight_o[:, None, None]).clamp_(-reach, reach)
        result[:, channel, row, column] = difference.mul_(gradient_nchw).sum((0, 2, 3))
    return result


def _correlation(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor) -> Tensor:
    """A convolution's own weight gradient: the sum of x g."""
    padding, wanted = [weight_oihw.shape[-1] // 2] * 2, [False, True, False]
    gradients = torch.ops.aten.convolution_backward(
        gradient_nchw, x_nchw, weight_oihw, None, [1, 1], padding, [1, 1], False, [0, 0], 1, wanted
    )
    result: Tensor = gradients[1]
    return result


def _taps(x_nchw: Tensor, weight_oihw: Tensor) -> Iterator[tuple[Tensor, Tensor, tuple[int, int, int]]]:
    """For each tap: the input (N, H, W) as it sees it, its weight for every output (O,), and (channel, row, column)."""
    _, inputs, kernel, _ = weight_oihw.shape
    height, width = x_nchw.shape[2:]
    padded = functional.pad(x_nchw, [kernel // 2] * 4)
    for channel in range(inputs):
        for row in range(kernel):
            for column in range(kernel):
                window = padded[:, channel, row : row + height, column : column + width]
                yield window, weight_oihw[:, channel, row, column], (channel, row, column)


def moments(y_nchw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, float64 (C,)."""
    variance, mean = torch.var_mean(y_nchw, (0, 2, 3), correction=0)
    return mean.double(), variance.double()


def finish(y_nchw: Tensor, x_nchw: Tensor, multiplier: Tensor, bias: Tensor, slope: Tensor) -> Tensor:
    """activation(multiplier * y + bias + x) with a slope for what is negative; the last three are (C,)."""
    before = _before(y_nchw, x_nchw, multiplier, bias)
    return torch.where(before > 0, before, before * _per_channel(slope))


def finish_sums(
    gradient_nchw: Tensor, y_nchw: Tensor, x_nchw: Tensor, affine: tuple[Tensor, Tensor, Tensor], centre: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 sums a channel that the gradients of `finish` need; ``affine`` is (multiplier, bias, slope).

    With g the gradient before the activation: of g, of g * (y - centre), and of the incoming gradient times the negative part.
    """
    multiplier, bias, slope = affine
    before = _before(y_nchw, x_nchw, multiplier, bias)
    g = gradient_nchw * torch.where(before > 0, 1, _per_channel(slope))
    product, negative = g * (y_nchw - _per_channel(centre)), gradient_nchw * before.clamp_max(0)
    total, centred, by_slope = (t.sum((0, 2, 3), dtype=torch.float64) for t in (g, product, negative))
    return total, centred, by_slope


def finish_gradients(
    gradient_nchw: Tensor, y_nchw: Tensor, x_nchw: Tensor, affine: tuple[Tensor, Tensor, Tensor], mixing: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Gradients of `finish` by y and by x. ``affine`` is (multiplier, bias, slope).

    With g the gradient before the activation, by x it is g, and by y it is mixing[0] * g + mixing[1] + mixing[2] * y.
    """
    multiplier, bias, slope = affine
    g = gradient_nchw * torch.where(_before(y_nchw, x_nchw, multiplier, bias) > 0, 1, _per_channel(slope))
    ratio, constant, steepness = (_per_channel(t) for t in mixing)
    return torch.addcmul(constant + ratio * g, steepness, y_nchw), g


def _before(y_nchw: Tensor, x_nchw: Tensor, multiplier: Tensor, bias: Tensor) -> Tensor:
    """What the activation sees."""
    return torch.addcmul(x_nchw + _per_channel(bias), _per_channel(multiplier), y_nchw)


def _per_channel(vector: Tensor) -> Tensor:
    return vector.view(-1, 1, 1)
