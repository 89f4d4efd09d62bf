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
    from engine.network import Spec

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


def planned(spec: Spec, height: int, width: int, tile: int | tuple[int, int]) -> tuple[Tile, ...]:
    """As `plan`, for a network: with its receptive radius, on a grid that suits it, and within the only size that it takes, if so."""
    if spec.window is None:
        return plan(height, width, tile, spec.receptive_radius, spec.grid)
    tall, wide = (tile, tile) if isinstance(tile, int) else tile
    most_tall, most_wide = (side - 2 * spec.receptive_radius for side in spec.window)
    tiles = plan(height, width, (min(tall, most_tall), min(wide, most_wide)), spec.receptive_radius)
    return tuple(Tile(tile.core, _filling(tile.context, spec.window, height, width)) for tile in tiles)


def plan(height: int, width: int, tile: int | tuple[int, int], overlap: int, multiple: int = 1) -> tuple[Tile, ...]:
    """Tiles that cover a picture of ``height`` × ``width`` pixels once, row by row.

    ``tile`` is the side of a core, or its height and width; ``overlap`` the context on each side, the network's receptive
    radius at least. Cores are evened out, so that none is a sliver; contexts begin at multiples of ``multiple``. Raises ValueError
    for sides below one pixel.
    """
    tall, wide = (tile, tile) if isinstance(tile, int) else tile
    if min(height, width, tall, wide) < 1 or overlap < 0:
        raise ValueError(f"no plan for {width}×{height} pixels in tiles of {wide}×{tall} with an overlap of {overlap}")
    return tuple(
        Tile(
            Region(top, left, bottom, right),
            Region(
                max(top - overlap, 0) // multiple * multiple,
                max(left - overlap, 0) // multiple * multiple,
                min(bottom + overlap, height),
                min(right + overlap, width),
            ),
        )
        for top, bottom in _evenly(height, tall)
        for left, right in _evenly(width, wide)
    )


def run(
    backend: Backend,
    x: NDArray[np.float32],
    tile: int | tuple[int, int] | None = None,
    on_tile: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> NDArray[np.float32]:
    """Upscale a plane, (H, W) float32 in [0, 1], tile by tile to (scale*H, scale*W): the same as untiled. RGB as `Backend.run` has it.

    ``tile`` is the side of a tile, by default what memory suggests; ``on_tile(done, total)`` is called after each;
    ``cancelled()`` is asked before each. Raises Cancelled, or BackendError as the back end does.
    """
    scale = backend.spec.scale
    height, width = x.shape[:2]
    tiles = planned(backend.spec, height, width, tile or default_tile(backend.spec))
    if len(tiles) == 1:
        return _run_only(backend, x, tiles[0], on_tile, cancelled)
    joined = np.empty((scale * height, scale * width, *x.shape[2:]), np.float32)
    for done, part in enumerate(tiles, 1):
        if cancelled():
            raise Cancelled("cancelled")
        joined[part.core.slices(scale=scale)] = run_tile(backend, x[part.context.slices()], part)
        on_tile(done, len(tiles))
    return joined


def _run_only(
    backend: Backend, x: NDArray[np.float32], tile: Tile, on_tile: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> NDArray[np.float32]:
    """A plane that is one tile, without copying what it becomes."""
    if cancelled():
        raise Cancelled("cancelled")
    upscaled = run_tile(backend, x, tile)
    on_tile(1, 1)
    return upscaled


def run_tile(backend: Backend, context: NDArray[np.float32], tile: Tile) -> NDArray[np.float32]:
    """One tile's contribution, (scale * core's height, scale * core's width), from its context's pixels."""
    scale = backend.spec.scale
    upscaled = backend.run(np.ascontiguousarray(context))
    wanted = (scale * tile.context.height, scale * tile.context.width, *context.shape[2:])
    if upscaled.shape != wanted:
        raise BackendError(f"{backend.name}: gave {upscaled.shape} for a tile that should become {wanted}")
    return upscaled[tile.core.slices(tile.context, scale)]


def default_tile(spec: Spec, memory_bytes: int = ACTIVATION_BYTES) -> int:
    """The side of a tile, in input pixels, whose activations take no more than ``memory_bytes``."""
    bytes_a_pixel = np.dtype(np.float32).itemsize * spec.features * LIVE_ACTIVATIONS
    side = int((memory_bytes / bytes_a_pixel) ** 0.5) - 2 * spec.receptive_radius
    return min(max(side // 16 * 16, SMALLEST_TILE), LARGEST_TILE)


def _filling(context: Region, window: tuple[int, int], height: int, width: int) -> Region:
    """``context`` grown to ``window`` as far as the picture goes: better its own pixels than made up ones."""
    bottom, right = min(max(context.bottom, context.top + window[0]), height), min(max(context.right, context.left + window[1]), width)
    return Region(min(context.top, max(bottom - window[0], 0)), min(context.left, max(right - window[1], 0)), bottom, right)


def _evenly(length: int, most: int) -> list[tuple[int, int]]:
    """``length`` cut into the fewest pieces of at most ``most``, all but equally long."""
    pieces = -(-length // most)
    edges = [length * i // pieces for i in range(pieces + 1)]
    return list(itertools.pairwise(edges))
