"""The adder layer's kernels for training on a CPU, written in Halide and compiled in this process the first time they are called.

Tensors are as `training.halide_tools` has them. Sums over pictures are taken in a fixed order, so that a result does not depend on the
number of threads.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import halide as hl
import torch
from torch import Tensor

from training.halide_tools import LANES, STRIP_ROWS, channels_last, compile_kernel, images, padded_with_zeros, run

if TYPE_CHECKING:
    from collections.abc import Sequence

FORWARD_PIXELS = 5
GRADIENT_PIXELS = 2


def supports(x_nchw: Tensor, weight_oihw: Tensor) -> bool:
    """Whether these kernels take the tensors: float32 on the CPU, 3x3 taps, channels by eights, at least a block of pixels wide."""
    outputs, inputs, *kernel = weight_oihw.shape
    plain = x_nchw.device.type == "cpu" and x_nchw.dtype == weight_oihw.dtype == torch.float32
    return plain and kernel == [3, 3] and not outputs % LANES and not inputs % LANES and x_nchw.shape[-1] >= FORWARD_PIXELS


def sums(x_nchw: Tensor, weight_oihw: Tensor) -> Tensor:
    """-sum |x - w| over each zero-padded 3x3 window: (N, I, H, W) and (O, I, 3, 3) to (N, O, H, W).

    Computed as sum x + sum w - 2 sum max(x, w): a maximum and an addition a tap, and one box sum of x for all outputs.
    """
    outputs, inputs = weight_oihw.shape[:2]
    x = channels_last(x_nchw)
    y = x.new_empty(*x.shape[:3], outputs)
    weight = weight_oihw.detach().permute(2, 3, 1, 0).contiguous()
    run(_sums_kernel(inputs, outputs), x, weight, weight.sum((0, 1, 2)), y)
    return y.permute(0, 3, 1, 2)


def input_gradient(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor) -> Tensor:
    """The clipped gradient of `sums` by x: sum over windows of clip(w - x, -1, 1) g (AdderNet, arXiv 1912.13200, eq. 6).

    Computed as sum clip(w, x - 1, x + 1) g - x sum g: a maximum, a minimum and a multiply-add a tap.
    """
    outputs, inputs = weight_oihw.shape[:2]
    x, gradient = channels_last(x_nchw), channels_last(gradient_nchw)
    result = torch.empty_like(x)
    run(_input_gradient_kernel(inputs, outputs), x, weight_oihw.detach().permute(2, 3, 0, 1).contiguous(), gradient, result)
    return result.permute(0, 3, 1, 2)


def weight_gradient(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor, reach: float = math.inf) -> Tensor:
    """The sum of clip(x - w, -reach, reach) g over pictures and pixels, x zero-padded: (O, I, 3, 3).

    Computed as sum clip(x, w - reach, w + reach) g - w sum g; without a reach the first sum is a convolution's weight gradient.
    """
    x, gradient = channels_last(x_nchw), channels_last(gradient_nchw)
    (batch, _, _, inputs), outputs = x.shape, gradient.shape[3]
    parts = x.new_empty(batch, inputs, 3, 3, outputs)
    if math.isinf(reach):
        run(_correlation_kernel(inputs, outputs), x, gradient, parts)
    else:
        weight = weight_oihw.detach().permute(2, 3, 1, 0).contiguous()
        run(_clipped_correlation_kernel(inputs, outputs), x, gradient, weight, x.new_tensor([reach]), parts)
    correlation = parts.double().sum(0).permute(3, 0, 1, 2).to(x.dtype)
    return correlation - weight_oihw * gradient.sum((0, 1, 2)).view(-1, 1, 1, 1)


def _strips(result: hl.Func, variables: Sequence[hl.Var], channels: int, pixels: int) -> tuple[hl.Var, hl.Var]:
    """Blocks of ``pixels`` by up to 16 channels, in parallel strips of rows; returns where blocks and strips are computed."""
    c, x, y, n = variables
    outer, block, inner, strip, row, job = (hl.Var(name) for name in ("co", "xo", "xi", "strip", "row", "job"))
    inside = hl.Var("ci")
    result.bound(c, 0, channels).split(c, outer, inside, _block(channels)).split(x, block, inner, pixels, hl.TailStrategy.ShiftInwards)
    result.split(y, strip, row, STRIP_ROWS, hl.TailStrategy.GuardWithIf).reorder(inside, inner, outer, block, row, strip, n)
    result.vectorize(inside, LANES).unroll(inside).unroll(inner).fuse(strip, n, job).parallel(job)
    return outer, job


def _accumulate(total: hl.Func, c: hl.Var, x: hl.Var, r: hl.RDom) -> None:
    """Hold a block's sums in registers through the whole reduction."""
    total.vectorize(c, LANES).unroll(c).unroll(x)
    total.update().reorder(c, x, r.x, r.y, r.z).vectorize(c, LANES).unroll(c).unroll(x)


def _boxed(padded: hl.Func, channels: int) -> tuple[hl.Func, hl.Func]:
    """The sum over channels [x, y, n], and the sum of that over 3x3 pixels."""
    x, y, n = (hl.Var(name) for name in "xyn")
    channel, box = hl.RDom([(0, channels)]), hl.RDom([(0, 3), (0, 3)])
    column, boxed = hl.Func("column"), hl.Func("boxed")
    column[x, y, n] = 0.0
    column[x, y, n] += padded[channel.x, x, y, n]
    boxed[x, y, n] = 0.0
    boxed[x, y, n] += column[x + box.x - 1, y + box.y - 1, n]
    return column, boxed


@functools.cache
def _sums_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], w[o, c, kx, ky], sum of w[o]; result[o, x, y, n]."""
    source, weight, weight_sum = images("441")
    variables = c, x, y, n = [hl.Var(name) for name in "cxyn"]
    padded, total, result = padded_with_zeros(source), hl.Func("total"), hl.Func("result")
    x_padded = hl.Func("x_padded")
    x_padded[c, x, y, n] = padded[c, x, y, n]
    r = hl.RDom([(0, inputs), (0, 3), (0, 3)])
    column, boxed = _boxed(x_padded, inputs)
    total[c, x, y, n] = 0.0
    total[c, x, y, n] += hl.max(x_padded[r.x, x + r.y - 1, y + r.z - 1, n], weight[c, r.x, r.y, r.z])
    result[c, x, y, n] = boxed[x, y, n] + weight_sum[c] - 2.0 * total[c, x, y, n]
    block, strip = _strips(result, variables, outputs, FORWARD_PIXELS)
    x_padded.compute_at(result, strip).bound(c, 0, inputs).vectorize(c, LANES)
    column.compute_at(result, strip)
    boxed.compute_at(result, strip)
    total.compute_at(result, block)
    _accumulate(total, c, x, r)
    return compile_kernel(result, (source, weight, weight_sum))


@functools.cache
def _input_gradient_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], w[c, o, kx, ky], g[o, x, y, n]; result[c, x, y, n]."""
    source, weight, gradient = images("444")
    variables = c, x, y, n = [hl.Var(name) for name in "cxyn"]
    padded, total, result, g_padded = padded_with_zeros(gradient), hl.Func("total"), hl.Func("result"), hl.Func("g_padded")
    g_padded[c, x, y, n] = padded[c, x, y, n]
    r = hl.RDom([(0, outputs), (0, 3), (0, 3)])
    total[c, x, y, n] = 0.0
    low, high = source[c, x, y, n] - 1.0, source[c, x, y, n] + 1.0
    total[c, x, y, n] += hl.min(hl.max(weight[c, r.x, r.y, r.z], low), high) * g_padded[r.x, x + 1 - r.y, y + 1 - r.z, n]
    column, boxed = _boxed(g_padded, outputs)
    result[c, x, y, n] = total[c, x, y, n] - source[c, x, y, n] * boxed[x, y, n]
    block, strip = _strips(result, variables, inputs, GRADIENT_PIXELS)
    column.compute_at(result, strip)
    boxed.compute_at(result, strip)
    g_padded.compute_at(result, strip).bound(c, 0, outputs).vectorize(c, LANES)
    total.compute_at(result, block)
    _accumulate(total, c, x, r)
    return compile_kernel(result, (source, weight, gradient))


@functools.cache
def _correlation_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], g[o, x, y, n]; result[o, kx, ky, c, n], a picture's sums of x g."""
    source, gradient = images("44")
    return _correlated(source, gradient, (), inputs, outputs)


@functools.cache
def _clipped_correlation_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], g[o, x, y, n], w[o, c, kx, ky], reach; result[o, kx, ky, c, n], a picture's sums of clip(x, w -+ reach) g."""
    source, gradient, weight, reach = images("4441")
    o, kx, ky, c = (hl.Var(name) for name in ("o", "kx", "ky", "c"))
    low, high = hl.Func("low"), hl.Func("high")
    low[o, kx, ky, c] = weight[o, c, kx, ky] - reach[0]
    high[o, kx, ky, c] = weight[o, c, kx, ky] + reach[0]
    weight.dim(0).set_min(0).set_stride(1)
    return _correlated(source, gradient, (low, high), inputs, outputs, (weight, reach))


def _correlated(
    source: hl.ImageParam, gradient: hl.ImageParam, bounds: Sequence[hl.Func], inputs: int, outputs: int, more: Sequence[hl.ImageParam] = ()
) -> Any:
    """Sums of x g a picture, x clipped to the two ``bounds`` [o, kx, ky, c] if there are any; ``more`` are what they depend on."""
    o, kx, ky, c, n, x, y = (hl.Var(name) for name in ("o", "kx", "ky", "c", "n", "x", "y"))
    padded, x_padded, total, result = padded_with_zeros(source), hl.Func("x_padded"), hl.Func("total"), hl.Func("result")
    x_padded[c, x, y, n] = padded[c, x, y, n]
    r = hl.RDom([(0, source.dim(1).extent()), (0, source.dim(2).extent())])
    value = x_padded[c, r.x + kx - 1, r.y + ky - 1, n]
    if bounds:
        low, high = bounds
        value = hl.min(hl.max(value, low[o, kx, ky, c]), high[o, kx, ky, c])
    total[o, kx, ky, c, n] = 0.0
    total[o, kx, ky, c, n] += value * gradient[o, r.x, r.y, n]
    result[o, kx, ky, c, n] = total[o, kx, ky, c, n]
    outer, inner = hl.Var("oo"), hl.Var("oi")
    result.bound(o, 0, outputs).bound(kx, 0, 3).bound(ky, 0, 3).bound(c, 0, inputs).split(o, outer, inner, _block(outputs))
    result.vectorize(inner, LANES).unroll(inner).parallel(n)
    total.compute_at(result, outer).vectorize(o, LANES).unroll(o)
    update = total.update()
    if bounds:  # two bounds for each sum leave no registers for three taps at once
        result.reorder(inner, outer, kx, ky, c, n)
        update.reorder(o, r.x, r.y)
    else:
        result.reorder(inner, kx, outer, ky, c, n).unroll(kx)
        total.unroll(kx)
        update.reorder(o, kx, r.x, r.y).unroll(kx)
    update.vectorize(o, LANES).unroll(o)
    for bound in bounds:
        bound.compute_at(result, outer).vectorize(bound.args()[0], LANES)
    x_padded.compute_at(result, n).bound(c, 0, inputs).vectorize(c, LANES)
    return compile_kernel(result, (source, gradient, *more))


def _block(channels: int) -> int:
    """Channels computed at a time: two vectors, or one."""
    return 2 * LANES if channels % (2 * LANES) == 0 else LANES
