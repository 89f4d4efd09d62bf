"""SOAP against Adam, and against what it says of itself."""

from __future__ import annotations

import math

import pytest
import torch

from engine.network import NetworkSpec
from training.blocks import CollapsibleLinear
from training.network import build
from training.settings import resolve
from training.soap import LARGEST_SIDE, SOAP


def badly_conditioned(outputs: int = 6, inputs: int = 20) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sides of a quadratic in a matrix whose curvatures span six decades, in no coordinate's direction; and its minimum."""
    torch.manual_seed(3)
    sides = []
    for size in (outputs, inputs):
        basis = torch.linalg.qr(torch.randn(size, size))[0]
        sides.append(basis @ torch.diag(torch.logspace(-1.5, 1.5, size)) @ basis.T)
    return sides[0], sides[1], torch.randn(outputs, inputs)


def descend(optimiser_of: type, steps: int, rate: float) -> float:
    """How much of the first loss is left after ``steps`` with a rate that falls to zero."""
    left, right, minimum = badly_conditioned()
    weight = torch.nn.Parameter(torch.zeros_like(minimum))
    optimiser = optimiser_of([weight], rate)
    first = loss = math.nan
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimiser.zero_grad()
        value = (left @ (weight - minimum) @ right).square().mean()
        value.backward()
        loss = value.item()
        first = loss if step == 0 else first
        optimiser.step()
    return loss / first


def test_what_adam_hardly_gets_down_soap_does() -> None:
    adam = min(descend(torch.optim.Adam, 300, rate) for rate in (0.01, 0.03, 0.1))
    assert min(descend(SOAP, 300, rate) for rate in (0.01, 0.03, 0.1)) < 0.2 * adam


@pytest.mark.parametrize("shape", [(5,), ()])
def test_a_vector_or_a_number_takes_adams_steps(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
    soap, adam = SOAP([ours], 0.1, betas=(0.9, 0.99)), torch.optim.Adam([theirs], 0.1, betas=(0.9, 0.99))
    for _ in range(20):
        gradient = torch.randn(shape)
        for parameter, optimiser in ((ours, soap), (theirs, adam)):
            parameter.grad = gradient.clone()
            optimiser.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("every", [1, 2])
def test_turned_coordinates_give_turned_steps(every: int) -> None:
    """Unlike Adam's, its steps do not depend on the coordinates that a kernel is written in."""
    torch.manual_seed(1)
    gradients = [torch.randn(9, 9, dtype=torch.float64) for _ in range(25)]
    left, right = (torch.linalg.qr(torch.randn(9, 9).double())[0] for _ in range(2))
    straight, turned = (torch.nn.Parameter(torch.zeros(9, 9, dtype=torch.float64)) for _ in range(2))
    one, other = SOAP([straight], 0.01, every=every), SOAP([turned], 0.01, every=every)
    for gradient in gradients:
        straight.grad, turned.grad = gradient, left @ gradient @ right
        one.step()
        other.step()
    torch.testing.assert_close(turned, left @ straight @ right, rtol=1e-4, atol=1e-6)


def test_a_long_side_is_left_as_it_is() -> None:
    weight = torch.nn.Parameter(torch.zeros(3, LARGEST_SIDE + 1))
    optimiser = SOAP([weight], 0.1)
    weight.grad = torch.randn_like(weight)
    optimiser.step()
    assert {"left basis"} == {name for name in optimiser.state[weight] if name.endswith("basis")}
    assert weight.abs().sum() > 0


def test_a_block_without_expansion_trains_its_kernel_and_takes_over_others() -> None:
    torch.manual_seed(0)
    plain, wide = (CollapsibleLinear(4, 4, 3, expansion, identity=True).double() for expansion in (0, 32))
    plain.load_collapsed(*(part.detach() for part in wide.collapse()))
    x = torch.randn(2, 4, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(plain(x), wide(x), rtol=1e-12, atol=1e-12)
    assert sum(parameter.numel() for parameter in plain.parameters()) == 4 * 4 * 9 + 4
    with pytest.raises(ValueError, match="expanded"):
        CollapsibleLinear(4, 4, 3, 0, identity=True, form="expanded")


def test_a_network_without_expansion_has_as_many_weights_as_it_ships() -> None:
    spec = NetworkSpec(2, 3, 8)
    trained = sum(parameter.numel() for parameter in build(spec, expansion=0).parameters())
    assert trained == sum(math.prod(shape) for shape in spec.tensor_shapes().values())


def test_an_optimiser_brings_what_suits_it() -> None:
    ours, adam, expanded = resolve({}), resolve({"optimiser": "adam"}), resolve({"linear_block_type": "expanded"})
    assert (ours.optimiser, ours.feature_size, ours.learning_rate) == ("soap", 0, 1e-2)
    assert (adam.feature_size, adam.learning_rate) == (256, 5e-4)
    assert (expanded.optimiser, expanded.feature_size) == ("adam", 256)
    assert resolve({"recipe": "reference"}).optimiser == "adam"
    assert resolve({"feature_size": 64}).optimiser == "adam"
    assert resolve({"optimiser": "soap", "feature_size": 64, "learning_rate": 2e-3}).learning_rate == 2e-3
