"""Exact minimal filtering: sums of products in whole numbers, as they are without it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.kernels.filtering import INPUTS_GROW, PRODUCTS, READS, TILE, halves_of, inputs_of, taps_of


@pytest.mark.parametrize(("most", "largest"), [(4096, 128), (32767 // INPUTS_GROW, 128)])
def test_outputs_are_exact(most, largest, rng):
    inputs, taps = rng.integers(-most, most + 1, (READS, 500)), rng.integers(-largest, largest, (5, 500))
    products = [a * b for a, b in zip(inputs_of(list(inputs)), taps_of(list(taps)), strict=True)]
    assert len(products) == PRODUCTS
    expected = [sum(inputs[at + tap] * taps[tap] for tap in range(5)) for at in range(TILE)]
    np.testing.assert_array_equal(halves_of(products), 2 * np.array(expected))


def test_inputs_stay_in_sixteen_bits():
    """Each combination at its largest, over all corners."""
    corners = np.stack(np.meshgrid(*[(-1, 1)] * READS)).reshape(READS, -1)
    assert max(np.abs(value).max() for value in inputs_of(list(corners))) == INPUTS_GROW
    assert max(np.abs(value).max() for value in taps_of(list(corners[:5]))) == 5
