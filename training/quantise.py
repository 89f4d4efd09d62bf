"""Quantisation-aware training: a network that already rounds as its integer form will, and learns to live with it.

`FakeQuantised` runs a network in float with every weight and activation on the codes of `engine.integer`, so what it
computes is what `engine.quantise.integerise` makes of it, up to the rounding of fixed-point multipliers. Rounding passes gradients
straight through; each activation's range is learned and can grow (what is clipped pulls its end outwards) as well as shrink (the
rounding error inside pushes the step smaller, as in LSQ, arXiv 1902.08153).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.integer import CODE_MAX, INPUT_STEPS, SLOPE_MAX, SLOPE_ONE
from engine.quantise import SMALLEST_RANGE, WEIGHT_MAX, Range, Ranges, integerise
from training.activation import prelu
from training.adder import finish
from training.blocks import AdderBlock, CollapsibleLinear, identity_kernel
from training.convolution import convolve
from training.kernels import kernel_module
from training.network import FloatNetwork, Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray

RANGE_PARTS = tuple(1 - step / 20 for step in range(18))
"""What parts of the range that activations take are tried as their codes' range."""


class FakeQuantised(Network):
    """A network, trained further with its weights and activations on 8-bit codes.

    ``weights``: convolution kernels are rounded to ±127 codes with one scale an output channel (the identity stays outside), an
    adder layer's to its input's codes. ``activations``: the first layer's and every body layer's output is rounded to 256 codes of
    a learned range, and the input luma to 1/1024; PReLU takes rounded codes, and slopes that are not below 1 count as just below.
    Normalisation is frozen. The ranges start from ``batches`` (luma, N x 1 x H x W), or from the first batch that is trained on.

    Raises ValueError for expanded blocks with ``weights``: they have no kernel to quantise.
    """

    known: Tensor

    def __init__(self, network: FloatNetwork, *, weights: bool = True, activations: bool = True, batches: Iterable[Tensor] = ()) -> None:
        super().__init__()
        if weights and network.first.form == "expanded":
            raise ValueError("expanded blocks have no kernel to quantise: train the collapsed form")
        self.spec = network.spec
        self.network = network
        self.weights = weights
        self.activations = activations
        self.lows = nn.Parameter(-torch.ones(1 + network.spec.m * (network.spec.activation == "prelu")))
        self.highs = nn.Parameter(torch.ones(network.spec.m + 1))
        self.register_buffer("known", torch.tensor(0.0))
        for block in network.body:
            if isinstance(block, AdderBlock):
                block.frozen = True
        for batch in batches:
            self.observe(batch)

    def forward(self, y_n1hw: Tensor) -> Tensor:
        """Luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W), not clipped."""
        if self.training and self.activations and not self.known:
            self.observe(y_n1hw)
        scale, zero = self._step(0)
        x = head = self._on_codes(self._head(y_n1hw), scale, zero)
        for index, block in enumerate(self.network.body):
            before = self._layer(block, x, scale, zero)
            scale, zero = self._step(index + 1)
            x = self._activated(index, before, scale, zero)
        return self.network.picture(self._convolve(self.network.last, x + head), y_n1hw)

    @torch.no_grad()
    def observe(self, y_n1hw: Tensor) -> None:
        """Widen the ranges to those that serve the float network best with this luma; the first time, set them."""
        maps = self.network.eval().features(y_n1hw)
        self.network.train(self.training)
        ranges = [serving_range(features) for features in maps]
        highs = torch.stack([high for _, high in ranges])
        lows = torch.stack([low for low, _ in ranges[: len(self.lows)]])
        self.highs.copy_(torch.maximum(self.highs, highs) if self.known else highs)
        self.lows.copy_(torch.minimum(self.lows, lows) if self.known else lows)
        self.known.fill_(1)

    def ranges(self) -> Ranges:
        """The learned ranges, as the integer form takes them."""
        highs = self.highs.detach().double().clamp_min(0).tolist()
        lows = self.lows.detach().double().clamp_max(0).tolist()
        lows += [0.0] * (len(highs) - len(lows))
        first, *body = (Range(low, high) for low, high in zip(lows, highs, strict=True))
        return Ranges(first, tuple(body))

    def collapse(self) -> dict[str, NDArray[np.float32]]:
        """See `Network.collapse`: the weights before rounding."""
        return self.network.collapse()

    def int8(self) -> dict[str, NDArray[Any]]:
        """See `Network.int8`: what this network computes, in integers. Empty unless weights and activations are both quantised."""
        return integerise(self.spec, self.collapse(), self.ranges()) if self.weights and self.activations else {}

    def progress(self, done: float) -> None:
        """See `Network.progress`."""
        self.network.progress(done)

    def load_collapsed(self, tensors: Mapping[str, NDArray[np.float32]], *, body: bool = True, last: bool = True) -> None:
        """See `Network.load_collapsed`. The ranges stay as they are."""
        self.network.load_collapsed(tensors, body=body, last=last)

    def _head(self, y_n1hw: Tensor) -> Tensor:
        centred = torch.floor(y_n1hw * INPUT_STEPS + 0.5) / INPUT_STEPS - 0.5 if self.activations else y_n1hw - 0.5
        return self._convolve(self.network.first, centred)

    def _layer(self, block: nn.Module, x_nchw: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        """A body layer's output before it is rounded, with ReLU but before PReLU. ``x_nchw`` is on codes of ``scale``."""
        if isinstance(block, AdderBlock):
            kernel, excess = block.kernel(), torch.zeros(())
            if self.weights and self.activations:
                kernel, excess = on_input_codes(kernel, scale.detach(), zero.detach())
            sums = block.exact_sums(x_nchw, kernel) - excess.view(-1, 1, 1)
            statistics = block.running_mean.double(), block.running_variance.double()
            slope = (torch.ones_like if self.spec.activation == "prelu" else torch.zeros_like)(block.bias)
            return finish(sums, x_nchw, block.gain, block.bias, slope, statistics, live=False, epsilon=block.epsilon)
        assert isinstance(block, CollapsibleLinear)
        total = self._convolve(block, x_nchw) + x_nchw
        return functional.relu(total) if self.spec.activation == "relu" else total

    def _activated(self, index: int, x_nchw: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        """What `_layer` gives, on codes; PReLU's input is rounded too."""
        if self.spec.activation == "relu":
            return self._on_codes(x_nchw, scale, zero)
        slope = self.network.slopes()[index].clamp(-SLOPE_MAX / SLOPE_ONE, SLOPE_MAX / SLOPE_ONE)
        return on_codes(x_nchw, scale, zero, slope) if self.activations else prelu(x_nchw, slope)

    def _convolve(self, block: CollapsibleLinear, x_nchw: Tensor) -> Tensor:
        """The block without its identity, its kernel on codes."""
        kernel, bias = block.collapse()
        kernel = kernel - identity_kernel(kernel) if block.identity else kernel
        return convolve(x_nchw, on_symmetric_codes(kernel) if self.weights else kernel, bias)

    def _step(self, index: int) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the first layer's output (0) or a body layer's, as `engine.quantise.Range` has them; differentiable."""
        low = self.lows[index].clamp_max(0) if index < len(self.lows) else torch.zeros_like(self.highs[index])
        scale = (self.highs[index].clamp_min(0) - low).clamp_min(SMALLEST_RANGE) / CODE_MAX
        return scale, _straight_through(torch.floor(-low / scale + 0.5).clamp(0, CODE_MAX), -low / scale)

    def _on_codes(self, x_nchw: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        return on_codes(x_nchw, scale, zero) if self.activations else x_nchw


def serving_range(x: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high, of those that shorten x's own range at either end, whose 256 codes give x with the least squared error."""
    ends = [x.amin().clamp_max(0), x.amax().clamp_min(SMALLEST_RANGE)]
    for index, widest in ((1, ends[1]), (0, ends[0])):
        tried = [[widest * part if i == index else end for i, end in enumerate(ends)] for part in RANGE_PARTS]
        scales = [(high - low).clamp_min(SMALLEST_RANGE) / CODE_MAX for low, high in tried]
        zeros = [torch.floor(-low / scale + 0.5) for (low, _), scale in zip(tried, scales, strict=True)]
        errors = [(_codes(x / scale, zero).mul_(scale) - x).square_().mean() for scale, zero in zip(scales, zeros, strict=True)]
        ends = tried[int(torch.stack(errors).argmin())]
    return ends[0], ends[1]


class OnCodes(torch.autograd.Function):
    """Rounding to the codes 0 to 255 of a scale and zero point, PReLU before it. Use through `on_codes`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero: Tensor, slope: Tensor | None) -> Tensor:
        """See `on_codes`."""
        ctx.save_for_backward(x, scale, zero, slope)
        if (kernels := _kernels(x)) is not None:
            rounded: Tensor = kernels.on_codes(x, scale, zero, slope)
            return rounded
        _, value = _values(x, scale, slope)
        return _codes(value, zero).mul_(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """By x straight through inside the range; by scale LSQ's; by zero point what both ends move by; by slope PReLU's."""
        x, scale, zero, slope = ctx.saved_tensors
        if (kernels := _kernels(x)) is not None:
            by_x, by_scale, by_zero, by_slope = kernels.on_codes_gradients(gradient, x, scale, zero, slope)
            return by_x, by_scale, by_zero, None if slope is None else by_slope
        before, value = _values(x, scale, slope)
        inside = (value >= -zero - 0.5) & (value < CODE_MAX + 0.5 - zero)
        passed = gradient * inside
        by_scale = ((_codes(value, zero) - value * inside) * gradient).sum()
        by_zero = -scale * (gradient.sum() - passed.sum())
        if slope is None:
            return passed, by_scale, by_zero, None
        by_x = torch.where(before > 0, passed, passed * slope[:, None, None])
        return by_x, by_scale, by_zero, scale * (passed * before.clamp_max(0)).sum((0, 2, 3))


def on_codes(x: Tensor, scale: Tensor, zero: Tensor, slope: Tensor | None = None) -> Tensor:
    """Each value at its nearest code's: scale * (clamp(floor(x / scale + zero + 1/2), 0, 255) - zero); all differentiable.

    ``scale`` and ``zero`` (a whole number) are scalars. With ``slope`` (C,), what is so rounded is PReLU of x (N, C, H, W), which is itself
    rounded to whole scales before.
    """
    result: Tensor = OnCodes.apply(x, scale, zero, slope)  # type: ignore[no-untyped-call]
    return result


def on_symmetric_codes(kernel_oihw: Tensor) -> Tensor:
    """A kernel on the codes ±127 of one scale an output channel, its largest weight being 127; gradients pass straight through."""
    largest = kernel_oihw.detach().abs().amax((1, 2, 3), keepdim=True)
    scale = torch.where(largest > 0, largest, 1.0) / WEIGHT_MAX
    return _straight_through(torch.floor(kernel_oihw.detach() / scale + 0.5).clamp(-WEIGHT_MAX, WEIGHT_MAX) * scale, kernel_oihw)


def on_input_codes(kernel_oihw: Tensor, scale: Tensor, zero: Tensor) -> tuple[Tensor, Tensor]:
    """An adder kernel on its input's codes, and for each output the sum of what its weights exceed the input's range by.

    For x in the range, |x - w| = |x - clip(w)| + |w - clip(w)|, so clamping is exact once that sum is taken off. Gradients pass
    straight through to the kernel.
    """
    kernel = kernel_oihw.detach()
    inside = kernel.clamp(-zero * scale, (CODE_MAX - zero) * scale)
    return _straight_through(_codes(inside / scale, zero) * scale, kernel_oihw), (kernel - inside).abs().sum((1, 2, 3))


def _values(x: Tensor, scale: Tensor, slope: Tensor | None) -> tuple[Tensor, Tensor]:
    """In codes: x, rounded where PReLU follows, and what comes of it."""
    before = x / scale
    if slope is None:
        return before, before
    before = before.add_(0.5).floor_()
    return before, torch.where(before > 0, before, before * slope[:, None, None])


def _codes(value: Tensor, zero: Tensor) -> Tensor:
    """The nearest whole numbers from -zero to 255 - zero."""
    return torch.floor(value + 0.5).clamp_(-zero, CODE_MAX - zero)


def _kernels(x: Tensor) -> ModuleType | None:
    """The module of kernels that takes this; None where there is none, or no Halide."""
    found = kernel_module("training.kernels_codes")
    return found if found is not None and found.supports(x) else None


def _straight_through(value: Tensor, gradient_of: Tensor) -> Tensor:
    """``value``, whose gradient goes to ``gradient_of`` unchanged."""
    return gradient_of + (value - gradient_of).detach()
