"""A plan of regions that together are a picture, each run through a network with the context it needs, and their joining.

A region's context is the network's receptive radius of real neighbouring pixels on each side, cut off at the picture's own
borders, where the network's zero padding is what the untiled run has as well. So the joined result is the untiled one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import BackendError, Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from engine.backends import Backend
    from engine.network import NetworkSpec

ACTIVATION_BYTES = 192 * 2**20
"""Memory that the activations of one tile may take, by default."""
LIVE_ACTIVATIONS = 3
"""Layers whose activations are held at a time: one's input, its output, and the long residual."""
SMALLEST_TILE, LARGEST_TILE = 64, 1024


@dataclass(frozen=True, slots=True)
class Region:
    """Rows ``top`` up to ``bottom``, columns ``left`` up to ``right``, in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    def slices(self, origin: Region | None = None, scale: int = 1) -> tuple[slice, slice]:
        """Indices of this region in an array that holds ``origin`` (by default the whole picture), all times ``scale``."""
        top, left = (origin.top, origin.left) if origin else (0, 0)
        rows = slice(scale * (self.top - top), scale * (self.bottom - top))
        return rows, slice(scale * (self.left - left), scale * (self.right - left))


@dataclass(frozen=True, slots=True)
class Tile:
    """``core`` is what a tile contributes, ``context`` (which contains it) what the network has to be shown."""

    core: Region
    context: Region


def plan(height: int, width: int, tile: int | tuple[int, int], overlap: int) -> tuple[Tile, ...]:
    """Tiles that cover a picture of ``height`` × ``width`` pixels once, row by row.

    ``tile`` is the side of a core, or its height and width; ``overlap`` the context on each side, the network's receptive
    radius at least. Cores are evened out, so that none is a sliver. Raises ValueError for sides below one pixel.
    """
    tall, wide = (tile, tile) if isinstance(tile, int) else tile
    if min(height, width, tall, wide) < 1 or overlap < 0:
        raise ValueError(f"no plan for {width}×{height} pixels in tiles of {wide}×{tall} with an overlap of {overlap}")
    return tuple(
        Tile(
            Region(top, left, bottom, right),
            Region(max(top - overlap, 0), max(left - overlap, 0), min(bottom + overlap, height), min(right + overlap, width)),
        )
        for top, bottom in _evenly(height, tall)
        for left, right in _evenly(width, wide)
    )


def run(
    backend: Backend,
    y_hw: NDArray[np.float32],
    tile: int | tuple[int, int] | None = None,
    on_tile: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> NDArray[np.float32]:
    """Upscale a plane, (H, W) float32 in [0, 1], tile by tile to (scale*H, scale*W): the same as untiled.

    ``tile`` is the side of a tile, by default what memory suggests; ``on_tile(done, total)`` is called after each;
    ``cancelled()`` is asked before each. Raises Cancelled, or BackendError as the back end does.
    """
    scale = backend.spec.scale
    height, width = y_hw.shape
    tiles = plan(height, width, tile or default_tile(backend.spec), backend.spec.receptive_radius)
    joined = np.empty((scale * height, scale * width), np.float32)
    for done, part in enumerate(tiles, 1):
        if cancelled():
            raise Cancelled("cancelled")
        joined[part.core.slices(scale=scale)] = run_tile(backend, y_hw[part.context.slices()], part)
        on_tile(done, len(tiles))
    return joined


def run_tile(backend: Backend, context_hw: NDArray[np.float32], tile: Tile) -> NDArray[np.float32]:
    """One tile's contribution, (scale * core's height, scale * core's width), from its context's pixels."""
    scale = backend.spec.scale
    upscaled = backend.run(np.ascontiguousarray(context_hw))
    wanted = (scale * tile.context.height, scale * tile.context.width)
    if upscaled.shape != wanted:
        raise BackendError(f"{backend.name}: gave {upscaled.shape} for a tile that should become {wanted}")
    return upscaled[tile.core.slices(tile.context, scale)]


def default_tile(spec: NetworkSpec, memory_bytes: int = ACTIVATION_BYTES) -> int:
    """The side of a tile, in input pixels, whose activations take no more than ``memory_bytes``."""
    bytes_a_pixel = np.dtype(np.float32).itemsize * spec.f * LIVE_ACTIVATIONS
    side = int((memory_bytes / bytes_a_pixel) ** 0.5) - 2 * spec.receptive_radius
    return min(max(side // 16 * 16, SMALLEST_TILE), LARGEST_TILE)


def _evenly(length: int, most: int) -> list[tuple[int, int]]:
    """``length`` cut into the fewest pieces of at most ``most``, all but equally long."""
    pieces = -(-length // most)
    edges = [length * i // pieces for i in range(pieces + 1)]
    return list(itertools.pairwise(edges))
