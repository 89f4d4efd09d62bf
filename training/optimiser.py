"""The optimiser of a run: SOAP that lets biases follow slowly, or Adam that hurries adder kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from training.blocks import AdderBlock, CollapsibleLinear
from training.soap import SOAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from training.config import OptimiserName

HURRY = 8.0
"""How much farther than other weights Adam's step moves an adder kernel's: what matters to |x - w| is on which side of the inputs a
weight lies, and that takes long ways."""


SLOW = 0.1
"""How much less far SOAP moves a convolution's bias. All pixels' sums move with a bias, in deep layers by several per cent of their spread
a step: the network learns to be deaf to that, its last layers by pushing all sums to one side of zero, where they are linear."""


def make_optimiser(name: OptimiserName, network: nn.Module, rate: float, *, amsgrad: bool = False) -> torch.optim.Optimizer:
    """The optimiser over ``network``'s parameters. Where a group has ``hurry``, its learning rate is to be multiplied by that."""
    if name == "soap":
        slow = [block.bias for block in network.modules() if isinstance(block, CollapsibleLinear) and block.bias is not None]
        return SOAP(_groups(network, slow, rate, SLOW), rate)
    kernels = [part for block in network.modules() if isinstance(block, AdderBlock) for part in block.kernel_parameters()]
    return torch.optim.Adam(_groups(network, kernels, rate, HURRY), lr=rate, amsgrad=amsgrad)


def _groups(network: nn.Module, chosen: Sequence[Tensor], rate: float, hurry: float) -> list[dict[str, Any]]:
    """All parameters as torch's groups: those that are not ``chosen``, and those that are, if any, at ``hurry`` times the rate."""
    among = {id(part) for part in chosen}
    others: dict[str, Any] = {"params": [part for part in network.parameters() if id(part) not in among]}
    return [others, {"params": list(chosen), "lr": rate * hurry, "hurry": hurry}] if chosen else [others]
