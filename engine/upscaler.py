"""A picture in, a picture out: luma through the network, chroma by bicubic, alpha through the network as well.

A network of three channels (somebody else's) is given a coloured picture as it is, RGB, in place of luma.

The work goes strip by strip from the top down, one row of tiles at a time, in float from the first step to the last: a picture
need not be in memory whole on either side.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from engine import colour
from engine.checks import Inspector, finite
from engine.colour import UNIT
from engine.errors import Cancelled
from engine.resize import Resampler
from engine.rows import Layout, PageRows, PictureRows, Strip, Window, chunks, gathered, pieces
from engine.tiles import Region, Tile, default_tile, planned, run_tile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from engine.backends import Backend
    from engine.network import Spec
    from engine.picture import Picture
    from engine.rows import Source

SMALLEST_SIDE = 10
"""Of less than this SESR-M5, whose radius is 9, sees its zero padding from every pixel, which shifts colours: it is resampled instead."""
STRIP_BYTES = 96 * 2**20
"""Memory that one strip of a step's output may take; wide pictures get lower strips."""


class Upscaler:
    """Upscales pictures with one back end. Not for use from several threads at once."""

    def __init__(self, backend: Backend, tile: int | None = None, *, checked: bool = True) -> None:
        """``tile`` is the side of a tile in input pixels, by default what memory suggests; ``checked``: see `engine.checks`."""
        if tile is not None and tile < 1:
            raise ValueError(f"a tile has at least one pixel a side, not {tile}")
        self.backend = backend
        self.tile = tile or default_tile(backend.spec)
        self._checked = checked

    def upscale(
        self,
        picture: Picture,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
        size: tuple[int, int] | None = None,
    ) -> Picture:
        """``picture`` enlarged by the network's scale, or to ``size`` (width, height): of the same kind, bits and metadata.

        ``on_progress(done, total)`` counts tiles; ``cancelled()`` is asked before each. Raises Cancelled, BackendError.
        """
        layout, strips = self.stream(PictureRows(picture), on_progress, cancelled, size)
        whole = gathered(layout, strips)
        return picture.with_pixels(whole.pixels, whole.alpha)

    def stream(
        self,
        source: Source,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
        size: tuple[int, int] | None = None,
    ) -> tuple[Layout, Iterator[Strip]]:
        """As `upscale`, by the strip: the output's layout, and its strips from the top down, computed as they are taken.

        Several pages come out as several pages, each upscaled by itself.
        """
        given = source.layout
        width, height = size or (given.width * self.backend.spec.scale, given.height * self.backend.spec.scale)
        final = replace(given, width=width, height=height)
        watch = _Watch(self.count(given, size), on_progress, cancelled)
        pages = (PageRows(source, page) for page in range(given.pages)) if given.pages > 1 else (source,)
        return final, (strip.stored(final) for page in pages for strip in pieces(self._enlarged(page, (width, height), watch)))

    def _enlarged(self, source: Source, size: tuple[int, int], watch: _Watch) -> Source:
        """A single page at its new size, in float."""
        current: Source = _InUnits(source)
        plans = self._plans(source.layout, size)
        for tiles in plans:
            layout = _times(current.layout, self.backend.spec.scale)
            current = Window(layout, _Step(self.backend, current, tiles, watch, checked=self._checked).strips())
        return current if size == (current.layout.width, current.layout.height) else _Resampled(current, *size)

    def count(self, layout: Layout, size: tuple[int, int] | None = None) -> int:
        """How many tiles upscaling a picture of this layout takes."""
        return layout.pages * sum(map(len, self._plans(layout, size)))

    def _plans(self, layout: Layout, size: tuple[int, int] | None) -> list[tuple[Tile, ...]]:
        """The tiles of each step to ``size``; no step where the picture is too small for a network."""
        scale = self.backend.spec.scale
        if min(layout.height, layout.width) < SMALLEST_SIDE:
            return []
        steps = 1 if size is None else steps_to(layout, size, scale)
        return [self._plan(_times(layout, scale**i)) for i in range(steps)]

    def _plan(self, layout: Layout) -> tuple[Tile, ...]:
        tall = max(1, min(self.tile, _strip_rows(layout, self.backend.spec)))
        return planned(self.backend.spec, layout.height, layout.width, (tall, self.tile))


def steps_to(layout: Layout, size: tuple[int, int], scale: int) -> int:
    """How often a network of ``scale`` runs so that one resampling down gives ``size`` (width, height); at least once."""
    factor = max(size[0] / layout.width, size[1] / layout.height)
    return max(1, math.ceil(math.log(factor) / math.log(scale) - 1e-9))


class _Watch:
    """Counts tiles, and stops when asked to."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> None:
        self._total = total
        self._done = 0
        self._on_progress = on_progress
        self._cancelled = cancelled

    def before(self) -> None:
        if self._cancelled():
            raise Cancelled("cancelled")

    def after(self) -> None:
        self._done += 1
        self._on_progress(self._done, self._total)


class _InUnits:
    """A source in float32, black 0 and white 1."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._span = source.layout.span
        self.layout = replace(source.layout, dtype=np.dtype(np.float32), span=UNIT)

    def rows(self, start: int, stop: int) -> Strip:
        return self._source.rows(start, stop).unit(self._span)


class _Resampled:
    """A source resampled once to its final size; colour is weighted with alpha, so that hidden colours stay hidden."""

    def __init__(self, source: Source, width: int, height: int) -> None:
        self._source = source
        self._resampler = Resampler(source.layout.height, source.layout.width, height, width)
        self.layout = replace(source.layout, height=height, width=width)

    def rows(self, start: int, stop: int) -> Strip:
        first, last = self._resampler.vertical.source(start, stop)
        strip = self._source.rows(first, last)
        if strip.alpha is None:
            return Strip(np.clip(self._resampler.rows(strip.pixels, first, start, stop), 0, 1), None)
        colours = strip.pixels.reshape(*strip.alpha.shape, -1)
        together = np.concatenate([colours * strip.alpha[..., None], strip.alpha[..., None]], axis=2)
        resampled = self._resampler.rows(together, first, start, stop)
        alpha = resampled[..., -1]  # not clipped yet: it overshoots where the weighted colour does, and their ratio does not
        straight = np.clip(resampled[..., :-1] / np.maximum(alpha, np.float32(1e-6))[..., None], 0, 1)
        return Strip(straight.reshape(*alpha.shape, *strip.pixels.shape[2:]), np.clip(alpha, 0, 1))


class _Step:
    """One step of the network: a strip of output for each row of tiles."""

    def __init__(self, backend: Backend, source: Source, tiles: tuple[Tile, ...], watch: _Watch, *, checked: bool) -> None:
        self._backend = backend
        self._source = source
        self._tiles = tiles
        self._watch = watch
        self._scale = backend.spec.scale
        self._rgb = backend.spec.channels == 3 and not source.layout.grey
        self._inspectors = [Inspector(self._scale) for _ in range(3 if self._rgb else 1)] if checked else []

    def strips(self) -> Iterator[Strip]:
        """The output's strips from the top down."""
        scale, layout = self._scale, self._source.layout
        chroma_up = Resampler(layout.height, layout.width, scale * layout.height, scale * layout.width)
        margin = colour.BLEED_RADIUS if layout.alpha else 0
        for _, group in groupby(self._tiles, key=lambda tile: tile.core.top):
            row = tuple(group)
            core, context = row[0].core, row[0].context
            held = Region(max(context.top - margin, 0), 0, min(context.bottom + margin, layout.height), layout.width)
            strip = self._source.rows(held.top, held.bottom)
            visible = strip.pixels if strip.alpha is None else colour.bleed(strip.pixels, strip.alpha)
            luma, chroma = (visible, None) if self._rgb else colour.split(visible, UNIT)
            y, alpha = self._run_row(row, held, luma, strip.alpha)
            for top, bottom in chunks(scale * core.top, scale * core.bottom, scale * layout.width):
                here = slice(top - scale * core.top, bottom - scale * core.top)
                wide = None if chroma is None else np.stack([chroma_up.rows(plane, held.top, top, bottom) for plane in chroma])
                yield Strip(colour.join(y[here], wide, np.float32, UNIT), None if alpha is None else alpha[here])

    def _run_row(
        self, row: tuple[Tile, ...], held: Region, luma: NDArray[np.float32], alpha: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Luma (or RGB) and alpha of one row of tiles, upscaled; ``luma`` and ``alpha`` hold the region ``held``."""
        whole = Region(row[0].core.top, 0, row[0].core.bottom, held.right)
        y_up = np.empty((self._scale * whole.height, self._scale * whole.width, *luma.shape[2:]), np.float32)
        alpha_up = None if alpha is None else np.empty(y_up.shape[:2], np.float32)
        for tile in row:
            self._watch.before()
            there, here = tile.core.slices(whole, self._scale), tile.context.slices(held)
            y_up[there] = run_tile(self._backend, luma[here], tile)
            if alpha is not None and alpha_up is not None:
                alpha_up[there] = self._alpha_tile(alpha[here], tile)
            self._watch.after()
        for plane, inspector in enumerate(self._inspectors):
            borders = [tile.core.left for tile in row[1:]]
            before, after = (luma[..., plane], y_up[..., plane]) if self._rgb else (luma, y_up)
            inspector.look(np.ascontiguousarray(before), whole.slices(held)[0], np.ascontiguousarray(after), borders)
        return y_up, alpha_up

    def _alpha_tile(self, alpha: NDArray[np.float32], tile: Tile) -> NDArray[np.float32]:
        """Alpha of one tile, through the network unless it is the same everywhere."""
        if alpha.min() == alpha.max():
            return np.full((self._scale * tile.core.height, self._scale * tile.core.width), alpha.flat[0], np.float32)
        upscaled = colour.luma_to_alpha(finite(run_tile(self._backend, colour.alpha_to_luma(alpha), tile)))
        least, greatest = colour.limits(alpha)
        inside = tile.core.slices(tile.context)
        return colour.limit_alpha(upscaled, least[inside], greatest[inside], self._scale)


def _strip_rows(layout: Layout, spec: Spec) -> int:
    """Rows of ``layout`` whose luma (or RGB) and alpha, as many times as large, stay within `STRIP_BYTES`."""
    planes = (1 if layout.grey else spec.channels) + layout.alpha
    bytes_a_row = np.dtype(np.float32).itemsize * planes * layout.width * spec.scale**2
    return STRIP_BYTES // bytes_a_row


def _times(layout: Layout, scale: int) -> Layout:
    return replace(layout, height=scale * layout.height, width=scale * layout.width)
