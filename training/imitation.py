"""A good start for an adder network: each adder layer learns to give what its convolution twin's layer gives.

Adder networks train slowly from nothing. Here every adder layer sees the twin's feature maps and is asked for the twin's next
ones, so all layers learn at once, each by itself, before the network is trained as a whole.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.blocks import AdderBlock
from training.network import AdderTraining, FloatNetwork
from training.optimiser import make_optimiser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REACH = (4.0, 0.03)
"""First and last reach of the kernels' gradient: a kernel that knows nothing needs the long view first (see `AdderTraining`)."""


def imitate(network: FloatNetwork, twin: FloatNetwork, batches: Iterable[Tensor], *, steps: int, rate: float) -> Iterator[float]:
    """Train the body layers of ``network`` to give ``twin``'s feature maps for ``steps`` batches, the rate falling to 0 by a cosine.

    Batches are luma (N, 1, H, W). The kernels' gradient is annealed (`REACH`). Gives each step's loss,
    the mean over layers of `imitation_losses`. The two 5x5 layers are left as they are: load the twin's first
    (`Network.load_collapsed`).
    """
    twin.eval()
    plan = AdderTraining(reach=REACH)
    optimiser = make_optimiser("adam", nn.ModuleList([network.body, network.activations]), rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * min(1, step / steps))))
    for step, low in zip(range(steps), batches, strict=False):
        for block in network.body:
            if isinstance(block, AdderBlock):
                block.reach = plan.reach_at(step / steps)
        optimiser.zero_grad(set_to_none=True)
        loss = torch.stack(imitation_losses(network, twin, low)).mean()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        yield loss.item()


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
