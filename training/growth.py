"""A small network's weights for a larger one that computes the same: a warm start from M5 to M11 to XL (arXiv 1511.05641, Net2Net).

New body layers are identities, spread behind the old ones, with an activation that changes nothing: PReLU of slope 1; or ReLU, since
what comes from an old layer with ReLU is not negative. An adder layer, whose input is added to what it makes, has a multiplier of 0. New
channels begin with fresh weights but are heard by none of the old ones and not by the last layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from engine.network import NetworkSpec

    Tensors = dict[str, NDArray[np.float32]]


def grow(
    tensors: Mapping[str, NDArray[np.float32]], theirs: NetworkSpec, ours: NetworkSpec, fresh: Mapping[str, NDArray[np.float32]]
) -> Tensors:
    """The tensors (`NetworkSpec.tensor_shapes`) of a network as ``ours`` that computes what ``tensors``, of ``theirs``, do.

    ``fresh`` are ours as they were drawn, for the new channels. A last layer of another scale is taken from there too. Raises
    ConfigError where ours is the smaller, or is to be deeper with an activation or blocks of another kind.
    """
    if ours.m < theirs.m or ours.f < theirs.f:
        raise ConfigError(f"start: m {theirs.m} with {theirs.f} channels does not fit into m {ours.m} with {ours.f} channels")
    if ours.m > theirs.m and (ours.activation != theirs.activation or ours.block != theirs.block):
        raise ConfigError("start: a network becomes deeper with the activation and blocks of its own kind only; grow it first")
    if ours.f > theirs.f and "adder" in (ours.block, theirs.block):
        raise ConfigError("start: an adder network cannot become wider; grow its convolution twin first")
    grown = {"first.weight": _widened(tensors["first.weight"], fresh["first.weight"]), "first.bias": _padded(tensors["first.bias"], ours.f)}
    if ours.scale == theirs.scale:
        grown |= {"last.weight": _widened(tensors["last.weight"], fresh["last.weight"]), "last.bias": tensors["last.bias"]}
    else:
        grown |= {name: fresh[name] for name in ("last.weight", "last.bias")}
    places = {index * ours.m // theirs.m: index for index in range(theirs.m)}
    for index in range(ours.m):
        grown |= _body(index, places.get(index), tensors, ours, fresh)
    return grown


def _body(
    index: int, theirs: int | None, tensors: Mapping[str, NDArray[np.float32]], ours: NetworkSpec, fresh: Mapping[str, NDArray[np.float32]]
) -> Tensors:
    """Layer ``index`` of ours: their layer ``theirs``, or where that is None an identity."""
    name = f"body.{index}"
    if theirs is None and ours.block == "adder":
        nothing = dict.fromkeys(("multiplier", "bias"), np.zeros(ours.f, np.float32))
        parts = {"weight": fresh[f"{name}.weight"], **nothing, "slope": np.ones(ours.f, np.float32)}
        return {f"{name}.{part}": tensor for part, tensor in parts.items()}
    if theirs is None:
        weight = np.zeros_like(fresh[f"{name}.weight"])
        weight[np.arange(ours.f), np.arange(ours.f), 1, 1] = 1
        return {f"{name}.weight": weight, f"{name}.bias": np.zeros(ours.f, np.float32), f"{name}.slope": np.ones(ours.f, np.float32)}
    grown: Tensors = {}
    for part in (key.rpartition(".")[2] for key in tensors if key.startswith(f"body.{theirs}.")):
        old = tensors[f"body.{theirs}.{part}"]
        if part == "weight":
            grown[f"{name}.{part}"] = _widened(old, fresh[f"{name}.{part}"])
        else:
            grown[f"{name}.{part}"] = _padded(old, ours.f, {"slope": 0.25}.get(part, 0.0))
    return grown


def _widened(old_oihw: NDArray[np.float32], fresh_oihw: NDArray[np.float32]) -> NDArray[np.float32]:
    """``old`` in the corner of ``fresh``, its outputs deaf to the new inputs."""
    outputs, inputs = old_oihw.shape[:2]
    grown = fresh_oihw.copy()
    grown[:outputs] = 0
    grown[:outputs, :inputs] = old_oihw
    return grown


def _padded(old: NDArray[np.float32], length: int, value: float = 0.0) -> NDArray[np.float32]:
    return np.concatenate([old, np.full(length - len(old), value, np.float32)])
