"""``python -m tests.benchmarks.training_speed``: our training kernels beside torch's own, and a step of each network; one thread.

Forms are timed in turn within a round, and medians of processor time are compared. Batches are of 16 patches of 48x48.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from typing import TYPE_CHECKING
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.network import NetworkSpec
from training.activation import PReLU
from training.kernels_correlation import correlation
from training.loop import half_is_fast, precision
from training.memory import keep_freed_memory
from training.network import Network, build
from training.optimiser import make_optimiser
from training.quantise import FakeQuantised

if TYPE_CHECKING:
    from collections.abc import Callable

    Piece = Callable[[], object]

BATCH, SIDE = 16, 48
LAYERS = ((1, 16, 5), (16, 16, 3), (16, 4, 5), (16, 16, 5), (32, 32, 3))
"""Inputs, outputs and kernel sides of the layers there are."""
NETWORKS = {
    "SESR-M5": NetworkSpec(2, 5, 16),
    "SESR-M11": NetworkSpec(2, 11, 16),
    "SESR-XL": NetworkSpec(2, 11, 32),
    "AdderSESR-M5": NetworkSpec(2, 5, 16, "adder"),
}
CPU = torch.device("cpu")


def medians(pieces: dict[str, Piece], rounds: int) -> dict[str, float]:
    """Seconds of processor time of each, the median over ``rounds``, after two to warm up."""
    times: dict[str, list[float]] = {name: [] for name in pieces}
    for turn in range(rounds + 2):
        for name, piece in pieces.items():
            start = time.process_time()
            piece()
            if turn > 1:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def weight_gradients(inputs: int, outputs: int, side: int) -> dict[str, Piece]:
    """A convolution's weight gradient by torch and by ours."""
    x, gradient = (_maps(channels) for channels in (inputs, outputs))
    kernel = torch.randn(outputs, inputs, side, side).contiguous(memory_format=torch.channels_last)
    pad = [side // 2, side // 2]

    def theirs() -> object:
        wanted = [False, True, False]
        return torch.ops.aten.convolution_backward(gradient, x, kernel, None, [1, 1], pad, [1, 1], False, [0, 0], 1, wanted)

    return {"torch": theirs, "ours": lambda: correlation(x, gradient, side)}


def activation_gradients() -> dict[str, Piece]:
    """PReLU's gradients by torch and by ours."""

    def piece(module: nn.PReLU) -> Piece:
        x, gradient = _maps(16).requires_grad_(), _maps(16)
        y: Tensor = module(x)
        return lambda: torch.autograd.grad(y, (x, module.weight), gradient, retain_graph=True)

    return {"torch": piece(nn.PReLU(16)), "ours": piece(PReLU(16))}


def quantised_steps(spec: NetworkSpec) -> dict[str, Piece]:
    """Whole steps of training for 8 bits: ours, and with activations on codes by torch."""
    step = _step(FakeQuantised(build(spec, expansion=0), batches=[torch.rand(BATCH, 1, SIDE, SIDE)]))

    def with_torchs() -> None:
        with patch("training.quantise._kernels", lambda _: None):
            step()

    return {"torch": with_torchs, "ours": step}


def steps(spec: NetworkSpec) -> dict[str, Piece]:
    """Whole steps with SOAP on the collapsed kernels: ours, in bfloat16 where that is fast, and with torch's gradients (not of adders)."""
    pieces: dict[str, Piece] = {"ours": _step(build(spec, expansion=0))}
    if half_is_fast(CPU):
        pieces["bfloat16"] = _step(build(spec, expansion=0), amp=True)
    if spec.block == "convolution":
        plain = build(spec, expansion=0)
        plain.activations = nn.ModuleList(nn.PReLU(spec.f) for _ in range(spec.m))
        step = _step(plain)

        def with_torchs() -> None:
            with patch("training.blocks.convolve", _torchs_convolution):
                step()

        pieces["torch"] = with_torchs
    return pieces


def _step(network: Network, *, amp: bool = False) -> Callable[[], None]:
    network.progress(0.5)
    optimiser = make_optimiser("soap", network, 1e-4)
    low, high = torch.rand(BATCH, 1, SIDE, SIDE), torch.rand(BATCH, 1, 2 * SIDE, 2 * SIDE)

    def step() -> None:
        optimiser.zero_grad()
        with precision(CPU, amp=amp):
            made = network(low)
        (made.float() - high).abs().mean().backward()
        optimiser.step()

    return step


def _torchs_convolution(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    x, kernel = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, kernel))
    return functional.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)


def main(arguments: list[str] | None = None) -> None:
    """Print two tables as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.training_speed")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args(arguments).rounds
    torch.set_num_threads(1)
    keep_freed_memory()
    sys.stdout.write("| gradient | torch, ms | ours, ms | ratio |\n|---|---|---|---|\n")
    pieces = {f"weights, {i} -> {o}, {k}x{k}": weight_gradients(i, o, k) for i, o, k in LAYERS}
    pieces["PReLU, 16 channels"] = activation_gradients()
    pieces["a whole step of SESR-M5 for 8 bits: activations on codes"] = quantised_steps(NETWORKS["SESR-M5"])
    for name, both in pieces.items():
        taken = medians(both, rounds)
        sys.stdout.write(f"| {name} | {1e3 * taken['torch']:.2f} | {1e3 * taken['ours']:.2f} | {taken['torch'] / taken['ours']:.1f} |\n")
    sys.stdout.write("\n| step | torch's gradients, ms | ours, ms | ratio | bfloat16, ms | ratio to ours |\n|---|---|---|---|---|---|\n")
    for name, spec in NETWORKS.items():
        taken = medians(steps(spec), rounds)
        ours, theirs, half = (1e3 * taken.get(form, math.nan) for form in ("ours", "torch", "bfloat16"))
        sys.stdout.write(f"| {name} | {theirs:.0f} | {ours:.0f} | {theirs / ours:.2f} | {half:.0f} | {ours / half:.2f} |\n")


def _maps(channels: int) -> Tensor:
    return torch.randn(BATCH, channels, SIDE, SIDE).contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
