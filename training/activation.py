"""The activations behind body layers. PReLU's gradient is our own on the CPU: torch 2.13's takes longer there than the convolution's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PReLU(nn.PReLU):
    """torch's PReLU, a slope a channel, of (N, C, H, W): the same numbers and the same gradients, the latter sooner."""

    def forward(self, x_nchw: Tensor) -> Tensor:
        """See the class."""
        if x_nchw.device.type != "cpu":
            return super().forward(x_nchw)
        y_nchw: Tensor = _PReLU.apply(x_nchw, self.weight)  # type: ignore[no-untyped-call]
        return y_nchw


class _PReLU(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x_nchw: Tensor, slope: Tensor) -> Tensor:
        context.save_for_backward(x_nchw, slope)
        return torch.prelu(x_nchw, slope)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x_nchw, slope = context.saved_tensors
        above = torch.ops.aten.threshold_backward(gradient, x_nchw, 0.0)
        below = gradient - above
        return torch.addcmul(above, below, slope[:, None, None]), (below * x_nchw).sum((0, 2, 3))
