"""PReLU's own gradient is torch's, in either memory order, and takes a fraction of its time."""

import statistics
import time

import pytest
import torch
from torch import nn

from training.activation import PReLU


def _gradients(module, x, gradient):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = module(x)
    return [y.detach(), *torch.autograd.grad(y, (x, module.weight), gradient)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_torchs(layout, dtype):
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(2, 16, 5, 7, generator=generator, dtype=dtype).contiguous(memory_format=layout) for _ in range(2))
    x[0, :, 0, 0], x[1, :, 0, 0] = 0.0, -0.0
    slopes = torch.randn(16, generator=generator, dtype=dtype)
    modules = [kind(16).to(dtype) for kind in (PReLU, nn.PReLU)]
    for module in modules:
        module.weight.data.copy_(slopes)
    for ours, theirs in zip(_gradients(modules[0], x, gradient), _gradients(modules[1], x, gradient), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_bfloat16_is_what_float32_gives_rounded():
    """Also in an order of memory that kernels do not take, and for numbers that are none."""
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(2, 16, 5, 7, generator=generator).to(torch.bfloat16) for _ in range(2))
    x[0, 3, 1, 1] = torch.nan
    module = PReLU(16)
    module.weight.data.copy_(torch.randn(16, generator=generator))
    exact = _gradients(module, x.float(), gradient.float())
    for layout in (torch.contiguous_format, torch.channels_last):
        y, by_x, by_slope = _gradients(module, *(tensor.contiguous(memory_format=layout) for tensor in (x, gradient)))
        assert (y.dtype, by_x.dtype, by_slope.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
        torch.testing.assert_close(y, exact[0].to(torch.bfloat16), rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(by_x, exact[1].to(torch.bfloat16), rtol=0, atol=0)
        torch.testing.assert_close(by_slope, exact[2], equal_nan=True)


def test_the_gradient_is_sooner_there_than_torchs():
    x, gradient = (torch.randn(16, 16, 48, 48).contiguous(memory_format=torch.channels_last) for _ in range(2))

    def seconds(module):
        start = time.perf_counter()
        _gradients(module, x, gradient)
        return time.perf_counter() - start

    modules = PReLU(16), nn.PReLU(16)
    ours, theirs = (statistics.median(times) for times in zip(*((seconds(m) for m in modules) for _ in range(15)), strict=True))
    assert ours < theirs
