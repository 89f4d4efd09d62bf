"""A training step with collapsed linear blocks against the same step with expanded ones, in processor time."""

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
network = pytest.importorskip("training.network")

from engine.network import NetworkSpec  # noqa: E402 - after what may skip this file


def stepper(form):
    made = network.build(NetworkSpec(2, 5, 16), expansion=256, form=form)
    low, high = torch.rand(8, 1, 48, 48), torch.rand(8, 1, 96, 96)

    def step():
        made.zero_grad()
        (made(low) - high).abs().mean().backward()

    return step


@pytest.fixture
def _one_thread():
    """Threads that wait for one another burn processor time too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.benchmark
@pytest.mark.usefixtures("_one_thread")
def test_a_collapsed_step_is_far_cheaper_than_an_expanded_one():
    steps = {form: stepper(form) for form in ("collapsed", "expanded")}
    times = {form: [] for form in steps}
    for turn in range(4):
        for form, step in steps.items():
            start = time.process_time()
            step()
            if turn > 0:
                times[form].append(time.process_time() - start)
    collapsed, expanded = (np.median(times[form]) for form in ("collapsed", "expanded"))
    print(f"expanded / collapsed: {expanded / collapsed:.1f}")  # noqa: T201
    assert expanded > 8 * collapsed, f"expanded {1e3 * expanded:.0f} ms, collapsed {1e3 * collapsed:.0f} ms"
