"""A NumPy array as Halide's kernels see it: ``halide_buffer_t`` (HalideRuntime.h), over memory that somebody else keeps."""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

TYPE_CODES = {"i": 0, "u": 1, "f": 2}
CACHE_LINE = 64


def aligned(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """An array with nothing in it yet that begins where a cache line does, so that whole vectors lie in one."""
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(wanted + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + wanted].view(dtype).reshape(shape)


def constant(array: NDArray[Any]) -> View:
    """A view of a copy of ``array``, dense and aligned: weights and tables."""
    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return View(copy)


class Dimension(ctypes.Structure):
    """``halide_dimension_t``: first coordinate, number of coordinates, elements from one to the next."""

    _fields_ = (("min", ctypes.c_int32), ("extent", ctypes.c_int32), ("stride", ctypes.c_int32), ("flags", ctypes.c_uint32))


class HalideBuffer(ctypes.Structure):
    """``halide_buffer_t``. Innermost dimension first, so a (H, W, C) array has the dimensions (C, W, H)."""

    _fields_ = (
        ("device", ctypes.c_uint64),
        ("device_interface", ctypes.c_void_p),
        ("host", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("type_code", ctypes.c_uint8),
        ("type_bits", ctypes.c_uint8),
        ("type_lanes", ctypes.c_uint16),
        ("dimensions", ctypes.c_int32),
        ("dim", ctypes.POINTER(Dimension)),
        ("padding", ctypes.c_void_p),
    )


class View:
    """An array with coordinates of its own, ready to be given to a kernel; it keeps the array alive.

    ``origin`` is the coordinate of the array's first element, outermost dimension first as in NumPy.
    """

    def __init__(self, array: NDArray[Any], origin: Sequence[int] | None = None) -> None:
        origin = origin or (0,) * array.ndim
        strides = [stride // array.itemsize for stride in array.strides]
        self._array: NDArray[Any] | None = array
        self._layout = (array.shape, array.dtype, array.strides)
        self._first, self._coordinate, self._rows = 0, origin[0], len(array)
        self._address = array.ctypes.data
        self._inner = sum(start * stride for start, stride in zip(origin[1:], array.strides[1:], strict=True))
        layout = zip(origin, array.shape, strides, strict=True)
        self._dimensions = (Dimension * array.ndim)(*[Dimension(*dimension) for dimension in layout][::-1])
        self._outermost = self._dimensions[array.ndim - 1]
        self._struct = HalideBuffer(
            host=self._address,
            type_code=TYPE_CODES[array.dtype.kind],
            type_bits=array.itemsize * 8,
            type_lanes=1,
            dimensions=array.ndim,
            dim=self._dimensions,
        )
        self.pointer = ctypes.c_void_p(ctypes.addressof(self._struct))

    def follow(self, array: NDArray[Any]) -> None:
        """View another array of the same shape and dtype instead; both are dense."""
        assert (array.shape, array.dtype) == self._layout[:2]
        assert array.flags.c_contiguous
        self._array = array
        self._address = array.ctypes.data
        self._struct.host = self._address

    def let_go(self) -> None:
        """Do not keep the array alive any longer; the view is of no use until it follows another one."""
        self._array = None

    def show(self, first: int, coordinate: int, rows: int) -> None:
        """Let the view begin at row ``first`` of the array, call it row ``coordinate``, and be ``rows`` high."""
        self._first, self._coordinate, self._rows = first, coordinate, rows
        self._struct.host = self._address + first * self.row
        self._outermost.min, self._outermost.extent = coordinate, rows

    @property
    def origin(self) -> int:
        """The address of the element whose coordinates are 0, whether it is shown or not."""
        return self._address + (self._first - self._coordinate) * self.row - self._inner

    @property
    def row(self) -> int:
        """How many bytes it is from one row, the outermost dimension, to the next."""
        return self._layout[2][0]

    @property
    def line(self) -> int:
        """How many bytes it is along the second outermost dimension, a picture's lines that one row of pixels becomes, to the next."""
        return self._layout[2][1]

    @property
    def innermost(self) -> int:
        """How many bytes it is along the innermost dimension, a feature map's channels, to the next."""
        return self._layout[2][-1]

    @property
    def columns(self) -> int:
        """How many columns are shown."""
        return int(self._layout[0][-2])

    @property
    def rows(self) -> int:
        """How many rows are shown."""
        return self._rows

    def shown(self) -> tuple[NDArray[Any], list[int]]:
        """The part of the array that is shown and the coordinates of its first element, innermost dimension first."""
        assert self._array is not None
        return self._array[self._first : self._first + self.rows], [dimension.min for dimension in self._dimensions]
