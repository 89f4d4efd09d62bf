"""Rounding to the codes of an activation's range, PReLU before it, and their gradients for training on a CPU, written in Halide.

In torch each is a dozen passes over memory that take several times as long as the convolutions between them. Tensors are as
`training.halide_tools` has them. Sums over a picture are taken row by row and then over the rows in float64, so a result does not depend on
the number of threads.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import halide as hl
import torch
from torch import Tensor

from engine.integer import CODE_MAX
from training.halide_tools import LANES, channels_last, elementwise, images, row_sums, run, vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

SCALE, ZERO = 0, 1


def supports(x: Tensor) -> bool:
    """Whether `on_codes` and its gradients take this: float32 (N, C, H, W) on the CPU, channels by eights."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and x.ndim == 4 and not x.shape[1] % LANES


def on_codes(x_nchw: Tensor, scale: Tensor, zero: Tensor, slope: Tensor | None) -> Tensor:
    """See `training.quantise.on_codes`."""
    x = channels_last(x_nchw)
    y = torch.empty_like(x)
    run(_on_codes(x.shape[3], slope is not None), x, *_constants(x, scale, zero, slope), y)
    return y.permute(0, 3, 1, 2)


def on_codes_gradients(
    gradient_nchw: Tensor, x_nchw: Tensor, scale: Tensor, zero: Tensor, slope: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of `on_codes` by x, by the scale and the zero point, and by the slopes (C,)."""
    gradient, x = channels_last(gradient_nchw), channels_last(x_nchw)
    constants = _constants(x, scale, zero, slope)
    by_x = torch.empty_like(x)
    parts = [x.new_empty(x.shape[0], x.shape[1], x.shape[3]) for _ in range(3)]
    run(_by_x(x.shape[3], slope is not None), gradient, x, *constants, by_x)
    run(_sums(x.shape[3], slope is not None), gradient, x, *constants, *parts)
    by_scale, outside, by_slope = (part.double().sum((0, 1)) for part in parts)
    return by_x.permute(0, 3, 1, 2), by_scale.sum().float(), (-scale * outside.sum()).float(), (scale * by_slope).float()


def _constants(x: Tensor, scale: Tensor, zero: Tensor, slope: Tensor | None) -> list[Tensor]:
    return vectors(torch.stack([scale.detach(), zero.detach()]), x.new_ones(x.shape[3]) if slope is None else slope)


class _Codes:
    """The expressions of one element: ``value`` in codes before the rounding, ``code`` after it, and what gradients need."""

    def __init__(self, x: hl.Expr, numbers: hl.ImageParam, slope: hl.Expr, *, prelu: bool) -> None:
        whole = x / numbers[SCALE]
        self.before = hl.floor(whole + 0.5) if prelu else whole
        self.value = hl.select(self.before > 0, self.before, slope * self.before)
        low, high = -numbers[ZERO], CODE_MAX - numbers[ZERO]
        self.code = hl.clamp(hl.floor(self.value + 0.5), low, high)
        self.inside = hl.select((self.value >= low - 0.5) & (self.value < high + 0.5), 1.0, 0.0)
        self.steepness = hl.select(self.before > 0, 1.0, slope)


@functools.cache
def _on_codes(channels: int, prelu: bool) -> Any:
    """From x [c, x, y, n], scale and zero point, slope[c]: result[c, x, y, n]."""
    parameters = source, numbers, slope = images("411")
    at = c, *_ = tuple(hl.Var(name) for name in "cxyn")
    result = hl.Func("result")
    result[at] = _Codes(source[at], numbers, slope[c], prelu=prelu).code * numbers[SCALE]
    return elementwise(result, at, channels, parameters)


@functools.cache
def _by_x(channels: int, prelu: bool) -> Any:
    """g, x [c, x, y, n], scale and zero point, slope[c]; result[c, x, y, n]."""
    parameters = gradient, source, numbers, slope = images("4411")
    at = c, *_ = tuple(hl.Var(name) for name in "cxyn")
    codes = _Codes(source[at], numbers, slope[c], prelu=prelu)
    result = hl.Func("result")
    result[at] = gradient[at] * codes.inside * codes.steepness
    return elementwise(result, at, channels, parameters)


@functools.cache
def _sums(channels: int, prelu: bool) -> Any:
    """g, x [c, x, y, n], scale and zero point, slope[c]; row sums [c, y, n] for the gradients by scale, zero point and slope."""
    parameters = gradient, source, numbers, slope = images("4411")
    c, y, n = (hl.Var(name) for name in "cyn")
    r = hl.RDom([(0, source.dim(1).extent())])
    at: Sequence[Any] = (c, r.x, y, n)
    codes, g = _Codes(source[at], numbers, slope[c], prelu=prelu), gradient[at]
    terms = g * (codes.code - codes.value * codes.inside), g * (1 - codes.inside), g * codes.inside * hl.min(codes.before, 0.0)
    result = hl.Func("result")
    result[c, y, n] = (0.0, 0.0, 0.0)
    sofar = result[c, y, n]
    result[c, y, n] = tuple(sofar[index] + term for index, term in enumerate(terms))
    return row_sums(result, (c, y, n), r, channels, parameters)
