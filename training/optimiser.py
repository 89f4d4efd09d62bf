"""The optimiser of a run: SOAP that lets biases follow slowly, or Adam that hurries adder kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from training.blocks import AdderBlock, CollapsibleLinear
from training.soap import SOAP

if TYPE_CHECKING:
    from torch import nn

    from training.config import OptimiserName

HURRY = 8.0
"""How much farther than other weights Adam's step moves an adder kernel's: what matters to |x - w| is on which side of the inputs a
weight lies, and that takes long ways."""


SLOW = 0.1
"""How much less far SOAP moves a convolution's bias. All pixels' sums move with a bias, in deep layers by several per cent of their spread a
step: the network learns to be deaf to that, its last layers by pushing all sums to one side of zero, where they are linear."""


def make_optimiser(name: OptimiserName, network: nn.Module, rate: float, *, amsgrad: bool = False) -> torch.optim.Optimizer:
    """The optimiser over ``network``'s parameters. Where a group has ``hurry``, its learning rate is to be multiplied by that."""
    if name == "soap":
        slow = [block.bias for block in network.modules() if isinstance(block, CollapsibleLinear) and block.bias is not None]
        chosen = {id(part) for part in slow}
        others = [part for part in network.parameters() if id(part) not in chosen]
        return SOAP([{"params": others}, *([{"params": slow, "lr": rate * SLOW, "hurry": SLOW}] if slow else [])], rate)
    kernels = [part for block in network.modules() if isinstance(block, AdderBlock) for part in block.kernel_parameters()]
    hurried = {id(part) for part in kernels}
    others = [part for part in network.parameters() if id(part) not in hurried]
    groups: list[dict[str, Any]] = [{"params": others}, *([{"params": kernels, "lr": rate * HURRY, "hurry": HURRY}] if kernels else [])]
    return torch.optim.Adam(groups, lr=rate, amsgrad=amsgrad)
