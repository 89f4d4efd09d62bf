"""A network's layers over a picture, a strip of rows at a time.

Every layer runs as far down the picture as its input allows: the first is ahead, each next one lags behind it by its kernel's
radius, and nothing is computed twice. Between two layers lies a `Window`: the few rows that the next one still needs, padded on
all sides as the network pads. A picture is cut into as many bands as there are threads; only where two bands meet are some rows
computed by both. Memory is therefore a few strips a thread, whatever the picture's height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import Cancelled
from engine.kernels.buffers import View, aligned
from engine.kernels.winograd import TILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import DTypeLike, NDArray

    from engine.kernels.compile import Kernel

MARGIN = 4
"""Columns of padding on either side of a window's rows, and rows above them."""
BELOW = 10
"""Rows below a window's rows: padding at the picture's end, and what kernels read that work on several rows at once."""
NARROWEST = 8
"""The kernels that read the luma plane and write the picture work on so many pixels; narrower pictures are widened by zeros."""
NARROWEST_WINDOW = 20
"""Between them, kernels work on blocks of up to so many pixels; a window is a multiple of `TILE` wide. What that adds to a
picture's width is wiped after each layer."""
STRIP_BYTES = 2**21
"""Size of the largest window of a strip: what two of them need should lie in a core's cache, and a call be worth its while."""
STRIPS_A_WINDOW = 2
"""Strips that a window has room for beside the rows it keeps: only when it is full are these rows moved back to its top."""


@dataclass(frozen=True)
class Tensor:
    """What a window holds: ``channels`` numbers a pixel (0: a plane without channels), and what pads it."""

    dtype: DTypeLike
    channels: int
    padding: int = 0

    def allocate(self, rows: int, width: int) -> NDArray[Any]:
        """An array of rows x (width + margins) x channels, all padding."""
        shape = (rows, width + 2 * MARGIN) + ((self.channels,) if self.channels else ())
        array = aligned(shape, self.dtype)
        array[...] = self.padding
        return array


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


class Window:
    """The rows of one step's output that are still needed, in a buffer that moves down the picture."""

    def __init__(self, tensor: Tensor, rows: int, width: int, written: int) -> None:
        self._padding = tensor.padding
        self._array = tensor.allocate(MARGIN + rows + BELOW, width)
        self._width = written
        self._base = -MARGIN  # the picture's row that is the array's row 0
        self._readable = View(self._array, (0, -MARGIN, 0)[: self._array.ndim])
        self._interior = self._array[:, MARGIN : MARGIN + written]
        self._writable = View(self._interior)

    def begin(self, row: int) -> None:
        """Start a band whose first row here is ``row``; above it lies padding (only row 0's is ever read)."""
        self._array[:MARGIN] = self._padding
        self._base = row - MARGIN

    def make_room(self, row: int, end: int, goal: int) -> None:
        """Rows above ``row`` are not needed any more, rows to ``end`` are filled, and rows to ``goal`` will be."""
        if goal + BELOW <= self._base + len(self._array):
            return
        self._array[: end - row] = self._array[row - self._base : end - self._base]
        self._base = row

    def readable(self, first: int) -> View:
        """All rows there are, ``first`` being row 0."""
        self._readable.show(0, self._base - first, len(self._array))
        return self._readable

    def writable(self, first: int, end: int) -> View:
        """Rows ``first`` to ``end`` of the picture's columns, to be filled; ``first`` is row 0."""
        self._writable.show(first - self._base, 0, end - first)
        return self._writable

    def finish(self, first: int, end: int, picture_width: int, picture_height: int) -> None:
        """Rows ``first`` to ``end`` have been filled: put padding where the picture has ended."""
        if picture_width < self._width:
            self._interior[first - self._base : end - self._base, picture_width:] = self._padding
        if end == picture_height:
            self._array[end - self._base : end - self._base + BELOW] = self._padding


class Band:
    """One thread's share of a picture: rows ``first`` to ``end`` of ``height`` x ``width`` input pixels and what they become.

    It keeps its windows and views, so that a video's next frame needs no new memory and begins at once.
    """

    def __init__(self, plan: Plan, height: int, width: int, first: int, end: int) -> None:
        self._plan, self._height, self._width, self._first, self._end = plan, height, width, first, end
        self._plane_width = plan.widened(width)
        self._wide = -(-max(width, NARROWEST_WINDOW) // TILE) * TILE
        self._reaches = plan.reaches()
        strip = STRIP_BYTES // (self._wide * plan.pixel_bytes())
        self._most_rows = end - first + 2 * self._reaches[0]
        self._rows = max(1, min(strip, self._most_rows))
        self._windows = [self._window(index) for index in range(len(plan.steps) - 1)]
        self._done: list[int] = []
        self._views: tuple[View, View] | None = None
        self._readers = [[(i, step.radius) for i, step in enumerate(plan.steps) if index in step.reads] for index in range(len(plan.steps))]

    def run(self, plane: NDArray[np.float32], picture: NDArray[np.float32], cancelled: Callable[[], bool]) -> None:
        """Upscale the band of luma ``plane`` (height, wide) into ``picture`` (scale*height, scale*wide), both float32.

        wide is what `Plan.widened` says. Raises Cancelled soon after ``cancelled()`` turns true.
        """
        source, target = self._over(plane, picture)
        try:
            self._run(source, target, cancelled)
        finally:
            source.let_go()
            target.let_go()

    def _run(self, source: View, target: View, cancelled: Callable[[], bool]) -> None:
        self._done = [max(0, self._first - reach) for reach in self._reaches]
        for window, row in zip(self._windows, self._done, strict=False):
            window.begin(row)
        for goals in self._goals():
            if cancelled():
                raise Cancelled("upscaling was cancelled")
            for index, goal in enumerate(goals):
                if goal > self._done[index]:
                    self._advance(index, goal, source, target)

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

    def _goals(self) -> Iterator[list[int]]:
        """For each strip, the row that each step shall reach."""
        ahead = self._reaches[0]
        front = self._first - ahead
        while front < self._end + ahead:
            front += self._rows
            yield [
                max(done, min(front - ahead + reach, self._end + reach, self._height))
                for done, reach in zip(self._done, self._reaches, strict=True)
            ]

    def _advance(self, index: int, goal: int, source: View, target: View) -> None:
        """Let one step compute its rows up to ``goal``; the first of them is the kernel's row 0."""
        step, first = self._plan.steps[index], self._done[index]
        views = [self._windows[i].readable(first) for i in step.reads] + list(step.constants)
        if step.reads_plane:
            source.show(first, 0, goal - first)
            views.append(source)
        if step.output is None:
            target.show(first, 0, goal - first)
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
        step = self._plan.steps[index]
        assert step.output is not None
        lags = [self._reaches[index] - self._reaches[i] + step.radius for i, step in enumerate(self._plan.steps) if index in step.reads]
        rows = min(STRIPS_A_WINDOW * self._rows, self._most_rows) + max(lags)
        return Window(step.output, rows, self._wide, self._plane_width if step.reads_plane else self._wide)


def padded_channels(f: int) -> int:
    """Channels that the kernels compute for ``f``: 8, or whole vectors of 16."""
    return 8 if f <= 8 else -(-f // 16) * 16


def grown(array: NDArray[Any], shape: tuple[int, ...], value: int = 0) -> NDArray[Any]:
    """``array`` grown at the ends of its dimensions to ``shape`` with ``value``."""
    return np.pad(array, [(0, want - have) for want, have in zip(shape, array.shape, strict=True)], constant_values=value)
