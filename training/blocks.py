"""The blocks that networks are trained as: the collapsible linear block, wide in training and narrow after, and the adder block.

A k x k convolution to ``expansion`` channels followed by a 1 x 1 convolution (SESR, arXiv 2103.09404, section 3.1) has
nothing non-linear inside, so both together are one k x k convolution. Training updates the wide weights; what runs, and
what ships, is the narrow kernel.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from training.adder import adder_sums, finish, moments, soft_sums
from training.convolution import convolve

Form = Literal["collapsed", "expanded"]
SMALLEST_SIZE = 1e-4
"""The least unit of an adder kernel."""
FIRST_EXPANSION = 256
"""A kernel that is trained as it is starts as the collapse of a fresh block of that many channels: near the identity, and lively."""


class CollapsibleLinear(nn.Module):
    """A linear block of ``outputs`` channels over ``inputs``; with ``identity`` its input is added to its output.

    ``collapsed`` collapses the weights at every step and runs one small convolution; ``expanded`` runs the two
    convolutions as written. Outputs and gradients are the same, to rounding.

    Inner bias: a constant added before a 1 x 1 convolution is a constant after it, padding or not, so it collapses
    exactly into the output's bias.

    With an ``expansion`` of 0 the kernel itself is what is trained. Being wide helps Adam, which takes each weight by itself; an
    optimiser that sees a kernel as the matrix that it is does better without (`training.soap`).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, *, identity: bool, form: Form = "collapsed") -> None:
        super().__init__()
        if identity and inputs != outputs:
            raise ValueError(f"an identity needs as many outputs as inputs, not {inputs} and {outputs}")
        if kernel % 2 == 0:
            raise ValueError(f"the kernel must be odd to keep the picture's size, not {kernel}")
        if form == "expanded" and not expansion:
            raise ValueError("a block without an expansion has no expanded form")
        self.identity = identity
        self.form = form
        self.plain = self.bias = None
        expand = nn.Conv2d(inputs, expansion or FIRST_EXPANSION, kernel, padding=kernel // 2)
        project = nn.Conv2d(expansion or FIRST_EXPANSION, outputs, 1)
        if not expansion:
            self.plain = nn.Parameter(collapse_kernel(expand.weight, project.weight).detach())
            self.bias = nn.Parameter(torch.zeros(outputs))
            return
        self.expand, self.project = expand, project
        nn.init.zeros_(_bias(self.expand))
        nn.init.zeros_(_bias(self.project))

    def collapse(self) -> tuple[Tensor, Tensor]:
        """The one kernel (OIHW) and bias (O,) that do what the block does, identity included; differentiable."""
        kernel, bias = self._weights()
        return (kernel + identity_kernel(kernel)) if self.identity else kernel, bias

    def forward(self, x_nchw: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W), zero-padded."""
        if self.form == "expanded":
            y_nchw: Tensor = self.project(self.expand(x_nchw))
            return y_nchw + x_nchw if self.identity else y_nchw
        kernel, bias = self.collapse()
        return convolve(x_nchw, kernel, bias)

    @torch.no_grad()
    def load_collapsed(self, kernel_oihw: Tensor, bias: Tensor) -> None:
        """Set the weights so that the block collapses to ``kernel_oihw`` and ``bias``, exactly up to rounding.

        See `re_expand_kernel`.
        """
        target = kernel_oihw - identity_kernel(kernel_oihw) if self.identity else kernel_oihw
        if self.plain is not None and self.bias is not None:
            self.plain.copy_(target)
            self.bias.copy_(bias)
            return
        self.expand.weight.copy_(re_expand_kernel(target, self.expand.weight, self.project.weight))
        _bias(self.expand).zero_()
        _bias(self.project).copy_(bias)

    def _weights(self) -> tuple[Tensor, Tensor]:
        """Kernel and bias without the identity."""
        if self.plain is not None and self.bias is not None:
            return self.plain, self.bias
        bias = self.project.weight.flatten(1) @ _bias(self.expand) + _bias(self.project)
        return collapse_kernel(self.expand.weight, self.project.weight), bias


class AdderBlock(nn.Module):
    """A 3 x 3 adder layer with normalisation, residual and activation: activation(gain * normalised(-sum |x - w|) + bias + x).

    The kernel w is W2 W1 of a collapsible block of ``expansion`` channels, or with ``expansion`` None a plain parameter; the
    identity stays outside. ``adaptive`` scales the kernel's gradient as the paper does. Gains start at ``gain``, small, so that
    each block starts near the identity; kernels start normal with the standard deviation ``size``.

    ``size`` is the unit in which the kernel is a parameter, to be the standard deviation of the layer's input: what a kernel does depends
    on which side of its inputs it lies, so that is what an optimiser's step should be measured by. While training, normalisation uses the
    batch's statistics and averages them for later, unless it is ``frozen``, and differences are rounded off within ``reach`` sizes
    (`training.adder.soft_sums`); at 0 they are not, and learn as AdderNet's do.
    """

    size: Tensor
    running_mean: Tensor
    running_variance: Tensor

    def __init__(
        self,
        channels: int,
        expansion: int | None,
        *,
        adaptive: bool = False,
        gain: float = 0.1,
        size: float = 0.1,
    ) -> None:
        super().__init__()
        self.adaptive = adaptive
        self.reach = 0.0
        self.frozen = False
        self.momentum = 0.1
        self.epsilon = 1e-5
        self.plain = None if expansion else nn.Parameter(torch.empty(channels, channels, 3, 3))
        if expansion:
            self.expand = nn.Conv2d(channels, expansion, 3, bias=False)
            self.project = nn.Conv2d(expansion, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.full((channels,), gain))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("size", torch.tensor(size))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self.set_kernel(torch.randn(channels, channels, 3, 3) * size)

    def kernel(self) -> Tensor:
        """The collapsed kernel, OIHW; differentiable."""
        return self.size * (self.plain if self.plain is not None else collapse_kernel(self.expand.weight, self.project.weight))

    def kernel_parameters(self) -> list[Tensor]:
        """What the kernel is made of."""
        return [self.plain] if self.plain is not None else [self.expand.weight, self.project.weight]

    @torch.no_grad()
    def set_kernel(self, kernel_oihw: Tensor) -> None:
        """Make ``kernel_oihw`` the kernel, by exact re-expansion where the block is wide."""
        parameter = kernel_oihw / self.size
        if self.plain is not None:
            self.plain.copy_(parameter)
        else:
            self.expand.weight.copy_(re_expand_kernel(parameter, self.expand.weight, self.project.weight))

    @torch.no_grad()
    def set_size(self, size: Tensor) -> None:
        """Change the kernel's unit, not the kernel. Inputs that are all alike have no deviation to measure by: then `SMALLEST_SIZE`."""
        kernel = self.kernel()
        self.size.copy_(size.clamp_min(SMALLEST_SIZE))
        self.set_kernel(kernel)

    def forward(self, x_nchw: Tensor, slope: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape; ``slope`` (C,) is the activation's where it is negative, 0 for ReLU."""
        live = self.training and not self.frozen
        y = self.sums(x_nchw)
        statistics = self._observe(y) if live else (self.running_mean.double(), self.running_variance.double())
        return finish(y, x_nchw, self.gain, self.bias, slope, statistics, live=live, epsilon=self.epsilon)

    def sums(self, x_nchw: Tensor) -> Tensor:
        """-sum |x - w|, before the normalisation; rounded off while training."""
        if self.training and self.reach:
            return soft_sums(x_nchw, self.kernel(), self.reach * float(self.size))
        return self.exact_sums(x_nchw, self.kernel())

    def exact_sums(self, x_nchw: Tensor, kernel_oihw: Tensor) -> Tensor:
        """-sum |x - w| of a kernel, with the gradients that the block has while training."""
        if self.reach:
            return soft_sums(x_nchw, kernel_oihw, self.reach * float(self.size), exact=True)
        return adder_sums(x_nchw, kernel_oihw, adaptive=self.adaptive)

    def _observe(self, y_nchw: Tensor) -> tuple[Tensor, Tensor]:
        """The batch's statistics, also taken into the running ones."""
        mean, variance = moments(y_nchw)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_variance.lerp_(variance.to(self.running_variance.dtype), self.momentum)
        return mean, variance

    def collapse(self) -> tuple[Tensor, Tensor, Tensor]:
        """Kernel (OIHW), multiplier and bias (O,), with the normalisation folded in: multiplier * -sum |x - w| + bias."""
        multiplier = self.gain * torch.rsqrt(self.running_variance + self.epsilon)
        return self.kernel(), multiplier, self.bias - self.running_mean * multiplier

    @torch.no_grad()
    def load_collapsed(self, kernel_oihw: Tensor, multiplier: Tensor, bias: Tensor) -> None:
        """Become a layer that was collapsed. Its statistics are not known, so that of mean 0 and variance 1 - epsilon are set.

        Recompute them before training (`training.network.recompute_statistics` with ``keep``).
        """
        self.set_kernel(kernel_oihw)
        self.gain.copy_(multiplier)
        self.bias.copy_(bias)
        self.running_mean.zero_()
        self.running_variance.fill_(1 - self.epsilon)

    @torch.no_grad()
    def set_statistics(self, mean: Tensor, variance: Tensor, *, keep: bool) -> None:
        """Replace the running statistics; with ``keep``, change gain and bias so that the collapsed layer stays what it was."""
        if keep:
            _, multiplier, bias = self.collapse()
            self.gain.copy_(multiplier * torch.sqrt(variance + self.epsilon))
            self.bias.copy_(bias + mean * multiplier)
        self.running_mean.copy_(mean)
        self.running_variance.copy_(variance)


def collapse_kernel(wide_pikk: Tensor, narrow_op11: Tensor) -> Tensor:
    """W2 W1: the kernel (O, I, k, k) of a k x k convolution followed by a 1 x 1 convolution."""
    return (narrow_op11.flatten(1) @ wide_pikk.flatten(1)).view(-1, *wide_pikk.shape[1:])


def re_expand_kernel(kernel_oihw: Tensor, wide_pikk: Tensor, narrow_op11: Tensor) -> Tensor:
    """The wide kernel nearest to ``wide_pikk`` that ``narrow_op11`` projects to ``kernel_oihw``, exactly up to rounding.

    R - W2+ (W2 R - K), with R the present wide kernel; solved in float64.
    """
    narrow, wide = narrow_op11.flatten(1).double(), wide_pikk.flatten(1).double()
    if torch.linalg.matrix_rank(narrow) < narrow.shape[0]:
        raise ValueError(f"an expansion of {narrow.shape[1]} channels cannot hold a kernel of {narrow.shape[0]} outputs")
    excess = narrow @ wide - kernel_oihw.flatten(1).double()
    corrected: Tensor = wide - torch.linalg.pinv(narrow) @ excess
    return corrected.view_as(wide_pikk)


def identity_kernel(like_oihw: Tensor) -> Tensor:
    """The kernel, shaped, typed and placed as ``like_oihw``, that returns its input unchanged."""
    kernel = torch.zeros_like(like_oihw)
    centre = like_oihw.shape[-1] // 2
    channels = torch.arange(like_oihw.shape[0], device=like_oihw.device)
    kernel[channels, channels, centre, centre] = 1
    return kernel


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
