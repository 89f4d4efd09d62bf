"""Pictures by the strip: rows are asked for from the top down, so that no picture needs to be in memory whole."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from engine.colour import Span, from_unit, to_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from engine.picture import Picture


@dataclass(frozen=True, slots=True)
class Layout:
    """Size and sample type of a picture: what can be known before its pixels.

    A file may hold several ``pages`` of one size (a film's frames, a scan's sheets): rows are then counted through all of them.
    """

    height: int
    width: int
    grey: bool
    alpha: bool
    dtype: np.dtype[Any]
    span: Span
    pages: int = 1

    @classmethod
    def of(cls, picture: Picture) -> Layout:
        """Return a picture's layout."""
        alpha = picture.alpha is not None
        return cls(picture.height, picture.width, picture.grey, alpha, picture.pixels.dtype, picture.span)

    @property
    def total_rows(self) -> int:
        """Rows of all pages."""
        return self.height * self.pages

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the colour samples: (H, W) or (H, W, 3)."""
        return (self.height, self.width) if self.grey else (self.height, self.width, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Some rows: ``pixels`` (rows, W[, 3]) and ``alpha`` (rows, W) or None. Not premultiplied."""

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None

    def rows(self, start: int, stop: int) -> Strip:
        """Rows ``start`` up to ``stop`` of the strip, without copying."""
        return Strip(self.pixels[start:stop], None if self.alpha is None else self.alpha[start:stop])

    def unit(self, span: Span) -> Strip:
        """The strip in float32, black 0 and white 1."""
        return Strip(to_unit(self.pixels, span), None if self.alpha is None else to_unit(self.alpha))

    def stored(self, layout: Layout) -> Strip:
        """The inverse of `unit`, for ``layout``'s samples. Overwrites this strip."""
        alpha = None if self.alpha is None else from_unit(self.alpha, layout.dtype)
        return Strip(from_unit(self.pixels, layout.dtype, layout.span), alpha)


class Source(Protocol):
    """Something that gives a picture's rows. ``start`` never decreases from one call to the next."""

    @property
    def layout(self) -> Layout:
        """The picture's size and sample type."""

    def rows(self, start: int, stop: int) -> Strip:
        """Rows ``start`` up to ``stop``, which exist. Raises PictureError where they cannot be read."""


class PictureRows:
    """The rows of a picture in memory."""

    def __init__(self, picture: Picture) -> None:
        self.layout = Layout.of(picture)
        self._whole = Strip(picture.pixels, picture.alpha)

    def rows(self, start: int, stop: int) -> Strip:
        """As `Source.rows`."""
        return self._whole.rows(start, stop)


class PageRows:
    """One page of a source; pages are taken in their order."""

    def __init__(self, source: Source, page: int) -> None:
        self.layout = replace(source.layout, pages=1)
        self._source = source
        self._first = page * source.layout.height

    def rows(self, start: int, stop: int) -> Strip:
        """As `Source.rows`."""
        return self._source.rows(self._first + start, self._first + stop)


class Window:
    """Rows out of strips that come one after the other; keeps those from the last ``start`` on."""

    def __init__(self, layout: Layout, strips: Iterator[Strip]) -> None:
        self.layout = layout
        self._strips = strips
        self._held: deque[tuple[int, Strip]] = deque()
        self._end = 0

    def pieces(self) -> Iterator[Strip]:
        """The strips as they come, in place of `rows`."""
        return self._strips

    def rows(self, start: int, stop: int) -> Strip:
        """As `Source.rows`."""
        while self._held and self._held[0][0] + len(self._held[0][1].pixels) <= start:
            self._held.popleft()
        while self._end < stop:
            strip = next(self._strips)
            if self._end + len(strip.pixels) > start:
                self._held.append((self._end, strip))
            self._end += len(strip.pixels)
        parts = [strip.rows(max(start - first, 0), stop - first) for first, strip in self._held if first < stop]
        return joined(parts)


def joined(strips: list[Strip]) -> Strip:
    """Strips below one another as one."""
    if len(strips) == 1:
        return strips[0]
    alphas = [strip.alpha for strip in strips if strip.alpha is not None]
    return Strip(np.concatenate([strip.pixels for strip in strips]), np.concatenate(alphas) if alphas else None)


CHUNK_PIXELS = 1 << 17
"""Pixels worked on at a time: few enough for their samples to stay in the processor's cache."""


def chunks(start: int, stop: int, width: int) -> Iterator[tuple[int, int]]:
    """Rows ``start`` up to ``stop`` of a picture of that width, cut into pieces of about `CHUNK_PIXELS`: first row and end of each."""
    tall = max(1, CHUNK_PIXELS // width)
    return ((top, min(top + tall, stop)) for top in range(start, stop, tall))


def pieces(source: Source) -> Iterator[Strip]:
    """All rows of a source from which none have been taken yet, from the top down, in strips as they come."""
    if isinstance(source, Window):
        return source.pieces()
    return (source.rows(top, bottom) for top, bottom in chunks(0, source.layout.total_rows, source.layout.width))


def gathered(layout: Layout, strips: Iterable[Strip]) -> Strip:
    """All strips of a picture of ``layout`` as one, pages below one another."""
    shape = (layout.total_rows, *layout.shape[1:])
    whole = Strip(np.empty(shape, layout.dtype), np.empty(shape[:2], layout.dtype) if layout.alpha else None)
    top = 0
    for strip in strips:
        part = whole.rows(top, top + len(strip.pixels))
        part.pixels[...] = strip.pixels
        if part.alpha is not None:
            part.alpha[...] = strip.alpha
        top += len(strip.pixels)
    return whole


def first_rows(strips: Iterable[Strip], count: int) -> Iterator[Strip]:
    """The first ``count`` rows of ``strips``; no more of them are taken."""
    left = count
    for strip in strips:
        yield strip.rows(0, left)
        left -= len(strip.pixels)
        if left <= 0:
            return
