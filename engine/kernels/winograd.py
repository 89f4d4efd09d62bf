"""Winograd's minimal filtering F(4, n): four neighbouring outputs of a row of n taps by n + 3 products (Lavin and Gray, arXiv 1509.09308).

    outputs = of_products(of_inputs(inputs) * (filter.taps @ taps))        (the products summed over rows and channels)

For the points 0, 1, -1, 2, -2, for five taps 1/2 and -1/2 too, and infinity, where rounding costs less than a digit of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TILE = 4
"""Outputs of a tile."""


@dataclass(frozen=True)
class Filter:
    """The three transforms as matrices: a row a product, for ``outputs`` a row an output.

    Points but the first (0) and the last (infinity) come in pairs of opposites, whose rows differ in the signs of every other factor:
    what a pair has in common is computed once.
    """

    inputs: NDArray[np.float64]
    taps: NDArray[np.float64]
    outputs: NDArray[np.float64]

    @property
    def products(self) -> int:
        """How many products a tile takes, and how many inputs it reads."""
        return len(self.inputs)

    def of_inputs(self, inputs: Sequence[Any]) -> list[Any]:
        """What a tile's inputs become before the products (of anything that can be added and multiplied by a number)."""
        made = [_combined(self.inputs[0], inputs)]
        for plus, minus in zip(self.inputs[1:-1:2], self.inputs[2:-1:2], strict=True):
            even, odd = _combined((plus + minus) / 2, inputs), _combined((plus - minus) / 2, inputs)
            made += [even + odd, even - odd]
        return [*made, _combined(self.inputs[-1], inputs)]

    def of_products(self, products: Sequence[Any]) -> list[Any]:
        """The tile's outputs, of its products."""
        pairs = list(zip(products[1:-1:2], products[2:-1:2], strict=True))
        sums, differences = [plus + minus for plus, minus in pairs], [plus - minus for plus, minus in pairs]
        made = [_combined(row[1:-1:2], (sums, differences)[i % 2]) for i, row in enumerate(self.outputs)]
        return [made[0] + products[0], *made[1:-1], made[-1] + products[-1]]


def filter_of(points: Sequence[float]) -> Filter:
    """F(4, len(points) - 2) for 0, these opposites, and infinity."""
    finite = np.array([0, *(sign * point for point in points for sign in (1, -1))])
    taps = len(finite) - TILE + 2
    others = [np.delete(finite, at) for at in range(len(finite))]
    inputs = [*[[*np.poly(roots)[::-1].tolist(), 0.0] for roots in others], np.poly(finite)[::-1].tolist()]
    scales = [np.prod(point - roots) for point, roots in zip(finite, others, strict=True)]
    of_taps = np.vstack([finite[:, None] ** np.arange(taps) / np.array(scales)[:, None], np.eye(taps)[-1]])
    outputs = np.hstack([finite ** np.arange(TILE)[:, None], np.eye(TILE)[:, -1:]])
    return Filter(np.array(inputs), of_taps, outputs)


def _combined(factors: Sequence[float], values: Sequence[Any]) -> Any:
    """The sum of values times factors, without those that are 0."""
    first, *others = [value if factor == 1 else float(factor) * value for factor, value in zip(factors, values, strict=True) if factor]
    return sum(others, first)


THREE, FIVE = filter_of((1, 2)), filter_of((1, 2, 0.5))
"""F(4, 3) and F(4, 5)."""
