"""The convolution that trains: torch's values and gradients, the weights' from our own kernel where there is one."""

import pytest
import torch
from torch.nn import functional

from training.convolution import convolve

SHAPES = [(1, 16, 5), (16, 16, 3), (16, 4, 5), (16, 16, 5), (32, 9, 5), (3, 5, 3), (8, 8, 1), (1, 24, 3)]


def _gradients(function, *inputs, gradient):
    inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    y = function(*inputs)
    return [y.detach(), *torch.autograd.grad(y, inputs, gradient)]


@pytest.mark.parametrize("size", [(48, 48), (1, 1), (3, 50), (17, 5)])
@pytest.mark.parametrize(("channels_in", "channels_out", "side"), SHAPES)
def test_values_and_gradients_are_torchs(channels_in, channels_out, side, size):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels_in, *size, generator=generator)
    kernel = torch.randn(channels_out, channels_in, side, side, generator=generator)
    bias = torch.randn(channels_out, generator=generator)
    gradient = torch.randn(2, channels_out, *size, generator=generator)

    def plain(x, kernel, bias):
        return functional.conv2d(x, kernel, bias, padding=side // 2)

    ours = _gradients(convolve, x, kernel, bias, gradient=gradient)
    theirs = _gradients(plain, *(tensor.double() for tensor in (x, kernel, bias)), gradient=gradient.double())
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their.float(), rtol=1e-4, atol=1e-4 * float(their.abs().max()))


def test_the_weight_gradient_is_our_kernels_and_does_not_depend_on_the_threads():
    kernels = pytest.importorskip("training.kernels_correlation", reason="needs Halide")
    x, gradient = torch.randn(3, 16, 20, 20), torch.randn(3, 4, 20, 20)
    assert kernels.supports(x, gradient)
    assert not kernels.supports(x[:, :3], gradient)
    assert not kernels.supports(x.double(), gradient.double())
    kernel, bias = torch.randn(4, 16, 5, 5), torch.zeros(4)
    used = _gradients(convolve, x, kernel, bias, gradient=gradient)[2]
    torch.testing.assert_close(used, kernels.correlation(x, gradient, 5), rtol=0, atol=0)
    torch.testing.assert_close(used, kernels.correlation(x, gradient, 5), rtol=0, atol=0)


@pytest.mark.parametrize(("channels_in", "channels_out", "side"), SHAPES[:4])
def test_under_autocast_it_computes_in_bfloat16_and_gives_float32_gradients_of_weights(channels_in, channels_out, side):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels_in, 17, 20, generator=generator)
    kernel, bias = torch.randn(channels_out, channels_in, side, side, generator=generator), torch.randn(channels_out, generator=generator)
    gradient = torch.randn(2, channels_out, 17, 20, generator=generator)
    exact = _gradients(convolve, x, kernel, bias, gradient=gradient)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = _gradients(convolve, x, kernel, bias, gradient=gradient.to(torch.bfloat16))
    assert [part.dtype for part in rounded] == [torch.bfloat16, torch.float32, torch.float32, torch.float32]
    assert not torch.equal(rounded[0].float(), exact[0])
    for ours, theirs in zip(rounded, exact, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=0, atol=2e-2 * float(theirs.abs().max()))


def test_only_the_gradients_that_are_wanted_are_computed():
    x, kernel, bias = torch.randn(1, 8, 9, 9), torch.randn(8, 8, 3, 3), torch.zeros(8, requires_grad=True)
    y = convolve(x, kernel, bias)
    y.sum().backward()
    assert bias.grad is not None
    assert x.grad is None
    assert kernel.grad is None
