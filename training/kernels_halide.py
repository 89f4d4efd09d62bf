"""Kernels for training on a CPU, written in Halide and compiled in this process the first time they are called.

Tensors are torch float32 of shape (N, C, H, W) in channels-last memory; anything else is brought into it first. Sums over a
picture are taken row by row and then over the rows in float64, so a result does not depend on the number of threads.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import halide as hl
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LANES = 8
FORWARD_PIXELS = 5
GRADIENT_PIXELS = 2
STRIP_ROWS = 4


def supports(x_nchw: Tensor, weight_oihw: Tensor) -> bool:
    """Whether the adder kernels take these: float32 on the CPU, 3x3 taps, channels by eights, at least a block of pixels wide."""
    outputs, _, *kernel = weight_oihw.shape
    plain = weight_oihw.dtype == torch.float32 and supports_finish(x_nchw)
    return plain and kernel == [3, 3] and not outputs % LANES and x_nchw.shape[-1] >= FORWARD_PIXELS


def supports_finish(y_nchw: Tensor) -> bool:
    """Whether `moments`, `finish` and its gradients take this: float32 on the CPU, channels by eights."""
    return y_nchw.device.type == "cpu" and y_nchw.dtype == torch.float32 and not y_nchw.shape[1] % LANES


def sums(x_nchw: Tensor, weight_oihw: Tensor) -> Tensor:
    """-sum |x - w| over each zero-padded 3x3 window: (N, I, H, W) and (O, I, 3, 3) to (N, O, H, W).

    Computed as sum x + sum w - 2 sum max(x, w): a maximum and an addition a tap, and one box sum of x for all outputs.
    """
    outputs, inputs = weight_oihw.shape[:2]
    x = _channels_last(x_nchw)
    y = x.new_empty(*x.shape[:3], outputs)
    weight = weight_oihw.detach().permute(2, 3, 1, 0).contiguous()
    _run(_sums_kernel(inputs, outputs), x, weight, weight.sum((0, 1, 2)), y)
    return y.permute(0, 3, 1, 2)


def input_gradient(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor) -> Tensor:
    """The clipped gradient of `sums` by x: sum over windows of clip(w - x, -1, 1) g (AdderNet, arXiv 1912.13200, eq. 6).

    Computed as sum clip(w, x - 1, x + 1) g - x sum g: a maximum, a minimum and a multiply-add a tap.
    """
    outputs, inputs = weight_oihw.shape[:2]
    x, gradient = _channels_last(x_nchw), _channels_last(gradient_nchw)
    result = torch.empty_like(x)
    _run(_input_gradient_kernel(inputs, outputs), x, weight_oihw.detach().permute(2, 3, 0, 1).contiguous(), gradient, result)
    return result.permute(0, 3, 1, 2)


def moments(y_nchw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, float64 (C,)."""
    y = _channels_last(y_nchw)
    pivot = y[0, 0, 0].clone()
    first, second = (y.new_empty(y.shape[0], y.shape[1], y.shape[3]) for _ in range(2))
    _run(_moments_kernel(y.shape[3]), y, pivot, first, second)
    count = y.shape[0] * y.shape[1] * y.shape[2]
    offset, square = (part.double().sum((0, 1)) / count for part in (first, second))
    return pivot.double() + offset, (square - offset * offset).clamp_min(0)


def finish(y_nchw: Tensor, x_nchw: Tensor, multiplier: Tensor, bias: Tensor, slope: Tensor) -> Tensor:
    """activation(multiplier * y + bias + x) with a slope for what is negative; the last three are (C,)."""
    y, x = _channels_last(y_nchw), _channels_last(x_nchw)
    result = torch.empty_like(y)
    _run(_finish_kernel(y.shape[3]), y, x, *_vectors(multiplier, bias, slope), result)
    return result.permute(0, 3, 1, 2)


def finish_sums(
    gradient_nchw: Tensor, y_nchw: Tensor, x_nchw: Tensor, affine: tuple[Tensor, Tensor, Tensor], centre: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 sums a channel that the gradients of `finish` need; ``affine`` is (multiplier, bias, slope).

    With g the gradient before the activation: of g, of g * (y - centre), and of the incoming gradient times the negative part.
    """
    gradient, y, x = (_channels_last(t) for t in (gradient_nchw, y_nchw, x_nchw))
    parts = [y.new_empty(y.shape[0], y.shape[1], y.shape[3]) for _ in range(3)]
    _run(_finish_sums_kernel(y.shape[3]), gradient, y, x, *_vectors(*affine, centre), *parts)
    total, centred, by_slope = (part.double().sum((0, 1)) for part in parts)
    return total, centred, by_slope


def finish_gradients(
    gradient_nchw: Tensor, y_nchw: Tensor, x_nchw: Tensor, affine: tuple[Tensor, Tensor, Tensor], mixing: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Gradients of `finish` by y and by x. ``affine`` is (multiplier, bias, slope).

    With g the gradient before the activation, by x it is g, and by y it is mixing[0] * g + mixing[1] + mixing[2] * y.
    """
    gradient, y, x = (_channels_last(t) for t in (gradient_nchw, y_nchw, x_nchw))
    by_y, by_x = torch.empty_like(y), torch.empty_like(x)
    _run(_finish_gradients_kernel(y.shape[3]), gradient, y, x, *_vectors(*affine, *mixing), by_y, by_x)
    return by_y.permute(0, 3, 1, 2), by_x.permute(0, 3, 1, 2)


def _channels_last(tensor_nchw: Tensor) -> Tensor:
    return tensor_nchw.detach().permute(0, 2, 3, 1).contiguous()


def _vectors(*tensors: Tensor) -> list[Tensor]:
    return [tensor.detach().float().contiguous() for tensor in tensors]


def _run(kernel: Any, *tensors: Tensor) -> None:
    """Call a compiled kernel. The arrays outlive it here, as Halide's buffers do not keep them."""
    arrays: list[NDArray[Any]] = [tensor.numpy() for tensor in tensors]
    kernel(*[hl.Buffer(array) for array in arrays])


def _compile(result: hl.Func, parameters: Sequence[hl.ImageParam]) -> Any:
    for parameter in parameters:
        parameter.dim(0).set_min(0).set_stride(1)
    return result.compile_to_callable([*parameters], hl.get_jit_target_from_environment())


def _images(dimensions: str) -> list[hl.ImageParam]:
    """A float32 parameter for each digit: how many dimensions it has."""
    return [hl.ImageParam(hl.Float(32), int(count)) for count in dimensions]


def _padded(source: hl.ImageParam) -> hl.Func:
    """``source`` with zeros around its picture (dimensions 1 and 2)."""
    extents = [(hl.Expr(), hl.Expr()), *((0, source.dim(axis).extent()) for axis in (1, 2)), (hl.Expr(), hl.Expr())]
    return hl.BoundaryConditions.constant_exterior(source, 0.0, extents)


def _strips(result: hl.Func, variables: Sequence[hl.Var], channels: int, pixels: int) -> tuple[hl.Var, hl.Var]:
    """Blocks of ``pixels`` by up to 16 channels, in parallel strips of rows; returns where blocks and strips are computed."""
    c, x, y, n = variables
    outer, block, inner, strip, row, job = (hl.Var(name) for name in ("co", "xo", "xi", "strip", "row", "job"))
    width = min(channels, 2 * LANES) if channels % (2 * LANES) == 0 else LANES
    inside = hl.Var("ci")
    result.bound(c, 0, channels).split(c, outer, inside, width).split(x, block, inner, pixels, hl.TailStrategy.ShiftInwards)
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
    source, weight, weight_sum = _images("441")
    variables = c, x, y, n = [hl.Var(name) for name in "cxyn"]
    padded, total, result = _padded(source), hl.Func("total"), hl.Func("result")
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
    return _compile(result, (source, weight, weight_sum))


@functools.cache
def _input_gradient_kernel(inputs: int, outputs: int) -> Any:
    """x[c, x, y, n], w[c, o, kx, ky], g[o, x, y, n]; result[c, x, y, n]."""
    source, weight, gradient = _images("444")
    variables = c, x, y, n = [hl.Var(name) for name in "cxyn"]
    padded, total, result, g_padded = _padded(gradient), hl.Func("total"), hl.Func("result"), hl.Func("g_padded")
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
    return _compile(result, (source, weight, gradient))


@functools.cache
def _moments_kernel(channels: int) -> Any:
    """y[c, x, y, n], pivot[c]; row sums of y - pivot and of its square, each [c, y, n]."""
    source, pivot = _images("41")
    c, y, n = (hl.Var(name) for name in "cyn")
    r = hl.RDom([(0, source.dim(1).extent())])
    result = hl.Func("result")
    result[c, y, n] = (0.0, 0.0)
    value = source[c, r.x, y, n] - pivot[c]
    result[c, y, n] = (result[c, y, n][0] + value, result[c, y, n][1] + value * value)
    return _row_sums(result, (c, y, n), r, channels, (source, pivot))


@functools.cache
def _finish_kernel(channels: int) -> Any:
    """y, x [c, x, y, n], multiplier, bias, slope [c]; result[c, x, y, n]."""
    images = source, identity, *_ = _images("44111")
    multiplier, bias, slope = images[2:]
    c, x, y, n = (hl.Var(name) for name in "cxyn")
    result = hl.Func("result")
    before = multiplier[c] * source[c, x, y, n] + bias[c] + identity[c, x, y, n]
    result[c, x, y, n] = hl.select(before > 0, before, slope[c] * before)
    return _elementwise(result, (c, x, y, n), channels, images)


@functools.cache
def _finish_sums_kernel(channels: int) -> Any:
    """g, y, x [c, x, y, n], multiplier, bias, slope, centre [c]; three row sums [c, y, n] (see `finish_sums`)."""
    images = incoming, source, identity, *_ = _images("4441111")
    multiplier, bias, slope, centre = images[3:]
    c, y, n = (hl.Var(name) for name in "cyn")
    r = hl.RDom([(0, source.dim(1).extent())])
    at = (c, r.x, y, n)
    before = multiplier[c] * source[at] + bias[c] + identity[at]
    g = incoming[at] * hl.select(before > 0, 1.0, slope[c])
    result = hl.Func("result")
    result[c, y, n] = (0.0, 0.0, 0.0)
    sofar = result[c, y, n]
    result[c, y, n] = (sofar[0] + g, sofar[1] + g * (source[at] - centre[c]), sofar[2] + incoming[at] * hl.min(before, 0.0))
    return _row_sums(result, (c, y, n), r, channels, images)


@functools.cache
def _finish_gradients_kernel(channels: int) -> Any:
    """g, y, x [c, x, y, n], multiplier, bias, slope, mixing 0 to 2 [c]; gradients by y and by x [c, x, y, n]."""
    images = incoming, source, identity, *_ = _images("444111111")
    multiplier, bias, slope, *mixing = images[3:]
    c, x, y, n = (hl.Var(name) for name in "cxyn")
    at = (c, x, y, n)
    before = multiplier[c] * source[at] + bias[c] + identity[at]
    g = incoming[at] * hl.select(before > 0, 1.0, slope[c])
    result = hl.Func("result")
    result[at] = (mixing[0][c] * g + mixing[1][c] + mixing[2][c] * source[at], g)
    return _elementwise(result, (c, x, y, n), channels, images)


def _elementwise(result: hl.Func, variables: Sequence[hl.Var], channels: int, images: Sequence[hl.ImageParam]) -> Any:
    c, x, y, n = variables
    result.bound(c, 0, channels).reorder(c, x, y, n).vectorize(c, LANES).unroll(c)
    _parallel_strips(result, y, n)
    return _compile(result, images)


def _row_sums(result: hl.Func, variables: Sequence[hl.Var], r: hl.RDom, channels: int, images: Sequence[hl.ImageParam]) -> Any:
    c, y, n = variables
    result.bound(c, 0, channels).vectorize(c, LANES)
    _parallel_strips(result.update().reorder(c, r.x, y, n).vectorize(c, LANES).unroll(c), y, n)
    return _compile(result, images)


def _parallel_strips(stage: hl.Func | hl.Stage, y: hl.Var, n: hl.Var) -> None:
    strip, row, job = (hl.Var(name) for name in ("strip", "row", "job"))
    stage.split(y, strip, row, STRIP_ROWS, hl.TailStrategy.GuardWithIf).fuse(strip, n, job).parallel(job)
