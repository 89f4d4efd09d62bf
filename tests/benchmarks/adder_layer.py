"""How fast one adder layer in 8 bits runs by itself, beside `byte_differences`: 16 channels, a strip that a core's cache holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from engine.backends.native import shared_kernels
from engine.kernels.buffers import View, aligned
from engine.kernels.compile import Shape, register_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.kernels.compile import Kernel

TWICE = "an adder layer, results packed twice before they are added"
PACKED, PLAIN = "an adder layer, results packed before they are added", "an adder layer, results added as they come"
WORDS = "an adder layer, results added as words"
SHAPES = {
    TWICE: Shape("adder_u8_twice.build", ()),
    PACKED: Shape("adder_u8.build", (16, False, True)),
    PLAIN: Shape("adder_u8.build", (16, False, False)),
    WORDS: Shape("adder_u8_words.build", (False, register_bytes())),
}
CHANNELS, WIDTH, ROWS, RUNS = 16, 320, 16, 128
TAPS = 9 * CHANNELS**2 * WIDTH * ROWS


class AdderLayer:
    """The kernel in its forms on random codes, on ``threads`` threads, each with a strip of its own."""

    def __init__(self, threads: int, clock: Callable[[], float]) -> None:
        self._kernels = {name: shared_kernels().get(shape) for name, shape in SHAPES.items()}
        self._clock = clock
        self._strips = [_views(np.random.default_rng(thread)) for thread in range(threads)]

    def rate(self, name: str) -> float:
        """Absolute differences a second on all threads together, the rescaling to codes included."""
        kernel = self._kernels[name]
        others = [threading.Thread(target=_run, args=(kernel, strip)) for strip in self._strips[1:]]
        start = self._clock()
        for other in others:
            other.start()
        _run(kernel, self._strips[0])
        for other in others:
            other.join()
        return TAPS * RUNS * len(self._strips) / (self._clock() - start)


def _run(kernel: Kernel, views: tuple[View, ...]) -> None:
    for _ in range(RUNS):
        kernel(*views)


def _views(rng: np.random.Generator) -> tuple[View, ...]:
    """Codes padded by a pixel, weights, table, output."""
    groups = CHANNELS // 8
    source = aligned((ROWS + 2, WIDTH + 2, CHANNELS), np.uint8)
    source[...] = rng.integers(0, 256, source.shape)
    weights = aligned((3, 3, groups, groups, 2, 4, 8), np.uint8)
    weights[...] = rng.integers(0, 256, weights.shape)
    table = aligned((5, CHANNELS), np.int32)
    table[...] = np.array([[3], [1 << 6], [5], [7], [0]])
    return View(source, (-1, -1, 0)), View(weights), View(table), View(aligned((ROWS, WIDTH, CHANNELS), np.uint8))
