"""Winograd's minimal filtering F(4, 3): four neighbouring outputs of a row of three taps by six products instead of twelve.

    outputs = OF_PRODUCTS (OF_TAPS taps * OF_INPUTS inputs)        (the product element by element)

For the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, arXiv 1509.09308), where rounding costs less than a digit of float32.
"""

from __future__ import annotations

import numpy as np

TILE, PRODUCTS = 4, 6
"""Outputs of a tile; its products, and the inputs that it reads."""
OF_INPUTS = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
OF_PRODUCTS = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
OF_TAPS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
