"""The rows that lie between two layers of a network: what the next one still needs, padded on all sides as the network pads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.kernels.buffers import View, aligned

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

MARGIN = 4
"""Columns of padding on either side of a window's rows, and rows above them."""
BELOW = 10
"""Rows below a window's rows: padding at the picture's end, and what kernels read that work on several rows at once."""
LARGEST_RADIUS = 2
"""Rows beyond the picture's that any kernel needs for what it writes."""


@dataclass(frozen=True)
class Tensor:
    """What a window holds: ``channels`` numbers a pixel (0: a plane without channels), and what pads it.

    A pixel's channels lie side by side, or in ``planes`` a channel's pixels of a row.
    """

    dtype: DTypeLike
    channels: int
    padding: int = 0
    planes: bool = False

    def allocate(self, rows: int, width: int) -> NDArray[Any]:
        """An array of rows x (width + margins) x channels, all padding."""
        columns = width + 2 * MARGIN
        shape: tuple[int, ...] = (rows, columns)
        if self.channels:
            shape = (rows, self.channels, columns) if self.planes else (rows, columns, self.channels)
        array = aligned(shape, self.dtype)
        array[...] = self.padding
        return array.swapaxes(1, 2) if self.planes else array


class Window:
    """The rows of one step's output that are still needed, in a buffer that moves through the picture.

    Rows are counted in the direction in which it moves: down from the picture's first row, or ``upward`` from its last one. ``rows``:
    for how many there is room; ``width`` columns, of which kernels write the first ``written``.
    """

    def __init__(self, tensor: Tensor, rows: int, width: int, written: int, upward: bool) -> None:
        self._padding, self._width, self._upward = tensor.padding, width, upward
        self._before, self._after = (BELOW, MARGIN) if upward else (MARGIN, BELOW)
        array = tensor.allocate(MARGIN + rows + BELOW, width)
        interior = array[:, MARGIN : MARGIN + written]
        self._readable = View(array, (0, -MARGIN, 0)[: array.ndim])
        self._writable = View(interior)
        self._array, self._interior = (array[::-1], interior[::-1]) if upward else (array, interior)
        self._base = 0  # which row is the array's row 0

    def begin(self, row: int) -> None:
        """Start with ``row``. Before it lies padding, for no rows are ever put there (and only row 0's is ever read)."""
        self._base = row - self._before

    def make_room(self, row: int, end: int, goal: int) -> None:
        """Rows before ``row`` are not needed any more, rows to ``end`` are filled, and rows to ``goal`` will be."""
        if goal + self._after <= self._base + len(self._array):
            return
        base = row - self._before
        self._array[self._before : end - base] = self._array[row - self._base : end - self._base]
        self._base = base

    def readable(self, first: int, end: int) -> View:
        """All rows there are, for a kernel that writes rows ``first`` to ``end``: the topmost of these is its row 0."""
        self._readable.show(0, -self._topmost(first, end), len(self._array))
        return self._readable

    def writable(self, first: int, end: int) -> View:
        """Rows ``first`` to ``end`` of the picture's columns, to be filled; the topmost is row 0."""
        self._writable.show(self._topmost(first, end), 0, end - first)
        return self._writable

    def finish(self, first: int, end: int, picture_width: int, picture_height: int) -> None:
        """Rows ``first`` to ``end`` have been filled: put padding where the picture has ended."""
        if picture_width < self._width:
            self._interior[first - self._base : end - self._base, picture_width:] = self._padding
        if end == picture_height:
            self._array[end - self._base : end - self._base + LARGEST_RADIUS] = self._padding

    def _topmost(self, first: int, end: int) -> int:
        """Where in memory the topmost of rows ``first`` to ``end`` lies."""
        return len(self._array) - (end - self._base) if self._upward else first - self._base
