"""Activations on codes by kernels: torch's own values and gradients, sooner."""

import statistics
import time

import pytest
import torch

from training.quantise import on_codes

pytest.importorskip("halide")

SCALE, ZERO = 0.03125, 40.0
"""A power of two, so that float32 and float64 agree which values lie halfway."""


def both(x, gradient, slope, dtype):
    """Values and gradients by x, scale, zero point and slope; only float32 has kernels."""
    parts = [x.to(dtype), torch.tensor(SCALE, dtype=dtype), torch.tensor(ZERO, dtype=dtype), None if slope is None else slope.to(dtype)]
    wanted = [part.clone(memory_format=torch.preserve_format).requires_grad_() for part in parts if part is not None]
    y = on_codes(*wanted)
    return [y.detach(), *torch.autograd.grad(y, wanted, gradient.to(dtype))]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [8, 16, 32])
@pytest.mark.parametrize("with_slope", [True, False])
def test_values_and_gradients_are_torchs(layout, channels, with_slope):
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(2, channels, 9, 7, generator=generator).contiguous(memory_format=layout) for _ in range(2))
    x = x * 4  # beyond both ends of the range: -1.25 to 6.7
    x[0, :, 0, 0], x[1, :, 0, 0], x[0, :, 1, 1] = 0.0, SCALE / 2, -SCALE / 2
    slope = torch.rand(channels, generator=generator) * 2 - 1 if with_slope else None
    for ours, theirs in zip(both(x, gradient, slope, torch.float32), both(x, gradient, slope, torch.float64), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_slopes_work_on_codes():
    """-7 codes and a slope of 1/2: -3.5, which rounds up."""
    x = torch.full((1, 8, 1, 1), -7.2 * SCALE)
    assert (on_codes(x, torch.tensor(SCALE), torch.tensor(ZERO), torch.full((8,), 0.5)) == -3 * SCALE).all()


def test_they_are_there_sooner():
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(8, 16, 48, 48, generator=generator).contiguous(memory_format=torch.channels_last) for _ in range(2))
    slope = torch.rand(16, generator=generator)

    def seconds(dtype):
        start = time.perf_counter()
        both(x, gradient, slope, dtype)
        return time.perf_counter() - start

    seconds(torch.float32)
    ours, theirs = (
        statistics.median(times) for times in zip(*((seconds(torch.float32), seconds(torch.float64)) for _ in range(9)), strict=True)
    )
    assert ours < theirs / 2
