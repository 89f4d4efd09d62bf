"""The adder layer's kernels and gradients against a float64 reference that broadcasts everything."""

import pytest
import torch
from torch.nn import functional

from training import adder, kernels_torch
from training.adder import adder_sums, finish, moments, soft_sums

SHAPES = [
    (2, 16, 16, 9, 11),
    (1, 16, 16, 5, 5),
    (3, 32, 32, 6, 13),
    (1, 8, 24, 1, 7),
    (2, 16, 16, 48, 48),
    (1, 16, 16, 7, 3),
    (1, 5, 3, 6, 6),
]


def reference(x, w, g):
    """Sums, clipped gradient by x, full gradient by w; float64, by broadcasting."""
    x, w, g = x.double(), w.double(), g.double()
    batch, _, height, width = x.shape
    difference = functional.unfold(functional.pad(x, (1, 1, 1, 1)), 3)[:, None] - w.flatten(1)[None, :, :, None]
    incoming = g.reshape(batch, w.shape[0], 1, -1)
    by_x = functional.fold(((-difference).clamp(-1, 1) * incoming).sum(1), (height + 2, width + 2), 3)[:, :, 1:-1, 1:-1]
    sums = -difference.abs().sum(2).view(batch, w.shape[0], height, width)
    return sums, by_x, (difference * incoming).sum((0, 3)).view(w.shape)


def example(shape, seed=0):
    batch, inputs, outputs, height, width = shape
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, inputs, height, width, generator=rng)
    w = torch.randn(outputs, inputs, 3, 3, generator=rng) * 0.7
    return x, w, torch.randn(batch, outputs, height, width, generator=rng)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_and_gradients_are_the_references_borders_included(shape):
    x, w, g = example(shape)
    y, by_x, by_w = reference(x, w, g)
    x.requires_grad_()
    w.requires_grad_()
    got = adder_sums(x, w)
    got.backward(g)
    torch.testing.assert_close(got.double(), y, rtol=1e-5, atol=2e-4)
    torch.testing.assert_close(x.grad.double(), by_x, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(w.grad.double(), by_w, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_accumulating_taps_gives_the_reference_to_float64_rounding(shape):
    x, w, g = (tensor.double() for tensor in example(shape))
    y, by_x, _ = reference(x, w, g)
    torch.testing.assert_close(kernels_torch.sums(x, w), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(kernels_torch.input_gradient(x, w, g), by_x, rtol=1e-12, atol=1e-12)


def test_a_cpu_runs_the_halide_kernels():
    halide = pytest.importorskip("training.kernels_halide")
    x, w, _ = example(SHAPES[0])
    assert adder.kernels(x, w) is halide
    assert adder.kernels(x.double(), w.double()) is kernels_torch


def test_adaptive_gradients_have_the_papers_norm():
    x, w, g = example(SHAPES[0])
    _, _, by_w = reference(x, w, g)
    w.requires_grad_()
    adder_sums(x, w, adaptive=True).backward(g)
    torch.testing.assert_close(w.grad.double(), by_w * w.numel() ** 0.5 / (5 * by_w.norm()), rtol=1e-4, atol=1e-5)


def test_weight_gradient_points_to_smaller_squared_distances():
    """AdderNet's dW is the gradient of -sum (x - w)^2 / 2."""
    x, w, g = (tensor.double() for tensor in example(SHAPES[0]))
    w.requires_grad_()
    patches = functional.unfold(functional.pad(x, (1, 1, 1, 1)), 3)[:, None]
    squares = -((patches - w.flatten(1)[None, :, :, None]) ** 2).sum(2) / 2
    (squares * g.flatten(2)).sum().backward()
    torch.testing.assert_close(kernels_torch.weight_gradient(x, w.detach(), g), w.grad, rtol=1e-10, atol=1e-10)


def rounded_off(x, w, reach):
    """-sum h(x - w) in float64 by broadcasting; differentiable."""
    windows = functional.unfold(functional.pad(x, (1, 1, 1, 1)), 3)[:, None]
    difference = windows - w.flatten(1)[None, :, :, None]
    away = torch.where(difference.abs() < reach, difference**2 / (2 * reach), difference.abs() - reach / 2)
    return -away.sum(2).view(len(x), len(w), *x.shape[2:])


@pytest.mark.parametrize("reach", [0.01, 0.5, 40])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rounded_off_sums_have_their_own_gradients(shape, reach):
    x, w, g = example(shape)
    leaves = [tensor.double().requires_grad_() for tensor in (x, w)]
    expected = rounded_off(*leaves, reach)
    expected.backward(g.double())
    x.requires_grad_()
    w.requires_grad_()
    got = soft_sums(x, w, reach)
    got.backward(g)
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=2e-4)
    for leaf, wanted in zip((x, w), leaves, strict=True):
        assert (leaf.grad - wanted.grad).norm() < 1e-4 * wanted.grad.norm()


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_accumulated_taps_are_rounded_off_to_float64_rounding(shape):
    x, w, _ = (tensor.double() for tensor in example(shape))
    torch.testing.assert_close(kernels_torch.soft_sums(x, w, 0.5), rounded_off(x, w, 0.5), rtol=1e-12, atol=1e-12)


def test_exact_sums_can_have_the_gradients_of_rounded_off_ones():
    x, w, g = example(SHAPES[0])
    gradients = []
    for exact in (False, True):
        leaves = [tensor.clone().requires_grad_() for tensor in (x, w)]
        sums = soft_sums(*leaves, 0.5, exact=exact)
        sums.backward(g)
        gradients.append([leaf.grad for leaf in leaves])
    torch.testing.assert_close(sums, adder_sums(x, w))
    torch.testing.assert_close(*gradients)


def test_a_far_reach_makes_a_convolution_of_it():
    x, w, _ = (tensor.double() for tensor in example(SHAPES[0]))
    reach = 100.0
    squares = functional.conv2d(x**2, torch.ones_like(w), padding=1) + (w**2).sum((1, 2, 3)).view(-1, 1, 1)
    convolved = functional.conv2d(x, w / reach, padding=1)
    torch.testing.assert_close(kernels_torch.soft_sums(x, w, reach), convolved - squares / (2 * reach), rtol=1e-12, atol=1e-12)


def finish_arguments(dtype, channels=16, seed=1):
    rng = torch.Generator().manual_seed(seed)
    y, x, g = (torch.randn(3, channels, 6, 7, generator=rng).to(dtype) for _ in range(3))
    gain, bias, slope = (torch.rand(channels, generator=rng).to(dtype) for _ in range(3))
    return y * 9 - 100, x, g, gain - 0.5, bias, slope


def textbook(y, x, gain, bias, slope, live, statistics):
    mean, variance = (None, None) if live else (t.to(y.dtype) for t in statistics)
    normalised = functional.batch_norm(y, mean, variance, gain, bias, training=live, eps=1e-5)
    return functional.prelu(normalised + x, slope)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finish_is_normalisation_residual_and_prelu_with_all_its_gradients(live, dtype):
    *values, gain, bias, slope = finish_arguments(dtype)
    y, x, g = values
    leaves = [tensor.clone().requires_grad_() for tensor in (y, x, gain, bias, slope)]
    twins = [tensor.double().clone().requires_grad_() for tensor in (y, x, gain, bias, slope)]
    statistics = moments(y) if live else (torch.full((16,), -99.0).double(), torch.full((16,), 77.0).double())
    got = finish(*leaves, statistics, live=live, epsilon=1e-5)
    expected = textbook(*twins, live, statistics)
    got.backward(g)
    expected.backward(g.double())
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(got.double(), expected, **tolerance)
    for leaf, twin in zip(leaves, twins, strict=True):
        torch.testing.assert_close(leaf.grad.double(), twin.grad, **tolerance)


@pytest.mark.parametrize("channels", [16, 5])
def test_moments_stand_a_mean_far_from_zero(channels):
    y = finish_arguments(torch.float32, channels)[0] - 3000
    mean, variance = moments(y)
    torch.testing.assert_close(mean, y.double().mean((0, 2, 3)), rtol=1e-6, atol=1e-4)
    torch.testing.assert_close(variance, y.double().var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-4)
