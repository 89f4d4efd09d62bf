"""Large pictures turned upright without being in memory: their rows go to a file that nobody sees, and come back in another order.

The rows of a picture on its side are the columns of what is stored. They are cut into blocks of columns while they pass, each block's
pieces are put together in the file, and a block is then some rows of the upright picture.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from engine.codecs import RoomError
from engine.rows import Layout, Strip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

BLOCK_BYTES = 2 * 2**20
"""Of what comes back at a time."""
ROOM_SPARE = 64 * 2**20
LEFT_TO_RIGHT, TOP_TO_BOTTOM, ON_ITS_SIDE = {2, 3, 7, 8}, {3, 4, 6, 7}, {5, 6, 7, 8}
"""The EXIF orientations that, before the sides are changed for each other where they are, mirror the stored columns or rows."""


def turned(strips: Iterator[Strip], stored: Layout, orientation: int) -> Iterator[Strip]:
    """The rows, from the top down, of the upright picture; ``strips`` are ``stored`` (one page) with this EXIF orientation (3..8).

    Raises RoomError where the folder for temporary files cannot hold them, and what ``strips`` raises.
    """
    channels = (1 if stored.grey else 3) + stored.alpha
    bytes_a_row = stored.width * channels * stored.dtype.itemsize
    _check_room(bytes_a_row * stored.height)
    with tempfile.TemporaryFile() as file:
        blocks = _Blocks(file, stored, channels, orientation)
        blocks.keep(strips)
        for samples in blocks.upright():
            yield _split(samples, stored)


def upright(stored: Layout, orientation: int) -> Layout:
    """The layout of what `turned` gives."""
    return replace(stored, height=stored.width, width=stored.height) if orientation in ON_ITS_SIDE else stored


def _check_room(needed: int) -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed + ROOM_SPARE:
        raise RoomError(
            f"turning it upright takes {needed / 1e6:,.0f} MB in {folder}, where {free / 1e6:,.0f} MB are free; "
            "make room, or name another folder with the environment variable TMPDIR"
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some stored rows, as they came."""

    top: int
    rows: int


class _Blocks:
    """The file: block after block, each of all rows of some columns (or, of a picture that stays on its feet, of some rows)."""

    def __init__(self, file: IO[bytes], stored: Layout, channels: int, orientation: int) -> None:
        self._file, self._stored, self._channels = file, stored, channels
        self._orientation = orientation
        self._sideways = orientation in ON_ITS_SIDE
        self._pixel = channels * stored.dtype.itemsize
        across = stored.height if self._sideways else stored.width
        self._wide = max(1, BLOCK_BYTES // (across * self._pixel))
        self._pieces: list[_Piece] = []

    def keep(self, strips: Iterator[Strip]) -> None:
        """Write all strips into their places."""
        top = 0
        for strip in strips:
            samples = _joined(strip, self._channels)
            piece = _Piece(top, len(samples))
            if self._sideways:
                columns = np.ascontiguousarray(samples.transpose(1, 0, 2))
                for left, right in self._cuts(self._stored.width):
                    self._file.seek(self._place(left, right, piece))
                    self._file.write(columns[left:right].data)
            else:
                self._file.write(np.ascontiguousarray(samples).data)
            self._pieces.append(piece)
            top += piece.rows

    def upright(self) -> Iterator[NDArray[Any]]:
        """Rows of the upright picture, (rows, W, channels), from the top down."""
        down = self._orientation in (LEFT_TO_RIGHT if self._sideways else TOP_TO_BOTTOM)
        across = self._orientation in (TOP_TO_BOTTOM if self._sideways else LEFT_TO_RIGHT)
        cuts = self._cuts(self._stored.width if self._sideways else self._stored.height)
        for first, last in reversed(cuts) if down else cuts:
            block = self._columns(first, last) if self._sideways else self._rows(first, last)
            yield np.ascontiguousarray(block[:: -1 if down else 1, :: -1 if across else 1])

    def _cuts(self, total: int) -> Sequence[tuple[int, int]]:
        return [(first, min(first + self._wide, total)) for first in range(0, total, self._wide)]

    def _place(self, left: int, right: int, piece: _Piece) -> int:
        """Where in the file a piece of the columns from ``left`` up to ``right`` begins."""
        return (left * self._stored.height + (right - left) * piece.top) * self._pixel

    def _columns(self, left: int, right: int) -> NDArray[Any]:
        """These stored columns as rows, (columns, stored rows, channels)."""
        together = np.empty((right - left, self._stored.height, self._channels), self._stored.dtype)
        for piece in self._pieces:
            self._file.seek(self._place(left, right, piece))
            part = self._read((right - left, piece.rows, self._channels))
            together[:, piece.top : piece.top + piece.rows] = part
        return together

    def _rows(self, top: int, bottom: int) -> NDArray[Any]:
        self._file.seek(top * self._stored.width * self._pixel)
        return self._read((bottom - top, self._stored.width, self._channels))

    def _read(self, shape: tuple[int, ...]) -> NDArray[Any]:
        samples = np.empty(shape, self._stored.dtype)
        count = self._file.readinto(samples.data.cast("B"))  # type: ignore[attr-defined]
        assert count == samples.nbytes
        return samples


def _joined(strip: Strip, channels: int) -> NDArray[Any]:
    """Colour and alpha as (rows, W, channels)."""
    rows, width = strip.pixels.shape[:2]
    colours = strip.pixels.reshape(rows, width, -1)
    together = colours if strip.alpha is None else np.concatenate([colours, strip.alpha[..., None]], axis=2)
    assert together.shape[2] == channels
    return together


def _split(samples: NDArray[Any], layout: Layout) -> Strip:
    colours = samples[..., 0] if layout.grey else samples[..., :3]
    return Strip(np.ascontiguousarray(colours), np.ascontiguousarray(samples[..., -1]) if layout.alpha else None)
