"""A NetworkSpec as a torch module, and the way back: collapse() gives the weights that the engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.network import BODY_KERNEL, OUTER_KERNEL, NetworkSpec
from training.blocks import CollapsibleLinear, Form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class SESR(nn.Module):
    """SESR (convolution blocks) with linear blocks of ``expansion`` channels. See `engine.network` for the network."""

    def __init__(self, spec: NetworkSpec, *, expansion: int = 256, form: Form = "collapsed") -> None:
        super().__init__()
        self.spec = spec
        block = {"expansion": expansion, "form": form}
        self.first = CollapsibleLinear(1, spec.f, OUTER_KERNEL, identity=False, **block)
        self.body = nn.ModuleList(CollapsibleLinear(spec.f, spec.f, BODY_KERNEL, identity=True, **block) for _ in range(spec.m))
        self.last = CollapsibleLinear(spec.f, spec.scale**2, OUTER_KERNEL, identity=False, **block)
        self.activations = nn.ModuleList(activation(spec) for _ in range(spec.m))

    def forward(self, y_n1hw: Tensor) -> Tensor:
        """Luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W), not clipped."""
        first = x = self.first(y_n1hw - 0.5)
        for block, act in zip(self.body, self.activations, strict=True):
            x = act(block(x))
        return functional.pixel_shuffle(self.last(x + first) + y_n1hw, self.spec.scale)

    @torch.no_grad()
    def collapse(self) -> dict[str, NDArray[np.float32]]:
        """The engine's float32 tensors (`NetworkSpec.tensor_shapes`)."""
        tensors: dict[str, Tensor] = {}
        for name, block in self._blocks():
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = block.collapse()
        if self.spec.activation == "prelu":
            tensors |= {f"body.{i}.slope": act.weight for i, act in enumerate(self.activations)}
        return {name: tensor.float().cpu().numpy().copy() for name, tensor in tensors.items()}

    @torch.no_grad()
    def load_collapsed(self, tensors: Mapping[str, NDArray[np.float32]], *, last: bool = True) -> None:
        """Take over a collapsed network's weights by exact re-expansion; without ``last`` all but the last layer's."""
        for name, block in self._blocks():
            if name != "last" or last:
                block.re_expand(torch.from_numpy(tensors[f"{name}.weight"]), torch.from_numpy(tensors[f"{name}.bias"]))
        if self.spec.activation == "prelu":
            for i, act in enumerate(self.activations):
                act.weight.copy_(torch.from_numpy(tensors[f"body.{i}.slope"]))

    def _blocks(self) -> list[tuple[str, CollapsibleLinear]]:
        return [("first", self.first), *((f"body.{i}", block) for i, block in enumerate(self.body)), ("last", self.last)]


def activation(spec: NetworkSpec) -> nn.Module:
    """The activation behind a body layer: PReLU with a slope a channel, or ReLU."""
    return nn.PReLU(spec.f, init=0.25) if spec.activation == "prelu" else nn.ReLU()
