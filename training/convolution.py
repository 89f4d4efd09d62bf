"""The small convolution that a linear block is: torch's, with a weight gradient of our own where that is faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from training.kernels import kernel_module

if TYPE_CHECKING:
    from types import ModuleType


def convolve(x_nchw: Tensor, kernel_oihw: Tensor, bias: Tensor) -> Tensor:
    """(N, I, H, W), an odd (O, I, k, k) and (O,) to the zero-padded convolution (N, O, H, W), and all gradients.

    Laid out NHWC in memory on the way: with few channels, convolutions on a CPU train nearly twice as fast so. Under autocast
    (`training.loop.precision`) what goes in and comes out is bfloat16, sums are float32, and the kernel's gradient is rounded to bfloat16.
    """
    kernel = kernel_oihw.contiguous(memory_format=torch.channels_last)
    if x_nchw.device.type != "cpu":
        return functional.conv2d(x_nchw.contiguous(memory_format=torch.channels_last), kernel, bias, padding=kernel.shape[-1] // 2)
    if torch.is_autocast_enabled("cpu"):
        x_nchw = x_nchw.to(torch.get_autocast_dtype("cpu"))
    y_nchw: Tensor = _Convolution.apply(_channels_last(x_nchw), kernel, bias)  # type: ignore[no-untyped-call]
    return y_nchw


def _channels_last(x_nchw: Tensor) -> Tensor:
    """The tensor laid out NHWC, and seen to be so: of one channel torch takes either layout for the other, and computes in the slow one."""
    if x_nchw.shape[1] == 1:
        return x_nchw.reshape(x_nchw.shape[0], *x_nchw.shape[2:], 1).permute(0, 3, 1, 2)
    return x_nchw.contiguous(memory_format=torch.channels_last)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        kernel = kernel.to(x.dtype)
        context.save_for_backward(x, kernel)
        context.kept = bias.dtype
        return functional.conv2d(x, kernel, bias.to(x.dtype), padding=kernel.shape[-1] // 2)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, kernel = context.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        by_x, by_kernel, by_bias = context.needs_input_grad
        side = kernel.shape[-1]
        kernels = _kernels(x, gradient) if by_kernel else None
        theirs = kernels is None  # with a bias wanted, torch would compute the kernel's gradient as well
        wanted = [by_x, by_kernel and theirs, by_bias and theirs]
        geometry = [1, 1], [side // 2, side // 2], [1, 1], False, [0, 0], 1
        gradients = torch.ops.aten.convolution_backward(gradient, x, kernel, list(gradient.shape[1:2]), *geometry, wanted)
        if kernels is not None:
            return gradients[0], kernels.correlation(x, gradient, side), gradient.sum((0, 2, 3)) if by_bias else None
        return gradients[0], *(None if part is None else part.to(context.kept) for part in gradients[1:])


def _kernels(x: Tensor, gradient: Tensor) -> ModuleType | None:
    """The module of kernels that takes these tensors; None where there is none, or no Halide."""
    found = kernel_module("training.kernels_correlation")
    return found if found is not None and found.supports(x, gradient) else None
