"""Kernels for what stands behind an adder layer's sums: normalisation, residual and activation in one pass, and their gradients.

Tensors are as `training.halide_tools` has them. Sums over a picture are taken row by row and then over the rows in float64, so a
result does not depend on the number of threads.
"""

from __future__ import annotations

import functools
from typing import Any

import halide as hl
import torch
from torch import Tensor

from training.halide_tools import LANES, channels_last, elementwise, images, row_sums, run, vectors


def supports(y_nchw: Tensor) -> bool:
    """Whether `moments`, `finish` and its gradients take this: float32 on the CPU, channels by eights."""
    return y_nchw.device.type == "cpu" and y_nchw.dtype == torch.float32 and not y_nchw.shape[1] % LANES


def moments(y_nchw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, float64 (C,)."""
    y = channels_last(y_nchw)
    pivot = y[0, 0, 0].clone()
    first, second = (y.new_empty(y.shape[0], y.shape[1], y.shape[3]) for _ in range(2))
    run(_moments_kernel(y.shape[3]), y, pivot, first, second)
    count = y.shape[0] * y.shape[1] * y.shape[2]
    offset, square = (part.double().sum((0, 1)) / count for part in (first, second))
    return pivot.double() + offset, (square - offset * offset).clamp_min(0)


def finish(y_nchw: Tensor, x_nchw: Tensor, multiplier: Tensor, bias: Tensor, slope: Tensor) -> Tensor:
    """activation(multiplier * y + bias + x) with a slope for what is negative; the last three are (C,)."""
    y, x = channels_last(y_nchw), channels_last(x_nchw)
    result = torch.empty_like(y)
    run(_finish_kernel(y.shape[3]), y, x, *vectors(multiplier, bias, slope), result)
    return result.permute(0, 3, 1, 2)


def finish_sums(
    gradient_nchw: Tensor, y_nchw: Tensor, x_nchw: Tensor, affine: tuple[Tensor, Tensor, Tensor], centre: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 sums a channel that the gradients of `finish` need; ``affine`` is (multiplier, bias, slope).

    With g the gradient before the activation: of g, of g * (y - centre), and of the incoming gradient times the negative part.
    """
    gradient, y, x = (channels_last(t) for t in (gradient_nchw, y_nchw, x_nchw))
    parts = [y.new_empty(y.shape[0], y.shape[1], y.shape[3]) for _ in range(3)]
    run(_finish_sums_kernel(y.shape[3]), gradient, y, x, *vectors(*affine, centre), *parts)
    total, centred, by_slope = (part.double().sum((0, 1)) for part in parts)
    return total, centred, by_slope


def finish_gradients(
    gradient_nchw: Tensor, y_nchw: Tensor, x_nchw: Tensor, affine: tuple[Tensor, Tensor, Tensor], mixing: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Gradients of `finish` by y and by x. ``affine`` is (multiplier, bias, slope).

    With g the gradient before the activation, by x it is g, and by y it is mixing[0] * g + mixing[1] + mixing[2] * y.
    """
    gradient, y, x = (channels_last(t) for t in (gradient_nchw, y_nchw, x_nchw))
    by_y, by_x = torch.empty_like(y), torch.empty_like(x)
    run(_finish_gradients_kernel(y.shape[3]), gradient, y, x, *vectors(*affine, *mixing), by_y, by_x)
    return by_y.permute(0, 3, 1, 2), by_x.permute(0, 3, 1, 2)


@functools.cache
def _moments_kernel(channels: int) -> Any:
    """y[c, x, y, n], pivot[c]; row sums of y - pivot and of its square, each [c, y, n]."""
    source, pivot = images("41")
    c, y, n = (hl.Var(name) for name in "cyn")
    r = hl.RDom([(0, source.dim(1).extent())])
    result = hl.Func("result")
    result[c, y, n] = (0.0, 0.0)
    value = source[c, r.x, y, n] - pivot[c]
    result[c, y, n] = (result[c, y, n][0] + value, result[c, y, n][1] + value * value)
    return row_sums(result, (c, y, n), r, channels, (source, pivot))


@functools.cache
def _finish_kernel(channels: int) -> Any:
    """y, x [c, x, y, n], multiplier, bias, slope [c]; result[c, x, y, n]."""
    parameters = source, identity, *_ = images("44111")
    multiplier, bias, slope = parameters[2:]
    c, x, y, n = (hl.Var(name) for name in "cxyn")
    result = hl.Func("result")
    before = multiplier[c] * source[c, x, y, n] + bias[c] + identity[c, x, y, n]
    result[c, x, y, n] = hl.select(before > 0, before, slope[c] * before)
    return elementwise(result, (c, x, y, n), channels, parameters)


@functools.cache
def _finish_sums_kernel(channels: int) -> Any:
    """g, y, x [c, x, y, n], multiplier, bias, slope, centre [c]; three row sums [c, y, n] (see `finish_sums`)."""
    parameters = incoming, source, identity, *_ = images("4441111")
    multiplier, bias, slope, centre = parameters[3:]
    c, y, n = (hl.Var(name) for name in "cyn")
    r = hl.RDom([(0, source.dim(1).extent())])
    at = (c, r.x, y, n)
    before = multiplier[c] * source[at] + bias[c] + identity[at]
    g = incoming[at] * hl.select(before > 0, 1.0, slope[c])
    result = hl.Func("result")
    result[c, y, n] = (0.0, 0.0, 0.0)
    sofar = result[c, y, n]
    result[c, y, n] = (sofar[0] + g, sofar[1] + g * (source[at] - centre[c]), sofar[2] + incoming[at] * hl.min(before, 0.0))
    return row_sums(result, (c, y, n), r, channels, parameters)


@functools.cache
def _finish_gradients_kernel(channels: int) -> Any:
    """g, y, x [c, x, y, n], multiplier, bias, slope, mixing 0 to 2 [c]; gradients by y and by x [c, x, y, n]."""
    parameters = incoming, source, identity, *_ = images("444111111")
    multiplier, bias, slope, *mixing = parameters[3:]
    c, x, y, n = (hl.Var(name) for name in "cxyn")
    at = (c, x, y, n)
    before = multiplier[c] * source[at] + bias[c] + identity[at]
    g = incoming[at] * hl.select(before > 0, 1.0, slope[c])
    result = hl.Func("result")
    result[at] = (mixing[0][c] * g + mixing[1][c] + mixing[2][c] * source[at], g)
    return elementwise(result, (c, x, y, n), channels, parameters)
