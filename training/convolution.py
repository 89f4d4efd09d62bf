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

    Laid out NHWC in memory on the way: with few channels, convolutions on a CPU train nearly twice as fast so.
    """
    x, kernel = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x_nchw, kernel_oihw))
    if x.device.type != "cpu":
        return functional.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)
    y_nchw: Tensor = _Convolution.apply(x, kernel, bias)  # type: ignore[no-untyped-call]
    return y_nchw


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        context.save_for_backward(x, kernel)
        return functional.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, kernel = context.saved_tensors
        by_x, by_kernel, by_bias = context.needs_input_grad
        side = kernel.shape[-1]
        kernels = _kernels(x, gradient)
        wanted = [by_x, by_kernel and kernels is None, False]  # with a bias wanted, torch would compute the kernel's as well
        geometry = [1, 1], [side // 2, side // 2], [1, 1], False, [0, 0], 1
        gradients = torch.ops.aten.convolution_backward(gradient, x, kernel, None, *geometry, wanted)
        ours = kernels.correlation(x, gradient, side) if by_kernel and kernels is not None else gradients[1]
        return gradients[0], ours, gradient.sum((0, 2, 3)) if by_bias else None


def _kernels(x: Tensor, gradient: Tensor) -> ModuleType | None:
    """The module of kernels that takes these tensors; None where there is none, or no Halide."""
    found = kernel_module("training.kernels_correlation")
    return found if found is not None and found.supports(x, gradient) else None
