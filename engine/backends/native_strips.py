"""A network's layers over a picture, a strip of rows at a time.

Every layer runs as far through the picture as its input allows: the first is ahead, each next one lags behind it by its kernel's
radius, and nothing is computed twice. Between two layers lies a `Window`: the few rows that the next one still needs. Memory is
therefore a few strips a thread, whatever the picture's height.

Two threads share a picture from its two ends: one takes strips from the top, the other one from the bottom, smaller ones
as they near each other, until no rows are left between them. So both end at the same time, however fast the core of each happens
to be, and only where they meet are some rows computed by both. What a row's pixels are does not depend on who computes them.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backends.native_windows import Tensor, Window
from engine.errors import Cancelled
from engine.kernels.buffers import View
from engine.kernels.winograd import TILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from engine.kernels.compile import Kernel

NARROWEST = 8
"""The kernels that read the luma plane and write the picture work on so many pixels; narrower pictures are widened by zeros."""
NARROWEST_WINDOW = 40
"""Between them, kernels work on blocks of up to so many pixels; windows are as wide as a multiple of `TILE` and of `Plan.columns`. What
that adds to a picture's width is wiped after each layer."""
STRIP_BYTES = 2**21
"""Size of the largest window of a strip: what two of them need should lie in a core's cache, and a call be worth its while."""
TURN = 8
"""Strips are so many rows or a multiple, where memory allows: the last layer's kernel does so many at a time."""
STRIPS_A_WINDOW = 2
"""Strips that a window has room for beside the rows it keeps: only when it is full are these rows moved back to its beginning."""


SUM_BYTES, HALF_REGISTER = 4, 32
"""Bytes of an output's sum, in float and in integers; of a register that every processor has, which is half of one with AVX-512."""
FOUR_SUMS = 16
"""Bytes that the sums of four outputs take. The last layers' kernels hold as many fours in a register as fit."""


def body_register(channels: int, register: int) -> int:
    """How many bytes of a register of ``register`` the sums of so many channels fill: all or half of them."""
    return register if channels * SUM_BYTES % register == 0 else HALF_REGISTER


def last_register(scale: int, register: int) -> int:
    """How many bytes of a register of ``register`` the last layers' kernels fill: more outputs than four would not fit on their stack."""
    return register if scale**2 * SUM_BYTES == FOUR_SUMS else HALF_REGISTER


@dataclass(frozen=True)
class Step:
    """One kernel of a network. It is given the windows that steps ``reads`` filled, ``constants``, and the luma plane if it wants it.

    ``radius``: rows that it needs above and below each of its own. ``output`` None: it writes the picture.
    """

    kernel: Kernel
    reads: tuple[int, ...]
    constants: tuple[View, ...]
    radius: int
    output: Tensor | None
    reads_plane: bool = False


@dataclass(frozen=True)
class Plan:
    """A network's steps in order; step 0 reads the luma plane and the last one writes the picture, ``scale`` times as large.

    Both are as wide as a multiple of ``columns`` and no less than `NARROWEST`: see `widened`.
    """

    steps: tuple[Step, ...]
    scale: int
    columns: int = 1

    def widened(self, width: int) -> int:
        """How wide the luma plane and what becomes of it must be for a picture of ``width``."""
        return max(-(-width // self.columns) * self.columns, NARROWEST)

    def reaches(self) -> list[int]:
        """How many rows beyond the last step's each step must be ahead."""
        reaches = [0] * len(self.steps)
        for index in reversed(range(len(self.steps))):
            for source in self.steps[index].reads:
                reaches[source] = max(reaches[source], reaches[index] + self.steps[index].radius)
        return reaches

    def pixel_bytes(self) -> int:
        """Bytes a pixel of a body layer's output."""
        output = self.steps[1].output
        assert output is not None
        return np.dtype(output.dtype).itemsize * output.channels


class Rows:
    """The rows ``first`` to ``end`` of a picture, to be taken in strips by ``takers``: one from the top, two from both ends."""

    def __init__(self, first: int, end: int, takers: int) -> None:
        self.first, self.end, self.takers = first, end, takers
        self._left = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Nothing has been taken yet."""
        self._left = self.end - self.first

    def take(self, most: int) -> int:
        """How many rows the caller shall do next: its share of what is left, at most so many; 0 when there are no more."""
        with self._lock:
            share = self._left // self.takers // TURN * TURN
            count = min(max(share, TURN), most, self._left)
            self._left -= count
            return count


class Band:
    """One thread's share of a picture of ``height`` x ``width`` pixels: strips of ``rows`` from the top or, ``upward``, from the bottom.

    It keeps its windows and views, so that a video's next frame needs no new memory and begins at once. Its rows are counted in the
    direction in which it goes.
    """

    def __init__(self, plan: Plan, height: int, width: int, rows: Rows, upward: bool) -> None:
        self._plan, self._height, self._width, self._shared, self._upward = plan, height, width, rows, upward
        self._first = height - rows.end if upward else rows.first
        self._plane_width = plan.widened(width)
        together = math.lcm(TILE, plan.columns)
        self._wide = -(-max(width, NARROWEST_WINDOW) // together) * together
        self._reaches = plan.reaches()
        strip = STRIP_BYTES // (self._wide * plan.pixel_bytes())
        self._rows = max(1, min(strip // TURN * TURN or strip, rows.end - rows.first))
        self._windows = [self._window(index) for index in range(len(plan.steps) - 1)]
        self._done: list[int] = []
        self._views: tuple[View, View] | None = None
        self._readers = [[(i, step.radius) for i, step in enumerate(plan.steps) if index in step.reads] for index in range(len(plan.steps))]

    def run(self, plane: NDArray[np.float32], picture: NDArray[np.float32], cancelled: Callable[[], bool]) -> None:
        """Upscale the band's share of luma ``plane`` (height, wide) into ``picture`` (scale*height, scale*wide), both float32.

        wide is what `Plan.widened` says. Raises Cancelled soon after ``cancelled()`` turns true.
        """
        source, target = self._over(plane, picture)
        try:
            self._run(source, target, cancelled)
        finally:
            source.let_go()
            target.let_go()

    def _run(self, source: View, target: View, cancelled: Callable[[], bool]) -> None:
        end = self._first
        self._done = [max(0, end - reach) for reach in self._reaches]
        for window, row in zip(self._windows, self._done, strict=False):
            window.begin(row)
        while count := self._shared.take(self._rows):
            if cancelled():
                raise Cancelled("upscaling was cancelled")
            end += count
            for index, reach in enumerate(self._reaches):
                self._advance(index, min(end + reach, self._height), source, target)

    def _over(self, plane: NDArray[np.float32], picture: NDArray[np.float32]) -> tuple[View, View]:
        """The views of the luma plane and of the picture as the last step writes it."""
        scale = self._plan.scale
        blocks = picture.reshape(self._height, scale, self._plane_width, scale)
        if self._views is None:
            self._views = View(plane), View(blocks)
        else:
            self._views[0].follow(plane)
            self._views[1].follow(blocks)
        return self._views

    def _advance(self, index: int, goal: int, source: View, target: View) -> None:
        """Let one step compute its rows up to ``goal``; the topmost of them is the kernel's row 0."""
        step, first = self._plan.steps[index], self._done[index]
        if goal == first:
            return
        top = self._height - goal if self._upward else first
        views = [self._windows[i].readable(first, goal) for i in step.reads] + list(step.constants)
        if step.reads_plane:
            source.show(top, 0, goal - first)
            views.append(source)
        if step.output is None:
            target.show(top, 0, goal - first)
            step.kernel(*views, target)
        else:
            window = self._windows[index]
            window.make_room(self._needed(index), first, goal)
            step.kernel(*views, window.writable(first, goal))
            window.finish(first, goal, self._width, self._height)
        self._done[index] = goal

    def _needed(self, index: int) -> int:
        """The first row of a step's output that some later step will still read."""
        return min([self._done[reader] - radius for reader, radius in self._readers[index]])

    def _window(self, index: int) -> Window:
        """Room for a few strips and for what the first one takes before it: as many rows as the step is ahead, on both sides."""
        step = self._plan.steps[index]
        assert step.output is not None
        rows = min(STRIPS_A_WINDOW * self._rows, self._height) + 2 * self._reaches[index]
        return Window(step.output, rows, self._wide, self._plane_width if step.reads_plane else self._wide, self._upward)


def padded_channels(f: int) -> int:
    """Channels that the kernels compute for ``f``: 8, or whole vectors of 16."""
    return 8 if f <= 8 else -(-f // 16) * 16


def grown(array: NDArray[Any], shape: tuple[int, ...], value: int = 0) -> NDArray[Any]:
    """``array`` grown at the ends of its dimensions to ``shape`` with ``value``."""
    return np.pad(array, [(0, want - have) for want, have in zip(shape, array.shape, strict=True)], constant_values=value)
