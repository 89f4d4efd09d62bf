"""The adder layer's sums and their gradient on CUDA, in Triton. What stands behind the sums runs in plain torch there.

Tensors are float32 (N, C, H, W). A program computes a block of pixels for a block of channels, its sums in registers, and runs
through the taps; nothing is broadcast in memory.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from training import kernels_torch

PIXELS = 128
CHANNELS = 16

weight_gradient = kernels_torch.weight_gradient  # cuDNN's where nothing is clipped


def supports(x_nchw: Tensor, weight_oihw: Tensor) -> bool:
    """Whether these kernels take the tensors: float32 on CUDA, 3x3 taps."""
    return x_nchw.is_cuda and x_nchw.dtype == weight_oihw.dtype == torch.float32 and weight_oihw.shape[2:] == (3, 3)


def sums(x_nchw: Tensor, weight_oihw: Tensor) -> Tensor:
    """-sum |x - w| over each zero-padded 3x3 window: (N, I, H, W) and (O, I, 3, 3) to (N, O, H, W)."""
    x, weight = x_nchw.contiguous(), weight_oihw.contiguous()
    return _summed(x, weight, 0.0)


def soft_sums(x_nchw: Tensor, weight_oihw: Tensor, reach: float) -> Tensor:
    """`sums` with |d| rounded off within ``reach`` (`training.adder.soft_sums`)."""
    return _summed(x_nchw.contiguous(), weight_oihw.contiguous(), reach)


def _summed(x: Tensor, weight: Tensor, reach: float) -> Tensor:
    result = x.new_empty(x.shape[0], weight.shape[0], *x.shape[2:])
    _sums[_grid(result)](x, weight, result, reach, x.shape[1], weight.shape[0], x.shape[2], x.shape[3], PIXELS, CHANNELS, reach > 0)
    return result


def input_gradient(x_nchw: Tensor, weight_oihw: Tensor, gradient_nchw: Tensor) -> Tensor:
    """The clipped gradient of `sums` by x: sum over windows of clip(w - x, -1, 1) g (AdderNet, arXiv 1912.13200, eq. 6)."""
    x, weight, gradient = x_nchw.contiguous(), weight_oihw.contiguous(), gradient_nchw.contiguous()
    result = torch.empty_like(x)
    inputs, outputs = x.shape[1], weight.shape[0]
    _input_gradient[_grid(result)](x, weight, gradient, result, inputs, outputs, x.shape[2], x.shape[3], PIXELS, CHANNELS)
    return result


def _grid(result: Tensor) -> tuple[int, int, int]:
    """Blocks of pixels, blocks of channels, pictures."""
    batch, channels, height, width = result.shape
    return triton.cdiv(height * width, PIXELS), triton.cdiv(channels, CHANNELS), batch


@triton.jit  # type: ignore[untyped-decorator]
def _sums(  # type: ignore[no-untyped-def]  # noqa: ANN202
    x,  # noqa: ANN001
    w,  # noqa: ANN001
    y,  # noqa: ANN001
    reach,  # noqa: ANN001
    inputs,  # noqa: ANN001
    outputs,  # noqa: ANN001
    height,  # noqa: ANN001
    width,  # noqa: ANN001
    pixels: tl.constexpr,
    channels: tl.constexpr,
    soft: tl.constexpr,
):
    pixel = tl.program_id(0) * pixels + tl.arange(0, pixels)
    output = tl.program_id(1) * channels + tl.arange(0, channels)
    picture = tl.program_id(2).to(tl.int64)
    row, column = pixel // width, pixel % width
    inside = pixel < height * width
    total = tl.zeros((channels, pixels), tl.float32)
    for i in range(inputs):
        plane = x + (picture * inputs + i) * height * width
        for tap in tl.static_range(9):
            at_row, at_column = row + tap // 3 - 1, column + tap % 3 - 1
            there = inside & (at_row >= 0) & (at_row < height) & (at_column >= 0) & (at_column < width)
            value = tl.load(plane + at_row * width + at_column, there, 0.0)
            weight = tl.load(w + (output * inputs + i) * 9 + tap, output < outputs, 0.0)
            difference = value[None, :] - weight[:, None]
            if soft:
                near = tl.minimum(tl.maximum(difference, -reach), reach)
                total -= near * (2 * difference - near)
            else:
                total -= tl.abs(difference)
    if soft:
        total /= 2 * reach
    place = (picture * outputs + output[:, None]) * height * width + pixel[None, :]
    tl.store(y + place, total, inside[None, :] & (output < outputs)[:, None])


@triton.jit  # type: ignore[untyped-decorator]
def _input_gradient(  # type: ignore[no-untyped-def]  # noqa: ANN202
    x,  # noqa: ANN001
    w,  # noqa: ANN001
    g,  # noqa: ANN001
    result,  # noqa: ANN001
    inputs,  # noqa: ANN001
    outputs,  # noqa: ANN001
    height,  # noqa: ANN001
    width,  # noqa: ANN001
    pixels: tl.constexpr,
    channels: tl.constexpr,
):
    pixel = tl.program_id(0) * pixels + tl.arange(0, pixels)
    channel = tl.program_id(1) * channels + tl.arange(0, channels)
    picture = tl.program_id(2).to(tl.int64)
    row, column = pixel // width, pixel % width
    inside = pixel < height * width
    mask = inside[None, :] & (channel < inputs)[:, None]
    place = (picture * inputs + channel[:, None]) * height * width + pixel[None, :]
    value = tl.load(x + place, mask, 0.0)
    total = tl.zeros((channels, pixels), tl.float32)
    for o in range(outputs):
        plane = g + (picture * outputs + o) * height * width
        for tap in tl.static_range(9):
            at_row, at_column = row + 1 - tap // 3, column + 1 - tap % 3
            there = inside & (at_row >= 0) & (at_row < height) & (at_column >= 0) & (at_column < width)
            incoming = tl.load(plane + at_row * width + at_column, there, 0.0)
            weight = tl.load(w + (o * inputs + channel) * 9 + tap, channel < inputs, 0.0)
            slope = tl.minimum(tl.maximum(weight[:, None] - value, -1.0), 1.0)
            total += slope * incoming[None, :]
    tl.store(result + place, total, mask)
