"""How fast one adder layer in 8 bits runs by itself, beside `byte_differences`: 16 channels, a strip that a core's cache holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from engine.backends.native import shared_kernels
from engine.backends.native_windows import MARGIN, Tensor
from engine.integer import IntegerLayer, Rescale
from engine.kernels import planes_adder
from engine.kernels.buffers import View, aligned, constant
from engine.kernels.compile import Shape, has_fours, register_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.kernels.compile import Kernel

TWICE = "an adder layer, results packed twice before they are added"
PACKED, PLAIN = "an adder layer, results packed before they are added", "an adder layer, results added as they come"
WORDS = "an adder layer, results added as words"
FOURS = "an adder layer by vdbpsadbw"
SHAPES = {
    TWICE: Shape("adder_u8_twice.build", ()),
    PACKED: Shape("adder_u8.build", (16, False, True)),
    PLAIN: Shape("adder_u8.build", (16, False, False)),
    WORDS: Shape("adder_u8_words.build", (False, register_bytes())),
} | ({FOURS: Shape("planes_adder.build", ())} if has_fours() else {})
CHANNELS, WIDTH, ROWS, RUNS = 16, 320, 64, 32
"""A call takes some tenths of a millisecond: much shorter ones would measure how threads take turns at Python's lock."""
TAPS = 9 * CHANNELS**2 * WIDTH * ROWS


class AdderLayer:
    """The kernel in its forms on random codes, on ``threads`` threads, each with a strip of its own."""

    def __init__(self, threads: int, clock: Callable[[], float]) -> None:
        self._kernels = {name: shared_kernels().get(shape) for name, shape in SHAPES.items()}
        self._clock = clock
        rngs = [np.random.default_rng(thread) for thread in range(threads)]
        self._strips = {name: [(_planes if name == FOURS else _views)(rng) for rng in rngs] for name in SHAPES}

    def rate(self, name: str) -> float:
        """Absolute differences a second on all threads together, the rescaling to codes included."""
        kernel, strips = self._kernels[name], self._strips[name]
        others = [threading.Thread(target=_run, args=(kernel, strip)) for strip in strips[1:]]
        start = self._clock()
        for other in others:
            other.start()
        _run(kernel, strips[0])
        for other in others:
            other.join()
        return TAPS * RUNS * len(strips) / (self._clock() - start)


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


def _planes(rng: np.random.Generator) -> tuple[View, ...]:
    """The same in planes."""
    rows = ROWS + 2 * MARGIN
    source, target = (Tensor(np.uint8, CHANNELS, planes=True).allocate(rows, WIDTH) for _ in range(2))
    source[...] = rng.integers(0, 256, source.shape)
    each = np.ones(CHANNELS, np.int32)
    weight = rng.integers(0, 256, (CHANNELS, CHANNELS, 3, 3)).astype(np.uint8)
    table = planes_adder.constants(IntegerLayer(weight, Rescale(3 * each, 5, each << 6, 7), 1.0, 0), None)
    return View(source, (-MARGIN, -MARGIN, 0)), constant(table), View(target[MARGIN : MARGIN + ROWS, MARGIN:-MARGIN])
