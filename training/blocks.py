"""The collapsible linear block: trained wide, run narrow.

A k x k convolution to ``expansion`` channels followed by a 1 x 1 convolution (SESR, arXiv 2103.09404, section 3.1) has
nothing non-linear inside, so both together are one k x k convolution. Training updates the wide weights; what runs, and
what ships, is the narrow kernel.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Form = Literal["collapsed", "expanded"]


class CollapsibleLinear(nn.Module):
    """A linear block of ``outputs`` channels over ``inputs``; with ``identity`` its input is added to its output.

    ``collapsed`` collapses the weights at every step and runs one small convolution; ``expanded`` runs the two
    convolutions as written. Outputs and gradients are the same, to rounding.

    Inner bias: a constant added before a 1 x 1 convolution is a constant after it, padding or not, so it collapses
    exactly into the output's bias.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, *, identity: bool, form: Form = "collapsed") -> None:
        super().__init__()
        if identity and inputs != outputs:
            raise ValueError(f"an identity needs as many outputs as inputs, not {inputs} and {outputs}")
        if kernel % 2 == 0:
            raise ValueError(f"the kernel must be odd to keep the picture's size, not {kernel}")
        self.identity = identity
        self.form = form
        self.expand = nn.Conv2d(inputs, expansion, kernel, padding=kernel // 2)
        self.project = nn.Conv2d(expansion, outputs, 1)
        nn.init.zeros_(_bias(self.expand))
        nn.init.zeros_(_bias(self.project))

    def collapse(self) -> tuple[Tensor, Tensor]:
        """The one kernel (OIHW) and bias (O,) that do what the block does, identity included; differentiable."""
        wide, narrow = self.expand.weight, self.project.weight.flatten(1)
        kernel = (narrow @ wide.flatten(1)).view(-1, *wide.shape[1:])
        bias = narrow @ _bias(self.expand) + _bias(self.project)
        return (kernel + identity_kernel(kernel)) if self.identity else kernel, bias

    def forward(self, x_nchw: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W), zero-padded."""
        if self.form == "expanded":
            y_nchw: Tensor = self.project(self.expand(x_nchw))
            return y_nchw + x_nchw if self.identity else y_nchw
        kernel, bias = self.collapse()
        return functional.conv2d(channels_last(x_nchw), channels_last(kernel), bias, padding=kernel.shape[-1] // 2)

    @torch.no_grad()
    def re_expand(self, kernel_oihw: Tensor, bias: Tensor) -> None:
        """Set the wide weights so that the block collapses to ``kernel_oihw`` and ``bias``, exactly up to rounding.

        The projection W2 stays as initialised and R is the present wide kernel: W1 = R - W2+ (W2 R - (K - I)) is the
        wide kernel nearest to R that gives K. Solved in float64.
        """
        target = kernel_oihw - identity_kernel(kernel_oihw) if self.identity else kernel_oihw
        narrow, wide = self.project.weight.flatten(1).double(), self.expand.weight.flatten(1).double()
        excess = narrow @ wide - target.flatten(1).double()
        corrected = wide - torch.linalg.pinv(narrow) @ excess
        self.expand.weight.copy_(corrected.view_as(self.expand.weight))
        _bias(self.expand).zero_()
        _bias(self.project).copy_(bias)


def identity_kernel(like_oihw: Tensor) -> Tensor:
    """The kernel, shaped, typed and placed as ``like_oihw``, that returns its input unchanged."""
    kernel = torch.zeros_like(like_oihw)
    centre = like_oihw.shape[-1] // 2
    channels = torch.arange(like_oihw.shape[0], device=like_oihw.device)
    kernel[channels, channels, centre, centre] = 1
    return kernel


def channels_last(x_nchw: Tensor) -> Tensor:
    """The same tensor laid out NHWC in memory: with few channels, convolutions on a CPU train nearly twice as fast so."""
    return x_nchw.contiguous(memory_format=torch.channels_last)


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
