"""The optimiser of a run, SOAP or Adam: both hurry adder kernels, and SOAP lets convolutions' biases follow slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from training.blocks import AdderBlock, CollapsibleLinear
from training.soap import SOAP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from training.config import OptimiserName

HURRY = 8.0
"""How much farther than other weights a step moves an adder kernel's, in its unit: what matters to |x - w| is on which side of the inputs
a weight lies, and that takes long ways."""


SLOW = 0.1
"""How much less far SOAP moves a convolution's bias. All pixels' sums move with a bias, in deep layers by several per cent of their spread
a step: the network learns to be deaf to that, its last layers by pushing all sums to one side of zero, where they are linear."""


def make_optimiser(name: OptimiserName, network: nn.Module, rate: float, *, amsgrad: bool = False) -> torch.optim.Optimizer:
    """The optimiser over ``network``'s parameters. Where a group has ``hurry``, its learning rate is to be multiplied by that."""
    kernels = [part for block in network.modules() if isinstance(block, AdderBlock) for part in block.kernel_parameters()]
    if name == "soap":
        biases = [block.bias for block in network.modules() if isinstance(block, CollapsibleLinear) and block.bias is not None]
        return SOAP(_groups(network, rate, {HURRY: kernels, SLOW: biases}), rate)
    return torch.optim.Adam(_groups(network, rate, {HURRY: kernels}), lr=rate, amsgrad=amsgrad)


def _groups(network: nn.Module, rate: float, hurries: Mapping[float, Sequence[Tensor]]) -> list[dict[str, Any]]:
    """All parameters as torch's groups: those in ``hurries`` at so many times the rate, all others first."""
    chosen = {id(part) for parts in hurries.values() for part in parts}
    others: dict[str, Any] = {"params": [part for part in network.parameters() if id(part) not in chosen]}
    return [others, *({"params": list(parts), "lr": rate * hurry, "hurry": hurry} for hurry, parts in hurries.items() if parts)]
