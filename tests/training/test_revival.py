"""Channels that have lost their nonlinearity get it back, and the network computes what it did."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine import weights
from engine.errors import ConfigError
from engine.network import NetworkSpec
from training.control import Control
from training.events import Revived
from training.folder import RunFolder
from training.network import SESR, build
from training.revival import revive
from training.session import begin, train
from training.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.weights import Model

SPEC = NetworkSpec(2, 5, 16)
BELOW, ABOVE = slice(0, 6), slice(6, 9)
"""Channels of body layer 2 whose sums are pushed below zero, and above it."""


@pytest.fixture
def y_n1hw() -> torch.Tensor:
    torch.manual_seed(1)
    return functional.interpolate(torch.rand(4, 1, 10, 10), size=(48, 48), mode="bicubic").clamp(0, 1)


def silenced(model: Model, activation: str) -> SESR:
    """A network, two parts of whose third body layer are never on the other side of zero."""
    tensors = {name: values.copy() for name, values in model.tensors.items()}
    tensors["body.2.bias"][BELOW] = -50
    tensors["body.2.bias"][ABOVE] = 50
    if activation == "prelu":
        tensors["body.2.slope"][BELOW] = 0.02
    network = build(dataclasses.replace(SPEC, activation=activation), expansion=0)
    network.load_collapsed(tensors)
    assert isinstance(network, SESR)
    return network.eval()


def share_below(network: SESR, y_n1hw: torch.Tensor) -> torch.Tensor:
    """The part of each channel's sums in body layer 2 that is negative."""
    with torch.no_grad():
        return (network.body[2](network.features(y_n1hw)[2]) < 0).float().mean((0, 2, 3))


def test_linear_channels_bend_again_and_the_network_computes_the_same(random_model: Callable[..., Model], y_n1hw: torch.Tensor) -> None:
    network = silenced(random_model(SPEC), "prelu")
    before = network(y_n1hw)
    assert revive(network, [y_n1hw]) >= 9
    after, inside = network(y_n1hw), slice(26, -26)
    scale = before.abs().max().item()
    np.testing.assert_allclose(after[..., inside, inside].detach(), before[..., inside, inside].detach(), atol=1e-5 * scale)
    below = share_below(network, y_n1hw)
    assert ((below > 0.05) & (below < 0.95))[: ABOVE.stop].all()
    assert revive(network, [y_n1hw]) == 0


def test_dead_channels_of_relu_are_drawn_anew(random_model: Callable[..., Model], y_n1hw: torch.Tensor) -> None:
    network = silenced(random_model(dataclasses.replace(SPEC, activation="relu")), "relu")
    assert revive(network, [y_n1hw]) >= 6
    below = share_below(network, y_n1hw)
    assert ((below > 0.05) & (below < 0.95))[BELOW].all()
    network.body[2].train()
    network(y_n1hw).square().mean().backward()
    gradient = network.body[2].plain.grad.abs().sum((1, 2, 3))
    assert (gradient[BELOW] > 0).all()


@pytest.mark.parametrize("activation", ["prelu", "relu"])
def test_layers_weigh_the_same_afterwards(random_model: Callable[..., Model], y_n1hw: torch.Tensor, activation: str) -> None:
    network = silenced(random_model(dataclasses.replace(SPEC, activation=activation)), activation)
    revive(network, [y_n1hw])
    tensors = network.collapse()
    sizes = {name: np.sqrt(np.square(values).mean()) for name, values in tensors.items() if name.endswith("weight")}
    assert [size for name, size in sizes.items() if "body" in name] == pytest.approx([sizes["body.0.weight"]] * 5)
    assert sizes["first.weight"] == pytest.approx(sizes["last.weight"])


def test_adder_networks_are_refused(y_n1hw: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="adder"):
        revive(build(NetworkSpec(2, 3, 16, "adder"), expansion=0), [y_n1hw])


def test_patches_that_are_all_border_are_refused(y_n1hw: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="14 pixels"):
        revive(build(SPEC, expansion=0), [y_n1hw[..., :14]])


@pytest.mark.parametrize("given", [{"linear_block_type": "collapsed_adder"}, {"quant_A": True}, {"hr_patch": 28}])
def test_a_run_that_cannot_revive_says_so(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="revive"):
        resolve({"revive": True, **given})


def test_a_run_revives_its_start_and_tells(tiny: dict[str, Any], tmp_path: Path, random_model: Callable[..., Model]) -> None:
    spec = resolve(tiny).spec
    tensors = dict(random_model(spec).tensors)
    tensors["body.0.bias"] = tensors["body.0.bias"] - 50
    start = tmp_path / "start.safetensors"
    weights.write(dataclasses.replace(random_model(spec), tensors=tensors), start)

    place = RunFolder(tmp_path / "run")
    settings = begin(place, {**tiny, "start": str(start), "revive": True, "steps": 1, "learning_rate": 1e-9}, resume=False)
    with Control(place.path) as control:
        told = list(train(place, settings, control))
    [event] = [event for event in told if isinstance(event, Revived)]
    assert spec.f <= event.revived <= event.channels == spec.m * spec.f
    result = weights.read(tmp_path / "run" / told[-1].to_dict()["file"])
    assert result.tensors["body.0.slope"] == pytest.approx(1)
