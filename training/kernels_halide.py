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

from training.halide_tools import LANES, STRIP_ROWS, channels_last, compile_kernel, images, lanes, padded_with_zeros, run, together
from training.kernels_correlation import clipped_correlation, correlation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FORWARD_PIXELS, GRADIENT_PIXELS = {8: 6, 16: 8}, {8: 2, 16: 6}
"""Pixels of a block, by the lanes of a vector: as many as registers have room for."""


def supports(x_nchw: Tensor, weight_oihw: Tensor) -> bool:
    """Whether these kernels take the tensors: float32 on the CPU, 3x3 taps, channels by eights, at least a block of pixels wide."""
    outputs, inputs, *kernel = weight_oihw.shape
    plain = x_nchw.device.type == "cpu" and x_nchw.dtype == weight_oihw.dtype == torch.float32
    return plain and kernel == [3, 3] and not outputs % LANES and not inputs % LANES and x_nchw.shape[-1] >= FORWARD_PIXELS[lanes(outputs)]


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


def soft_sums(x_nchw: Tensor, weight_oihw: Tensor, reach: float) -> Tensor:
    """`sums` with |d| rounded off within ``reach`` (`training.adder.soft_sums`).

    With c = clip(d, -reach, reach) a tap is c (2 d - c) / (2 reach): a subtraction, a maximum, a minimum and two multiply-adds.
    """
    outputs, inputs = weight_oihw.shape[:2]
    x = channels_last(x_nchw)
    y = x.new_empty(*x.shape[:3], outputs)
    weight = weight_oihw.detach().permute(2, 3, 1, 0).contiguous()
    run(_soft_sums_kernel(inputs, outputs), x, weight, x.new_tensor([reach]), y)
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
    if math.isinf(reach):
        total = correlation(x_nchw, gradient_nchw, weight_oihw.shape[-1])
    else:
        total = clipped_correlation(x_nchw, gradient_nchw, weight_oihw, reach)
    return total - weight_oihw * gradient_nchw.sum((0, 2, 3)).view(-1, 1, 1, 1)


def _strips(result: hl.Func, variables: Sequence[hl.Var], channels: int, pixels: Mapping[int, int]) -> tuple[hl.Var, hl.Var]:
    """Blocks of ``pixels`` by up to 16 channels, in parallel strips of rows; returns where blocks and strips are computed."""
    c, x, y, n = variables
    outer, block, inner, strip, row, job = (hl.Var(name) for name in ("co", "xo", "xi", "strip", "row", "job"))
    inside = hl.Var("ci")
    result.bound(c, 0, channels).split(c, outer, inside, together(channels)).split(
        x, block, inner, pixels[lanes(channels)], hl.TailStrategy.ShiftInwards
    )
    result.split(y, strip, row, STRIP_ROWS, hl.TailStrategy.GuardWithIf).reorder(inside, inner, outer, block, row, strip, n)
    result.vectorize(inside, lanes(channels)).unroll(inside).unroll(inner).fuse(strip, n, job).parallel(job)
    return outer, job


def _accumulate(total: hl.Func, c: hl.Var, x: hl.Var, r: hl.RDom, channels: int) -> None:
    """Hold a block's sums in registers through the whole reduction."""
    total.vectorize(c, lanes(channels)).unroll(c).unroll(x)
    total.update().reorder(c, x, r.x, r.y, r.z).vectorize(c, lanes(channels)).unroll(c).unroll(x)


def _boxed(padded: hl.Func, channels: int) -> list[hl.Func]:
    """The sum over all channels and 3x3 pixels [x, y, n], and before it the stages on the way: in vectors, a vector's sum last."""
    lane, x, y, n = (hl.Var(name) for name in ("lane", *"xyn"))
    groups, box, lanes = hl.RDom([(0, channels // LANES)]), hl.RDom([(0, 3), (0, 3)]), hl.RDom([(0, LANES)])
    folded, spread, boxed = hl.Func("folded"), hl.Func("spread"), hl.Func("boxed")
    folded[lane, x, y, n] = 0.0
    folded[lane, x, y, n] += padded[lane + LANES * groups.x, x, y, n]
    spread[lane, x, y, n] = 0.0
    spread[lane, x, y, n] += folded[lane, x + box.x - 1, y + box.y - 1, n]
    boxed[x, y, n] = 0.0
    boxed[x, y, n] += spread[lanes.x, x, y, n]
    for each, reduction in ((folded, groups), (spread, box)):
        each.bound(lane, 0, LANES).vectorize(lane)
        each.update().reorder(lane, *([reduction.x, reduction.y] if each is spread else [reduction.x]), x, y, n).vectorize(lane)
    spread.update().unroll(box.x).unroll(box.y)
    boxed.update().reorder(lanes.x, x, y, n).unroll(lanes.x)
    return [folded, spread, boxed]


@functools.cache
def _sums_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], w[o, c, kx, ky], sum of w[o]; result[o, x, y, n]."""
    source, weight, weight_sum = images("441")
    x_padded, total, r = _tapped(source, weight, inputs, hl.max)
    c, x, y, n = total.args()
    stages = *_, boxed = _boxed(x_padded, inputs)
    result = hl.Func("result")
    result[c, x, y, n] = boxed[x, y, n] + weight_sum[c] - 2.0 * total[c, x, y, n]
    strip = _schedule_taps(result, x_padded, total, r, (inputs, outputs))
    for stage in stages:
        stage.compute_at(result, strip)
    return compile_kernel(result, (source, weight, weight_sum))


@functools.cache
def _soft_sums_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], w[o, c, kx, ky], reach; result[o, x, y, n]."""
    source, weight, reach = images("441")

    def tap(value: hl.Expr, at: hl.Expr) -> hl.Expr:
        near = hl.max(hl.min(value - at, reach[0]), -reach[0])
        return near * (2.0 * (value - at) - near)

    x_padded, total, r = _tapped(source, weight, inputs, tap)
    result = hl.Func("result")
    result[total.args()] = total[total.args()] * (-0.5 / reach[0])
    _schedule_taps(result, x_padded, total, r, (inputs, outputs))
    return compile_kernel(result, (source, weight, reach))


def _tapped(
    source: hl.ImageParam, weight: hl.ImageParam, inputs: int, tap: Callable[[hl.Expr, hl.Expr], hl.Expr]
) -> tuple[hl.Func, hl.Func, hl.RDom]:
    """The padded input, and [o, x, y, n] the sum of ``tap`` over all channels and 3x3 pixels, with its reduction."""
    c, x, y, n = (hl.Var(name) for name in "cxyn")
    padded, x_padded, total = padded_with_zeros(source), hl.Func("x_padded"), hl.Func("total")
    x_padded[c, x, y, n] = padded[c, x, y, n]
    r = hl.RDom([(0, inputs), (0, 3), (0, 3)])
    total[c, x, y, n] = 0.0
    total[c, x, y, n] += tap(x_padded[r.x, x + r.y - 1, y + r.z - 1, n], weight[c, r.x, r.y, r.z])
    return x_padded, total, r


def _schedule_taps(result: hl.Func, x_padded: hl.Func, total: hl.Func, r: hl.RDom, channels: tuple[int, int]) -> hl.Var:
    """Schedule what is made of `_tapped`, of ``channels`` inputs and outputs; returns the loop over strips."""
    inputs, outputs = channels
    c, x, *_ = variables = total.args()
    block, strip = _strips(result, variables, outputs, FORWARD_PIXELS)
    x_padded.compute_at(result, strip).bound(c, 0, inputs).vectorize(c, LANES)
    total.compute_at(result, block)
    _accumulate(total, c, x, r, outputs)
    return strip


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
    stages = *_, boxed = _boxed(g_padded, outputs)
    result[c, x, y, n] = total[c, x, y, n] - source[c, x, y, n] * boxed[x, y, n]
    block, strip = _strips(result, variables, inputs, GRADIENT_PIXELS)
    for stage in stages:
        stage.compute_at(result, strip)
    g_padded.compute_at(result, strip).bound(c, 0, outputs).vectorize(c, LANES)
    total.compute_at(result, block)
    _accumulate(total, c, x, r, inputs)
    return compile_kernel(result, (source, weight, gradient))
