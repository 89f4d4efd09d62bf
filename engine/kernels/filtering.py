"""Exact minimal filtering F(4, 5): four neighbouring outputs of a row of five taps by eleven products instead of twenty.

    outputs = halves_of(product(inputs_of(inputs), taps_of(taps)))        (the product element by element, summed over rows and channels)

Two neighbouring inputs, taps and outputs at a time are a block. Outputs are two blocks and taps three (the sixth tap being 0), so F(2, 3)
of blocks takes four products of blocks; each is two outputs of two taps, which Karatsuba's identity takes in three products. For the points
0, 1, -1 and infinity the first needs halves; it is given twice the taps instead, and the outputs come out doubled. All is in whole numbers:
inputs grow fourfold and taps fivefold at most, and nothing is ever rounded.

The functions take and give lists of anything that can be added: NumPy arrays, Halide expressions, numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

TILE, READS, PRODUCTS = 4, 8, 11
"""Outputs of a tile, the inputs that it reads, and its products."""
INPUTS_GROW = 4
"""How many times as large as the inputs `inputs_of` can be."""


def inputs_of(inputs: Sequence[Any]) -> list[Any]:
    """What a tile's eight inputs become before the products."""
    blocks = [
        (first - second, second, third - second)
        for first, second, third in zip(inputs[0::2], inputs[1::2], (*inputs[2::2], 0), strict=True)
    ]
    zeroth, first, second, third = blocks
    outer = (
        [a - b for a, b in zip(zeroth, second, strict=True)],
        [a + b for a, b in zip(first, second, strict=True)],
        [a - b for a, b in zip(second, first, strict=True)],
        [a - b for a, b in zip(first, third, strict=True)],
    )
    return [value for block in outer for value in block][:PRODUCTS]


def taps_of(taps: Sequence[Any]) -> list[Any]:
    """What five taps become before the products."""
    a, b, c, d, e = taps
    blocks = ((2 * a, 2 * b), (a + c + e, b + d), (a - c + e, b - d), (2 * e, 0 * e))
    return [value for first, second in blocks for value in (first, first + second, second)][:PRODUCTS]


def halves_of(products: Sequence[Any]) -> list[Any]:
    """Twice the tile's outputs, of its products."""
    zeroth, first, second, third = products[0:3], products[3:6], products[6:9], (*products[9:11], 0)
    sums = [a + b for a, b in zip(first, second, strict=True)]
    differences = [a - b for a, b in zip(first, second, strict=True)]
    above = [a + b for a, b in zip(zeroth, sums, strict=True)]
    below = [a - b for a, b in zip(differences, third, strict=True)]
    return [above[0] + above[1], above[1] + above[2], below[0] + below[1], below[1] + below[2]]
