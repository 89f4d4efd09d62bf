"""The collapsible linear block: collapsed is expanded, outputs and gradients alike; re-expansion is exact."""

import pytest
import torch
from torch.nn import functional

from training.blocks import AdderBlock, CollapsibleLinear

SHAPES = [(1, 16, 5, False), (16, 4, 5, False), (8, 8, 3, True), (8, 8, 3, False), (4, 9, 1, False)]


def block(inputs, outputs, kernel, identity, *, form="collapsed", expansion=32, seed=0):
    """A block in float64 whose biases are not zero."""
    torch.manual_seed(seed)
    made = CollapsibleLinear(inputs, outputs, kernel, expansion, identity=identity, form=form).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_collapsed_and_expanded_agree_in_outputs_and_in_every_gradient(shape):
    collapsed, expanded = block(*shape), block(*shape, form="expanded")
    x = torch.randn(2, shape[0], 9, 12, dtype=torch.float64)
    results = []
    for made in (collapsed, expanded):
        mine = x.clone().requires_grad_()
        y = made(mine)
        (y * torch.linspace(-1, 1, y.numel(), dtype=torch.float64).view_as(y)).sum().backward()
        results.append((y, mine.grad, *(parameter.grad for parameter in made.parameters())))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_collapsed_kernel_is_one_convolution(shape):
    made = block(*shape, form="expanded")
    x = torch.randn(1, shape[0], 8, 7, dtype=torch.float64)
    kernel, bias = made.collapse()
    torch.testing.assert_close(functional.conv2d(x, kernel, bias, padding=shape[2] // 2), made(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_re_expansion_collapses_to_the_same_kernel(shape):
    made, other = block(*shape), block(*shape, seed=1)
    kernel, bias = made.collapse()
    other.load_collapsed(kernel, bias)
    again, bias_again = other.collapse()
    torch.testing.assert_close(again, kernel, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(bias_again, bias, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("expansion", [16, 64, 256])
def test_re_expansion_is_exact_to_float32_rounding(expansion):
    torch.manual_seed(0)
    made = CollapsibleLinear(16, 16, 3, expansion, identity=True)
    kernel = torch.randn(16, 16, 3, 3) * 0.1
    made.load_collapsed(kernel, torch.zeros(16))
    torch.testing.assert_close(made.collapse()[0], kernel, rtol=0, atol=2e-6 if expansion > 16 else 1e-4)


def test_re_expansion_keeps_the_wide_weights_near_what_they_were():
    """The nearest wide kernel: loading what a block already is changes nothing."""
    made = block(8, 8, 3, True)
    before = made.expand.weight.clone()
    made.load_collapsed(*made.collapse())
    torch.testing.assert_close(made.expand.weight, before, rtol=1e-10, atol=1e-10)


def test_too_narrow_an_expansion_cannot_hold_a_kernel():
    made = CollapsibleLinear(4, 8, 3, 4, identity=False)
    with pytest.raises(ValueError, match="expansion of 4"):
        made.load_collapsed(torch.randn(8, 4, 3, 3), torch.zeros(8))


def test_an_identity_needs_equal_channels():
    with pytest.raises(ValueError, match="identity"):
        CollapsibleLinear(3, 4, 3, 8, identity=True)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="odd"):
        CollapsibleLinear(3, 4, 2, 8, identity=False)


def test_an_expanded_adder_block_has_the_plain_ones_outputs_and_collapsed_gradients():
    """The kernel of an expanded adder block is W2 W1, so its gradients are the plain kernel's by the chain rule."""
    torch.manual_seed(0)
    plain, wide = AdderBlock(8, None).double(), AdderBlock(8, 24).double()
    wide.set_kernel(plain.kernel())
    x, slope = torch.randn(2, 8, 6, 6, dtype=torch.float64), torch.full((8,), 0.25, dtype=torch.float64)
    outputs = [made(x, slope) for made in (plain, wide)]
    torch.testing.assert_close(*outputs, rtol=1e-10, atol=1e-10)
    for y in outputs:
        (y * torch.linspace(-1, 1, y.numel(), dtype=torch.float64).view_as(y)).sum().backward()
    by_kernel, narrow = plain.plain.grad.flatten(1), wide.project.weight.flatten(1)
    torch.testing.assert_close(wide.expand.weight.grad.flatten(1), narrow.T @ by_kernel, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(wide.project.weight.grad.flatten(1), by_kernel @ wide.expand.weight.flatten(1).T, rtol=1e-9, atol=1e-9)
