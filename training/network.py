"""A NetworkSpec as a torch module, and the way back: collapse() gives the weights that the engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.network import BODY_KERNEL, OUTER_KERNEL, NetworkSpec
from engine.weights import Model
from training.activation import PReLU
from training.adder import moments
from training.blocks import AdderBlock, CollapsibleLinear, Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from numpy.typing import NDArray


class Network(nn.Module):
    """What a run trains and the engine gets: luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W), not clipped."""

    spec: NetworkSpec

    def collapse(self) -> dict[str, NDArray[np.float32]]:
        """The engine's float32 tensors (`NetworkSpec.tensor_shapes`)."""
        raise NotImplementedError

    def int8(self) -> dict[str, NDArray[Any]]:
        """The engine's integer form (`engine.weights.Model.int8`); empty for a network that is not trained for it."""
        return {}

    def progress(self, done: float) -> None:
        """Told before each step what part of the run is done, 0 to 1, for what changes over a run. Depends on nothing else."""

    def load_collapsed(self, tensors: Mapping[str, NDArray[np.float32]], *, body: bool = True, last: bool = True) -> None:
        """Take over a collapsed network's weights by exact re-expansion; without ``body`` or ``last`` all but those layers'.

        Without ``body`` the slopes are still taken, so an adder network can start from its convolution twin.
        """
        raise NotImplementedError


class FloatNetwork(Network):
    """What SESR and AdderSESR share: the two 5x5 blocks, the long residual, the way to engine weights and back."""

    def __init__(self, spec: NetworkSpec, expansion: int, form: Form) -> None:
        super().__init__()
        self.spec = spec
        self.first = CollapsibleLinear(1, spec.f, OUTER_KERNEL, expansion, identity=False, form=form)
        self.body = nn.ModuleList()
        self.last = CollapsibleLinear(spec.f, spec.scale**2, OUTER_KERNEL, expansion, identity=False, form=form)
        self.activations = nn.ModuleList(activation(spec) for _ in range(spec.m))

    def layer(self, index: int, x_nchw: Tensor) -> Tensor:
        """Body layer ``index`` with its activation, (N, f, H, W) to the same."""
        raise NotImplementedError

    def head(self, y_n1hw: Tensor) -> Tensor:
        """The first block's output, (N, f, H, W), of luma in [0, 1]."""
        x_nchw: Tensor = self.first(y_n1hw - 0.5)
        return x_nchw

    def tail(self, body_nchw: Tensor, head_nchw: Tensor, y_n1hw: Tensor) -> Tensor:
        """The picture (N, 1, scale*H, scale*W), not clipped, of the last body layer's and the first block's output."""
        return self.picture(self.last(body_nchw + head_nchw), y_n1hw)

    def picture(self, last_nchw: Tensor, y_n1hw: Tensor) -> Tensor:
        """The picture of the last block's output (N, scale*scale, H, W): the input added, depth to space."""
        return functional.pixel_shuffle(last_nchw + y_n1hw, self.spec.scale)

    def forward(self, y_n1hw: Tensor) -> Tensor:
        """Luma (N, 1, H, W) in [0, 1] to (N, 1, scale*H, scale*W), not clipped."""
        head = x = self.head(y_n1hw)
        for index in range(self.spec.m):
            x = self.layer(index, x)
        return self.tail(x, head, y_n1hw)

    def features(self, y_n1hw: Tensor) -> list[Tensor]:
        """The first block's output and every body layer's, m + 1 of (N, f, H, W)."""
        maps = [self.head(y_n1hw)]
        for index in range(self.spec.m):
            maps.append(self.layer(index, maps[-1]))
        return maps

    @torch.no_grad()
    def collapse(self) -> dict[str, NDArray[np.float32]]:
        """See `Network.collapse`."""
        tensors: dict[str, Tensor] = {}
        for name, block in self._blocks():
            tensors |= {f"{name}.{part}": tensor for part, tensor in zip(_parts(block), block.collapse(), strict=True)}
        if self.spec.activation == "prelu":
            tensors |= {f"body.{i}.slope": slope for i, slope in enumerate(self.slopes())}
        return {name: tensors[name].float().cpu().numpy().copy() for name in self.spec.tensor_shapes()}

    @torch.no_grad()
    def load_collapsed(self, tensors: Mapping[str, NDArray[np.float32]], *, body: bool = True, last: bool = True) -> None:
        """See `Network.load_collapsed`."""
        for name, block in self._blocks():
            if (name == "last" and not last) or (name.startswith("body.") and not body):
                continue
            block.load_collapsed(*(_like(tensors[f"{name}.{part}"], block) for part in _parts(block)))
        if self.spec.activation == "prelu":
            for i, slope in enumerate(self.slopes()):
                slope.copy_(torch.from_numpy(np.ascontiguousarray(tensors[f"body.{i}.slope"])))

    def slopes(self) -> list[Tensor]:
        """The m activations' slopes, (f,) each; PReLU only."""
        return [act.weight for act in self.activations if isinstance(act, nn.PReLU)]

    def _blocks(self) -> list[tuple[str, Any]]:
        return [("first", self.first), *((f"body.{i}", block) for i, block in enumerate(self.body)), ("last", self.last)]


class SESR(FloatNetwork):
    """SESR (convolution blocks) with linear blocks of ``expansion`` channels. See `engine.network` for the network."""

    def __init__(self, spec: NetworkSpec, *, expansion: int = 256, form: Form = "collapsed") -> None:
        super().__init__(spec, expansion, form)
        self.body.extend(CollapsibleLinear(spec.f, spec.f, BODY_KERNEL, expansion, identity=True, form=form) for _ in range(spec.m))

    def layer(self, index: int, x_nchw: Tensor) -> Tensor:
        """Body layer ``index`` with its activation, (N, f, H, W) to the same."""
        y_nchw: Tensor = self.activations[index](self.body[index](x_nchw))
        return y_nchw


@dataclass(frozen=True, slots=True)
class AdderTraining:
    """How adder kernels learn. ``expansion``: channels that a kernel is expanded to, None for none.

    ``reach``, first and last, is within what differences are rounded off (`training.blocks.AdderBlock`), in standard deviations of a
    layer's input: it falls geometrically over the first `TURNED` of a run, from a layer that is almost a convolution to one that is almost
    the adder layer that it will be. 0 is AdderNet's way, and ``adaptive`` then scales gradients as it does.
    """

    expansion: int | None = None
    adaptive: bool = False
    reach: tuple[float, float] = (25.0, 0.08)

    def reach_at(self, done: float) -> float:
        """The reach when the part ``done`` of a run is done."""
        first, last = self.reach
        return first if first == last else float(first * (last / first) ** min(1.0, done / TURNED))

    @property
    def turns(self) -> bool:
        """Whether layers turn from convolutions into adder layers, so that a run's first part says less than its end will."""
        return self.reach[0] > 1


TURNED = 0.8
"""The part of a run after which the reach falls no more."""
AS_PUBLISHED = AdderTraining(adaptive=True, reach=(0.0, 0.0))
"""Full-precision weight gradients at the adaptive rate, inputs' clipped at 1 (arXiv 1912.13200)."""
AGAIN = (0.25, 0.08)
"""The reach of a run that starts from an adder network."""


class AdderSESR(FloatNetwork):
    """AdderSESR: the body of adder layers.

    Recompute the normalisation's statistics before validating or exporting weights that were averaged (`recompute_statistics`).
    """

    no_slope: Tensor

    def __init__(self, spec: NetworkSpec, *, expansion: int = 256, form: Form = "collapsed", adder: AdderTraining | None = None) -> None:
        if spec.block != "adder":
            raise ValueError(f"AdderSESR needs a spec whose block is 'adder', not {spec.block!r}")
        super().__init__(spec, expansion, form)
        self.adder = adder or AdderTraining()
        plan = self.adder
        self.body.extend(AdderBlock(spec.f, plan.expansion, adaptive=plan.adaptive) for _ in range(spec.m))
        self.register_buffer("no_slope", torch.zeros(spec.f), persistent=False)

    def progress(self, done: float) -> None:
        """Set within what differences are rounded off."""
        for block in self.body:
            assert isinstance(block, AdderBlock)
            block.reach = self.adder.reach_at(done)

    def head(self, y_n1hw: Tensor) -> Tensor:
        """The first block's output in channels-last memory and as precise as the picture, which the adder kernels want."""
        return super().head(y_n1hw).to(y_n1hw.dtype).contiguous(memory_format=torch.channels_last)

    def layer(self, index: int, x_nchw: Tensor) -> Tensor:
        """Body layer ``index`` with its activation, (N, f, H, W) to the same."""
        slope = self.slopes()[index] if self.spec.activation == "prelu" else self.no_slope
        y_nchw: Tensor = self.body[index](x_nchw, slope)
        return y_nchw


@torch.no_grad()
def recompute_statistics(network: nn.Module, batches: Iterable[Tensor], *, keep: bool = False) -> None:
    """Set every adder layer's normalisation to the statistics of ``batches`` (luma, N x 1 x H x W), as the network now is.

    Weights averaged over steps do not fit the averaged statistics; call this before validating or exporting them. With ``keep``
    the network goes on computing the same, and only the split between normalisation, gain and bias changes, and the kernels' unit: for
    training a collapsed network further. Layer by layer, because a layer's statistics depend on those before it. Does nothing for a
    network without adder layers.
    """
    if not isinstance(network, AdderSESR):
        return
    was_training = network.training
    network.eval()
    batches = [network.head(batch) for batch in batches]
    for index, block in enumerate(network.body):
        assert isinstance(block, AdderBlock)
        if keep:
            block.set_size(torch.stack([moments(x)[1] for x in batches]).mean().sqrt())
        observed = [moments(block.sums(x)) for x in batches]
        means, variances = (torch.stack(part) for part in zip(*observed, strict=True))
        mean = means.mean(0)
        block.set_statistics(mean, variances.mean(0) + (means - mean).square().mean(0), keep=keep)
        batches = [network.layer(index, x) for x in batches]
    network.train(was_training)


def build(spec: NetworkSpec, *, expansion: int = 256, form: Form = "collapsed", adder: AdderTraining | None = None) -> FloatNetwork:
    """The network of a spec; ``adder`` is for adder blocks."""
    if spec.block == "adder":
        return AdderSESR(spec, expansion=expansion, form=form, adder=adder)
    return SESR(spec, expansion=expansion, form=form)


def collapse_to_model(network: Network, identity: str, about: Mapping[str, Any]) -> Model:
    """The model file's contents for a trained network: ``identity`` such as ``sesr-m5-x2``; ``about`` as `engine.weights.Model`."""
    return Model(identity, network.spec, network.collapse(), network.int8(), about)


def activation(spec: NetworkSpec) -> nn.Module:
    """The activation behind a body layer: PReLU with a slope a channel, or ReLU."""
    return PReLU(spec.f, init=0.25) if spec.activation == "prelu" else nn.ReLU()


def _parts(block: nn.Module) -> tuple[str, ...]:
    """What a block's collapsed tensors are called."""
    return ("weight", "multiplier", "bias") if isinstance(block, AdderBlock) else ("weight", "bias")


def _like(array: NDArray[np.float32], module: nn.Module) -> Tensor:
    """``array`` as a tensor where and as precise as ``module``'s parameters are."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(next(module.parameters()))
