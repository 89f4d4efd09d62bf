"""A trained convolution network's silent parts brought back to life, for training it further.

A channel whose sums all lie on one side of zero has no nonlinearity: under PReLU it is linear, under ReLU it is constantly 0 or linear.
Deep networks lose whole layers so. Feature maps grow from layer to layer while rates are high, and the last layers push all their sums
below zero, where a slope near 0 makes them small again. No gradient leads back: a slope that every pixel passes is a scale like any other.

`revive` gives such channels their nonlinearity back without changing what the network computes: a linear PReLU channel takes its slope
into its kernel, is shifted so that its sums lie around zero, and begins again at slope 1; the next layer's bias takes off the
shift. (Within a layer's reach of the borders, where zeros are around the picture, a little changes.) A ReLU channel that is always 0
is drawn anew, small. Then all body layers are given the same size of weights, and so are the two ends: PReLU and ReLU let a factor
through, and an optimiser whose steps do not depend on a weight's size should find none too small for them. Train on at a
low rate: a high one makes the same layers linear again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.network import FloatNetwork

RARE = 1e-3
"""A channel has lost its nonlinearity when fewer of its sums than this part lie on the other side of zero."""
FRESH = 0.05
"""How large the mixture of living channels is that takes a dead one's place."""


@torch.no_grad()
def revive(network: FloatNetwork, batches: Sequence[Tensor]) -> int:
    """Bring back the nonlinearity of a network's channels; how many had lost it, over ``batches`` of luma (N, 1, H, W).

    What lies within a layer's reach of the borders does not count. Raises ValueError where nothing is left (H or W of 2m + 4 and less), and
    for adder networks, whose sums have no factor to let through.
    """
    if network.spec.block == "adder":
        raise ValueError("an adder network's layers cannot be scaled, so its channels cannot be revived")
    if any(min(batch.shape[2:]) <= 2 * network.spec.m + 4 for batch in batches):
        raise ValueError(f"patches must be larger than {2 * network.spec.m + 4} pixels to see past a network's borders")
    tensors = {name: torch.from_numpy(values) for name, values in network.collapse().items()}
    if network.spec.activation == "relu":
        tensors |= {f"body.{i}.slope": torch.zeros(network.spec.f) for i in range(network.spec.m)}
    maps = [_convolved(batch.cpu().float() - 0.5, tensors, "first") for batch in batches]
    revived = 0
    for index in range(network.spec.m):
        margin = index + 3  # how far the zeros around the picture reach
        sums = [_convolved(x, tensors, f"body.{index}")[..., margin:-margin, margin:-margin] for x in maps]
        revived += _revive_layer(index, network.spec.m, sums, tensors, redraw=network.spec.activation == "relu")
        slope = tensors[f"body.{index}.slope"]
        maps = [functional.prelu(_convolved(x, tensors, f"body.{index}"), slope) for x in maps]
    _balance(tensors, network.spec.m)
    network.load_collapsed({name: values.numpy() for name, values in tensors.items()})
    return revived


def _revive_layer(index: int, layers: int, sums: list[Tensor], tensors: dict[str, Tensor], *, redraw: bool) -> int:
    """Change the channels of one layer that are linear or, with ``redraw`` (ReLU), always 0. Returns how many there were."""
    weight, bias, slope = (tensors[f"body.{index}.{part}"] for part in ("weight", "bias", "slope"))
    flat = torch.cat([x.movedim(1, 0).flatten(1) for x in sums], 1)
    mean, below = flat.mean(1), (flat < 0).float().mean(1)
    low, high = below > 1 - RARE, below < RARE
    if redraw:
        _redraw(weight, bias, low, flat)
        return int(low.sum())
    gain = torch.where(low, slope, torch.ones(()))
    shift = torch.where(low | high, gain * mean, torch.zeros(()))
    weight *= gain[:, None, None, None]
    bias.mul_(gain).sub_(shift)
    slope[low | high] = 1
    following = "last" if index == layers - 1 else f"body.{index + 1}"
    tensors[f"{following}.bias"] += tensors[f"{following}.weight"].sum((2, 3)) @ shift
    return int((low | high).sum())


def _redraw(weight: Tensor, bias: Tensor, dead: Tensor, sums: Tensor) -> None:
    """Fresh kernels for the dead channels of a ReLU layer: mixtures of the living ones', small, half of their sums above zero."""
    living = torch.nonzero(~dead).flatten()
    if not len(living):
        return
    for channel in torch.nonzero(dead).flatten():
        mixture = torch.randn(len(living))
        mixture *= FRESH / mixture.norm()
        weight[channel] = torch.einsum("c,ciyx->iyx", mixture, weight[living])
        bias[channel] = mixture @ (bias[living] - sums[living].mean(1))


def _balance(tensors: dict[str, Tensor], layers: int) -> None:
    """Give all body layers' weights the geometric mean of their sizes, and both ends theirs; the network computes the same."""
    sizes = torch.stack([_size(tensors[f"body.{index}.weight"]) for index in range(layers)])
    first, last = _size(tensors["first.weight"]), _size(tensors["last.weight"])
    ends = float((last / first).sqrt())
    _scale(tensors, "first", ends, ends)
    _scale(tensors, "last", 1 / ends, 1)
    scale = ends  # of the feature maps that a layer reads; at the end, the same again
    for index in range(layers):
        factor = float((sizes.log().mean() - sizes[index].log()).exp())
        scale *= factor
        _scale(tensors, f"body.{index}", factor, scale)


def _scale(tensors: dict[str, Tensor], name: str, weight: float, bias: float) -> None:
    tensors[f"{name}.weight"] *= weight
    tensors[f"{name}.bias"] *= bias


def _size(weight: Tensor) -> Tensor:
    return weight.square().mean().sqrt().clamp_min(1e-12)


def _convolved(x_nchw: Tensor, tensors: dict[str, Tensor], name: str) -> Tensor:
    weight = tensors[f"{name}.weight"]
    return functional.conv2d(x_nchw, weight, tensors[f"{name}.bias"], padding=weight.shape[-1] // 2)
