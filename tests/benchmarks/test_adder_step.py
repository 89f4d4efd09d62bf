"""A training step of an adder network against its convolution twin's."""

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("halide")
network = pytest.importorskip("training.network")

from engine.network import NetworkSpec  # noqa: E402 - after what may skip this file
from training.memory import keep_freed_memory  # noqa: E402


def stepper(block):
    made = network.build(NetworkSpec(2, 5, 16, block), expansion=256)
    made.progress(0.5)
    optimiser = torch.optim.Adam(made.parameters(), lr=1e-4)
    low, high = torch.rand(16, 1, 48, 48), torch.rand(16, 1, 96, 96)

    def step():
        optimiser.zero_grad()
        (made(low) - high).abs().mean().backward()
        optimiser.step()

    return step


def saved_bytes(block):
    """What the forward pass keeps for the backward pass."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    made = network.build(NetworkSpec(2, 5, 16, block), expansion=256)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        made(torch.rand(16, 1, 48, 48)).sum()
    return sum(kept.values())


def test_an_adder_step_keeps_no_more_than_twice_its_twins_memory():
    assert saved_bytes("adder") < 2 * saved_bytes("convolution")


@pytest.mark.benchmark
def test_an_adder_step_takes_at_most_twice_its_twins_time():
    keep_freed_memory()  # as every training process does
    steps = {block: stepper(block) for block in ("convolution", "adder")}
    times = {block: [] for block in steps}
    for turn in range(22):
        for block, step in steps.items():
            start = time.perf_counter()
            step()
            if turn > 1:
                times[block].append(time.perf_counter() - start)
    convolution, adder = (np.median(times[block]) for block in ("convolution", "adder"))
    print(f"adder {1e3 * adder:.0f} ms, convolution {1e3 * convolution:.0f} ms")  # noqa: T201
    assert adder < 2 * convolution, f"adder {1e3 * adder:.0f} ms, convolution {1e3 * convolution:.0f} ms"
