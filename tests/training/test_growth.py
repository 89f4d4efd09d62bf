"""A larger network that begins as a smaller one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from engine import reference
from engine.errors import ConfigError
from engine.network import PRESETS, NetworkSpec
from training.network import build
from training.networks import begin_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.weights import Model

M5, M11, XL = (NetworkSpec(2, *PRESETS[name]) for name in ("m5", "m11", "xl"))
RELU = NetworkSpec(2, 11, 16, activation="relu")


@pytest.mark.parametrize("target", [M11, XL, NetworkSpec(2, 5, 32), NetworkSpec(2, 6, 17), NetworkSpec(2, 11, 16, "adder"), RELU])
def test_a_grown_network_computes_the_same_and_can_learn(
    random_model: Callable[..., Model], rng: np.random.Generator, target: NetworkSpec
) -> None:
    small = random_model(dataclasses.replace(M5, block=target.block, activation=target.activation))
    torch.manual_seed(0)
    network = build(target, expansion=0)
    y_hw = rng.random((20, 24), np.float32)
    y_n1hw = torch.from_numpy(y_hw)[None, None]
    begin_from(network, small, [y_n1hw])
    output = network(y_n1hw)
    np.testing.assert_allclose(output.detach()[0, 0].clamp(0, 1).numpy(), reference.run(small, y_hw), atol=2e-5)
    output.square().mean().backward()
    silent = [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum()]
    assert not [name for name in silent if "last" in name]


def test_another_scale_keeps_its_own_last_layer(random_model: Callable[..., Model]) -> None:
    torch.manual_seed(0)
    network = build(NetworkSpec(4, 11, 16), expansion=0)
    before = network.collapse()
    begin_from(network, random_model(M5))
    np.testing.assert_allclose(network.collapse()["last.weight"], before["last.weight"])


@pytest.mark.parametrize(
    ("start", "target", "reason"),
    [
        (M11, M5, "does not fit"),
        (XL, M11, "does not fit"),
        (M5, RELU, "activation"),
        (M5, NetworkSpec(2, 11, 16, "adder"), "own kind"),
        (NetworkSpec(2, 11, 16, "adder"), NetworkSpec(2, 11, 32, "adder"), "wider"),
    ],
)
def test_what_cannot_grow_says_why(random_model: Callable[..., Model], start: NetworkSpec, target: NetworkSpec, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        begin_from(build(target, expansion=0), random_model(start))
