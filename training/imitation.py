"""A good start for an adder network: each adder layer learns to give what its convolution twin's layer gives.

While differences are rounded off far away (`training.adder.soft_sums`), an adder layer is a convolution less a sum of squares, so it takes
over its twin's kernel (`resemble`). To make up for the squares, every layer then sees the twin's feature maps and is asked for the twin's
next ones: all learn at once, each by itself, before the network is trained as a whole.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.adder import moments
from training.blocks import AdderBlock, CollapsibleLinear, identity_kernel
from training.optimiser import make_optimiser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from training.network import SESR, AdderSESR, FloatNetwork

KERNEL_SIZE = 3.0
"""A kernel's mean magnitude to begin with, in standard deviations of the layer's input. The larger, the smaller the sum of squares beside
the convolution, but weights that lie far outside their inputs are all the same to an adder layer."""


def imitate(network: AdderSESR, twin: SESR, batches: Iterable[Tensor], *, steps: int, rate: float) -> Iterator[float]:
    """Train the body layers of ``network`` to give ``twin``'s feature maps for ``steps`` batches, the rate falling to 0 by a cosine.

    Batches are luma (N, 1, H, W); from the first the layers are made to resemble the twin's. The differences' reach is the network's first.
    Gives each step's loss, the mean over layers of `imitation_losses`. The two 5x5 layers are left as they are: load the twin's first
    (`Network.load_collapsed`).
    """
    twin.eval()
    network.progress(0)
    optimiser = make_optimiser("adam", nn.ModuleList([network.body, network.activations]), rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * min(1, step / steps))))
    for step, low in zip(range(steps), batches, strict=False):
        if not step:
            resemble(network, twin, low)
        optimiser.zero_grad(set_to_none=True)
        loss = torch.stack(imitation_losses(network, twin, low)).mean()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        yield loss.item()


@torch.no_grad()
def resemble(network: AdderSESR, twin: SESR, y_n1hw: Tensor) -> None:
    """Give each adder layer the twin's kernel, and of this luma's feature maps its unit and the gain and bias that make up for both.

    Within a reach r far above x and w, -sum h(x - w) is sum x w / r less the squares of x and w over 2 r. AdderNet's layers
    (no reach) keep their kernels.
    """
    for block, theirs, x in zip(network.body, twin.body, twin.features(y_n1hw), strict=False):
        assert isinstance(block, AdderBlock)
        assert isinstance(theirs, CollapsibleLinear)
        block.set_size(moments(x)[1].mean().sqrt())
        if not block.reach:
            continue
        kernel = theirs.collapse()[0]
        kernel = kernel - identity_kernel(kernel)
        larger = KERNEL_SIZE * block.size / kernel.abs().mean().clamp_min(1e-8)
        block.set_kernel(kernel * larger)
        block.gain.copy_(block.reach * block.size / larger * moments(block.sums(x))[1].sqrt())
        block.bias.copy_((theirs(x) - x).mean((0, 2, 3)))


def imitation_losses(network: FloatNetwork, twin: FloatNetwork, y_n1hw: Tensor) -> list[Tensor]:
    """For each body layer, the squared error of its imitation over the variance of what the twin's layer adds to its input.

    1 is thus what the identity scores, about.
    """
    with torch.no_grad():
        maps = twin.features(y_n1hw)
    losses = []
    for index, (before, after) in enumerate(pairwise(maps)):
        error = nn.functional.mse_loss(network.layer(index, before), after)
        losses.append(error / nn.functional.mse_loss(before, after).clamp_min(1e-8))
    return losses
