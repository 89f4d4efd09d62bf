"""The activations behind body layers. PReLU's gradient is our own on the CPU: torch 2.13's takes longer there than the convolution's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from training.kernels import kernel_module

if TYPE_CHECKING:
    from types import ModuleType


class PReLU(nn.PReLU):
    """torch's PReLU, a slope a channel, of (N, C, H, W): the same numbers and the same gradients, sooner.

    Slopes and their gradients stay as precise as they are, whatever x is.
    """

    def forward(self, x_nchw: Tensor) -> Tensor:
        """See the class."""
        return prelu(x_nchw, self.weight)


def prelu(x_nchw: Tensor, slope: Tensor) -> Tensor:
    """What `PReLU` computes, with slopes (C,) that need not be parameters."""
    if x_nchw.device.type != "cpu":
        return torch.prelu(x_nchw, slope)
    y_nchw: Tensor = _PReLU.apply(x_nchw, slope)  # type: ignore[no-untyped-call]
    return y_nchw


class _PReLU(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x_nchw: Tensor, slope: Tensor) -> Tensor:
        context.save_for_backward(x_nchw, slope)
        kernels = _kernels(x_nchw)
        result: Tensor = torch.prelu(x_nchw, slope.to(x_nchw.dtype)) if kernels is None else kernels.prelu(x_nchw, slope)
        return result

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x_nchw, slope = context.saved_tensors
        kernels = _kernels(x_nchw)
        if kernels is not None:
            by_x, by_slope = kernels.prelu_gradients(gradient, x_nchw, slope)
            return by_x, by_slope
        above = torch.ops.aten.threshold_backward(gradient, x_nchw, 0.0)
        below = gradient - above
        return torch.addcmul(above, below, slope.to(x_nchw.dtype)[:, None, None]), (below * x_nchw).sum((0, 2, 3)).to(slope.dtype)


def _kernels(x_nchw: Tensor) -> ModuleType | None:
    """The module of kernels that takes this; None where there is none, or no Halide."""
    found = kernel_module("training.kernels_activation")
    return found if found is not None and found.supports(x_nchw) else None
