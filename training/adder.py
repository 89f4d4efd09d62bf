"""The adder layer's arithmetic with its gradients, and what stands behind it: normalisation, residual and activation in one pass.

AdderNet (arXiv 1912.13200): an adder layer gives -sum |x - w|. Its weights learn from the full-precision difference x - w,
its input from clip(w - x, -1, 1) (`adder_sums`). Ours learns by sums that become an adder layer's over the run (`soft_sums`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.distributed
from torch import Tensor

from training import kernels_torch
from training.kernels import kernel_module

if TYPE_CHECKING:
    from types import ModuleType

GRADIENT_NORM = 5.0
"""The adaptive rate's denominator: dW is scaled to sqrt(k) / (5 ||dW||), that is eta = 0.2 (arXiv 1912.13200, eq. 12)."""


class AdderSums(torch.autograd.Function):
    """-sum |x - w| over zero-padded windows with AdderNet's gradients. Use through `adder_sums`."""

    @staticmethod
    def forward(ctx: Any, x_nchw: Tensor, weight_oihw: Tensor, adaptive: bool) -> Tensor:
        """See `adder_sums`."""
        ctx.save_for_backward(x_nchw, weight_oihw)
        ctx.adaptive = adaptive
        result: Tensor = kernels(x_nchw, weight_oihw).sums(x_nchw, weight_oihw)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Clipped by x; in full precision, and scaled where asked for, by w."""
        x, weight = ctx.saved_tensors
        kernel = kernels(x, weight)
        by_x = kernel.input_gradient(x, weight, gradient) if ctx.needs_input_grad[0] else None
        by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = kernel.weight_gradient(x, weight, gradient)
            if ctx.adaptive:
                by_weight = by_weight * (by_weight.numel() ** 0.5 / (GRADIENT_NORM * by_weight.norm().clamp_min(1e-12)))
        return by_x, by_weight, None


def adder_sums(x_nchw: Tensor, weight_oihw: Tensor, *, adaptive: bool = False) -> Tensor:
    """An adder layer's sums: (N, I, H, W) and (O, I, k, k) to (N, O, H, W), with AdderNet's gradients.

    With ``adaptive`` the weights' has the norm sqrt(k) / 5 whatever the loss, k being their number. The sums are as precise
    as the weights, whatever x is (mixed precision gives half-precision x).
    """
    result: Tensor = AdderSums.apply(x_nchw.to(weight_oihw.dtype), weight_oihw, adaptive)  # type: ignore[no-untyped-call]
    return result


class SoftSums(torch.autograd.Function):
    """-sum h(x - w) over zero-padded windows, h being |d| rounded off. Use through `soft_sums`."""

    @staticmethod
    def forward(ctx: Any, x_nchw: Tensor, weight_oihw: Tensor, reach: float, exact: bool) -> Tensor:
        """See `soft_sums`."""
        ctx.save_for_backward(x_nchw, weight_oihw)
        ctx.reach = reach
        kernel = kernels(x_nchw, weight_oihw)
        result: Tensor = kernel.sums(x_nchw, weight_oihw) if exact else kernel.soft_sums(x_nchw, weight_oihw, reach)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """clip(d / reach, -1, 1) by w, its opposite by x."""
        x, weight = ctx.saved_tensors
        kernel, reach = kernels(x, weight), ctx.reach
        by_x = kernel.input_gradient(x / reach, weight / reach, gradient) if ctx.needs_input_grad[0] else None
        by_weight = kernel.weight_gradient(x, weight, gradient, reach) / reach if ctx.needs_input_grad[1] else None
        return by_x, by_weight, None, None


def soft_sums(x_nchw: Tensor, weight_oihw: Tensor, reach: float, *, exact: bool = False) -> Tensor:
    """An adder layer's sums with |d| rounded off around 0: d^2 / (2 reach) within ``reach``, |d| - reach / 2 beyond; see `adder_sums`.

    Its gradients are its own, no stand-ins. With a reach far above x and w it is a convolution, w / reach its kernel, less what all outputs
    share; near 0 it is an adder layer. ``exact`` gives the adder layer's sums themselves, with the gradients of the rounded-off ones.
    """
    result: Tensor = SoftSums.apply(x_nchw.to(weight_oihw.dtype), weight_oihw, reach, exact)  # type: ignore[no-untyped-call]
    return result


class Finish(torch.autograd.Function):
    """activation(gain * normalised(y) + bias + x). Use through `finish`."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, x: Tensor, gain: Tensor, bias: Tensor, slope: Tensor, mean: Tensor, inverse: Tensor, live: bool
    ) -> Tensor:
        """See `finish`; ``inverse`` is 1 / sqrt(variance + epsilon)."""
        multiplier = (gain.double() * inverse).to(y.dtype)
        offset = (bias.double() - mean * multiplier).to(y.dtype)
        ctx.save_for_backward(y, x, multiplier, offset, slope, inverse, mean)
        ctx.live = live
        result: Tensor = _finish_kernels(y).finish(y, x, multiplier, offset, slope)
        return result

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        """Batch normalisation's gradients, arranged so that the two big arrays are made in one pass."""
        y, x, multiplier, offset, slope, inverse, mean = ctx.saved_tensors
        kernel, affine = _finish_kernels(y), (multiplier, offset, slope)
        total, centred, by_slope = kernel.finish_sums(incoming, y, x, affine, mean.to(y.dtype))
        by_gain, scale = centred * inverse, multiplier.double()
        mixing = [scale, torch.zeros_like(scale), torch.zeros_like(scale)]
        if ctx.live:
            shared = torch.stack([total, by_gain])
            count = reduce_sum(shared) * y.numel() // y.shape[1]
            steepness = scale * inverse * shared[1] / count
            mixing = [scale, steepness * mean - scale * shared[0] / count, -steepness]
        by_y, by_x = kernel.finish_gradients(incoming, y, x, affine, tuple(t.to(y.dtype) for t in mixing))
        small = [t.to(y.dtype) for t in (by_gain, total, by_slope)]
        return by_y, by_x, *small, None, None, None


def finish(
    y_nchw: Tensor,
    x_nchw: Tensor,
    gain: Tensor,
    bias: Tensor,
    slope: Tensor,
    statistics: tuple[Tensor, Tensor],
    *,
    live: bool,
    epsilon: float,
) -> Tensor:
    """activation(gain * (y - mean) / sqrt(variance + epsilon) + bias + x), all but y and x (C,); what is negative times ``slope``.

    ``statistics`` are mean and variance in float64; ``live`` says that they are those of y's batch, so gradients flow through
    them too (over all processes' batches under torch.distributed).
    """
    mean, variance = statistics
    inverse = torch.rsqrt(variance + epsilon)
    result: Tensor = Finish.apply(y_nchw, x_nchw.to(y_nchw.dtype), gain, bias, slope, mean, inverse, live)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def moments(y_nchw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel over the batch, of all processes under torch.distributed; float64 (C,)."""
    mean, variance = _finish_kernels(y_nchw).moments(y_nchw)
    shared = torch.stack([mean, variance + mean * mean])
    processes = reduce_sum(shared)
    if processes == 1:
        return mean, variance
    mean = shared[0] / processes
    return mean, (shared[1] / processes - mean * mean).clamp_min(0)


def reduce_sum(tensor: Tensor) -> int:
    """Add ``tensor`` up over all processes, in place; returns their number. Does nothing outside torch.distributed."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return 1
    torch.distributed.all_reduce(tensor)
    return torch.distributed.get_world_size()


def kernels(x_nchw: Tensor, weight_oihw: Tensor) -> ModuleType:
    """The fastest module of kernels that takes these tensors."""
    found = kernel_module("training.kernels_triton" if x_nchw.is_cuda else "training.kernels_halide")
    return found if found is not None and found.supports(x_nchw, weight_oihw) else kernels_torch


def _finish_kernels(y_nchw: Tensor) -> ModuleType:
    found = None if y_nchw.is_cuda else kernel_module("training.kernels_finish")
    return found if found is not None and found.supports(y_nchw) else kernels_torch
