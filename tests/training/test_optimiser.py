"""What an optimiser moves how far."""

import pytest
import torch

from engine.network import NetworkSpec
from training.network import build
from training.optimiser import HURRY, SLOW, make_optimiser

RATE = 0.01


def moved(name, spec, expansion):
    """The mean distance that each parameter goes in a first step, with gradients of 1."""
    network = build(spec, expansion=expansion)
    optimiser = make_optimiser(name, network, RATE)
    before = {key: part.detach().clone() for key, part in network.named_parameters()}
    for part in network.parameters():
        part.grad = torch.ones_like(part)
    for group in optimiser.param_groups:
        group["lr"] = RATE * group.get("hurry", 1.0)
    optimiser.step()
    return {key: (part.detach() - before[key]).abs().mean().item() for key, part in network.named_parameters()}


def test_soap_lets_the_biases_of_convolutions_follow_slowly():
    ways = moved("soap", NetworkSpec(2, 2, 8), 0)
    biases = {key: way for key, way in ways.items() if key.endswith(".bias")}
    slopes = [way for key, way in ways.items() if key.startswith("activations.")]
    assert len(biases) == 4
    assert list(biases.values()) == pytest.approx([RATE * SLOW] * 4, rel=1e-3)
    assert slopes == pytest.approx([RATE] * 2, rel=1e-3)


def test_soap_moves_an_adder_networks_own_biases_as_far_as_its_gains():
    ways = moved("soap", NetworkSpec(2, 2, 8, "adder"), 0)
    assert {round(ways[f"body.{i}.{part}"] / RATE, 3) for i in range(2) for part in ("bias", "gain")} == {1.0}
    assert ways["first.bias"] == pytest.approx(RATE * SLOW, rel=1e-3)


def test_adam_hurries_adder_kernels():
    ways = moved("adam", NetworkSpec(2, 1, 8, "adder"), 8)
    kernels = [way for key, way in ways.items() if key.startswith("body.0.") and way > 2 * RATE]
    assert kernels
    assert kernels == pytest.approx([RATE * HURRY] * len(kernels), rel=1e-3)


def test_soap_hurries_adder_kernels_alone():
    network = build(NetworkSpec(2, 2, 8, "adder"), expansion=0)
    hurried = [group["params"] for group in make_optimiser("soap", network, RATE).param_groups if group.get("hurry") == HURRY]
    kernels = [part for block in network.body for part in block.kernel_parameters()]
    assert [{id(part) for part in parts} for parts in hurried] == [{id(part) for part in kernels}]
