"""Weight gradients for training on a CPU, written in Halide: a convolution's, and an adder layer's, which clips its inputs.

For the few channels of these networks torch takes 1.2 to 4.5 times as long (`python -m tests.benchmarks.training_speed`). Tensors
are as `training.halide_tools` has them. Sums over pictures are taken in a fixed order, so that a result does not depend on the
number of threads.
"""

from __future__ import annotations

import functools
from typing import Any

import halide as hl
import torch
from torch import Tensor

from training.halide_tools import LANES, WHOLE, channels_last, compile_kernel, images, lanes, padded_with_zeros, run, together

VECTORS = {8: 12, 16: 28}
"""Sums held in registers, in vectors, by their lanes; four are left for what is multiplied."""
STRIP = 8
"""Rows whose products are summed before they are added to a picture's: as many as stay in the first cache."""


def supports(x_nchw: Tensor, gradient_nchw: Tensor) -> bool:
    """Whether `correlation` takes the tensors: float32 on the CPU, the channels of one of them by eights.

    Not where those of both fill registers of 64 bytes: there torch is faster.
    """
    plain = x_nchw.device.type == "cpu" and x_nchw.dtype == gradient_nchw.dtype == torch.float32
    if WHOLE > LANES and not (x_nchw.shape[1] % WHOLE or gradient_nchw.shape[1] % WHOLE):
        return False
    return plain and not (x_nchw.shape[1] % LANES and gradient_nchw.shape[1] % LANES)


def correlation(x_nchw: Tensor, gradient_nchw: Tensor, size: int) -> Tensor:
    """The sum of x g over pictures and pixels, x zero-padded: (N, I, H, W) and (N, O, H, W) to (O, I, size, size), size odd.

    The side whose channels come by eights lies in vectors and stands still; the other is moved under it.
    """
    x, gradient = channels_last(x_nchw), channels_last(gradient_nchw)
    turned = bool(gradient.shape[3] % LANES)
    moved, still = (gradient, x) if turned else (x, gradient)
    parts = x.new_empty(x.shape[0], moved.shape[3], size, size, still.shape[3])
    run(_correlation(moved.shape[3], still.shape[3], size), moved, still, parts)
    total = parts.double().sum(0).to(x.dtype)
    return total.permute(0, 3, 1, 2).flip(2, 3) if turned else total.permute(3, 0, 1, 2)


def clipped_correlation(x_nchw: Tensor, gradient_nchw: Tensor, weight_oihw: Tensor, reach: float) -> Tensor:
    """`correlation` with x clipped to weight - reach and weight + reach, for each weight (O, I, k, k); O by eights."""
    outputs, inputs, size, _ = weight_oihw.shape
    x, gradient = channels_last(x_nchw), channels_last(gradient_nchw)
    parts = x.new_empty(x.shape[0], inputs, size, size, outputs)
    weight = weight_oihw.detach().permute(1, 2, 3, 0).contiguous()
    run(_clipped_correlation(inputs, outputs, size), x, gradient, weight, x.new_tensor([reach]), parts)
    return parts.double().sum(0).permute(3, 0, 1, 2).to(x.dtype)


@functools.cache
def _correlation(inputs: int, outputs: int, size: int) -> Any:
    """x[c, x, y, n], g[o, x, y, n]; result[o, kx, ky, c, n], a picture's sums of x g."""
    source, gradient = images("44")
    result = _correlated(source, gradient, (), inputs, outputs, size)
    return compile_kernel(result, (source, gradient))


@functools.cache
def _clipped_correlation(inputs: int, outputs: int, size: int) -> Any:
    """x[c, x, y, n], g[o, x, y, n], w[o, kx, ky, c], reach; result[o, kx, ky, c, n], a picture's sums of clip(x, w -+ reach) g."""
    source, gradient, weight, reach = images("4441")
    at = [hl.Var(name) for name in ("o", "kx", "ky", "c")]
    low, high = hl.Func("low"), hl.Func("high")
    low[at] = weight[at] - reach[0]
    high[at] = weight[at] + reach[0]
    result = _correlated(source, gradient, (low, high), inputs, outputs, size)
    return compile_kernel(result, (source, gradient, weight, reach))


def _correlated(
    source: hl.ImageParam, gradient: hl.ImageParam, bounds: tuple[hl.Func, ...], inputs: int, outputs: int, size: int
) -> hl.Func:
    """Sums of x g a picture, scheduled; x clipped to the two ``bounds`` [o, kx, ky, c] if there are any."""
    o, kx, ky, c, n, x, y, strip = (hl.Var(name) for name in ("o", "kx", "ky", "c", "n", "x", "y", "strip"))
    padded, x_padded, part, result = padded_with_zeros(source), hl.Func("x_padded"), hl.Func("part"), hl.Func("result")
    x_padded[c, x, y, n] = padded[c, x, y, n]
    width, height = gradient.dim(1).extent(), gradient.dim(2).extent()
    pixels, strips = hl.RDom([(0, width), (0, STRIP)]), hl.RDom([(0, (height + STRIP - 1) // STRIP)])
    pixels.where(strip * STRIP + pixels.y < height)
    row = hl.min(strip * STRIP + pixels.y, height - 1)  # says to Halide what the line above means: no row is read beyond the last
    value = x_padded[c, pixels.x + kx - size // 2, row + ky - size // 2, n]
    if bounds:
        low, high = bounds
        value = hl.min(hl.max(value, low[o, kx, ky, c]), high[o, kx, ky, c])
    part[o, kx, ky, c, strip, n] = 0.0
    part[o, kx, ky, c, strip, n] += value * gradient[o, pixels.x, row, n]
    result[o, kx, ky, c, n] = 0.0
    result[o, kx, ky, c, n] += part[o, kx, ky, c, strips.x, n]

    block = together(outputs)
    room = VECTORS[lanes(outputs)] * lanes(outputs) // (block * (3 if bounds else 1))  # two bounds for each sum take their registers
    columns = size if size <= room else 1
    pair = 2 if not inputs % 2 and 2 * columns <= room else 1
    outer, inside, c_outer, c_inside, kx_outer, kx_inside = (hl.Var(name) for name in ("oo", "oi", "co", "ci", "kxo", "kxi"))
    result.bound(o, 0, outputs).bound(kx, 0, size).bound(ky, 0, size).bound(c, 0, inputs).vectorize(o, lanes(outputs)).parallel(n)
    update = result.update().split(o, outer, inside, block).split(c, c_outer, c_inside, pair).split(kx, kx_outer, kx_inside, columns)
    update.reorder(inside, kx_inside, c_inside, outer, kx_outer, ky, c_outer, strips.x, n).parallel(n)
    update.vectorize(inside, lanes(outputs)).unroll(inside).unroll(kx_inside).unroll(c_inside)
    for each in (*bounds, part):
        each.compute_at(result, outer).vectorize(each.args()[0], lanes(outputs)).unroll(each.args()[0]).unroll(each.args()[1]).unroll(
            each.args()[3]
        )
    part.update().reorder(o, kx, c, pixels.x, pixels.y).vectorize(o, lanes(outputs)).unroll(o).unroll(kx).unroll(c)
    x_padded.compute_at(result, n).bound(c, 0, inputs)
    if not inputs % LANES:
        x_padded.vectorize(c, LANES)
    return result
