"""PReLU and its gradients for training on a CPU, written in Halide, in float32 and in bfloat16.

torch 2.13 takes longer for them than for the convolution before them: with a slope a channel its inner loops are as short as a pixel's
channels. Tensors are as `training.halide_tools` has them. Sums over a picture are taken row by row and then over the rows in float64, so a
result does not depend on the number of threads.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import halide as hl
import torch
from torch import Tensor

from training.halide_tools import (
    LANES,
    channels_last,
    elementwise,
    image,
    images,
    row_sums,
    run,
    stored,
    value,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DTYPES = (torch.float32, torch.bfloat16)


def supports(x_nchw: Tensor) -> bool:
    """Whether `prelu` and `prelu_gradients` take this: float32 or bfloat16 on the CPU, channels by eights."""
    return x_nchw.device.type == "cpu" and x_nchw.dtype in DTYPES and not x_nchw.shape[1] % LANES


def prelu(x_nchw: Tensor, slope: Tensor) -> Tensor:
    """The input x where it is positive, elsewhere slope x; ``slope`` is (C,)."""
    x = channels_last(x_nchw)
    y = torch.empty_like(x)
    run(_prelu(x.shape[3], x.dtype), x, *vectors(slope), y)
    return y.permute(0, 3, 1, 2)


def prelu_gradients(gradient_nchw: Tensor, x_nchw: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of `prelu` by x and by the slopes (C,); the latter float32."""
    gradient, x = channels_last(gradient_nchw), channels_last(x_nchw)
    by_x, rows = torch.empty_like(x), x.new_empty(x.shape[0], x.shape[1], x.shape[3], dtype=torch.float32)
    run(_by_x(x.shape[3], x.dtype), gradient, x, *vectors(slope), by_x)
    run(_by_slope(x.shape[3], x.dtype), gradient, x, rows)
    return by_x.permute(0, 3, 1, 2), rows.double().sum((0, 1)).float()


@functools.cache
def _prelu(channels: int, dtype: torch.dtype) -> Any:
    """x[c, x, y, n], slope[c]; result[c, x, y, n]."""
    source, (slope,) = image(4, dtype), images("1")
    at = c, *_ = _variables()
    x = value(source, at)
    return _elementwise(hl.select(x > 0, x, slope[c] * x), at, channels, dtype, (source, slope))


@functools.cache
def _by_x(channels: int, dtype: torch.dtype) -> Any:
    """g, x [c, x, y, n], slope[c]; result[c, x, y, n]."""
    gradient, source, (slope,) = image(4, dtype), image(4, dtype), images("1")
    at = c, *_ = _variables()
    g = value(gradient, at)
    return _elementwise(hl.select(value(source, at) > 0, g, slope[c] * g), at, channels, dtype, (gradient, source, slope))


@functools.cache
def _by_slope(channels: int, dtype: torch.dtype) -> Any:
    """g, x [c, x, y, n]; row sums [c, y, n] of g times the negative part of x."""
    gradient, source = image(4, dtype), image(4, dtype)
    c, _, y, n = _variables()
    r = hl.RDom([(0, source.dim(1).extent())])
    at = (c, r.x, y, n)
    result = hl.Func("result")
    result[c, y, n] = 0.0
    result[c, y, n] += value(gradient, at) * hl.min(value(source, at), 0.0)
    return row_sums(result, (c, y, n), r, channels, (gradient, source))


def _variables() -> tuple[hl.Var, ...]:
    return tuple(hl.Var(name) for name in "cxyn")


def _elementwise(result: hl.Expr, at: Sequence[hl.Var], channels: int, dtype: torch.dtype, parameters: Sequence[hl.ImageParam]) -> Any:
    function = hl.Func("result")
    function[tuple(at)] = stored(result, dtype)
    return elementwise(function, at, channels, parameters)
