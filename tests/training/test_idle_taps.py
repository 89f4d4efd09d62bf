"""The tool that counts an adder network's idle taps."""

import torch

from tests.benchmarks.idle_taps import passing


def test_a_taps_inputs_are_counted_on_the_rarer_side():
    x = torch.arange(10.0).view(1, 1, 2, 5)
    weight = torch.tensor([-1.0, 0.5, 4.5, 7.5, 20.0]).view(5, 1, 1, 1)
    torch.testing.assert_close(passing(weight, x).flatten(), torch.tensor([0, 0.1, 0.5, 0.2, 0]))
