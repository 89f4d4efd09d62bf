"""Training pairs: pictures are decoded, scaled down whole, kept as luma in memory, and cut into patches at random.

Pairs are made before patches are cut because MATLAB's imresize repeats the picture's edge: a patch scaled down by itself
would differ at its border from what the network meets later.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.colour import split
from engine.errors import DataError
from engine.images import read
from engine.resize import imresize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.sources import Source

    Shrink = Callable[[NDArray[Any], int], NDArray[Any]]

FULL = np.float32(65535)
"""What a plane kept in 16 bits has for luma 1."""
DEFAULT_CACHE_MB = 4096


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture's luma: ``lr`` (H, W) and ``hr`` (scale*H, scale*W), float32 in [0, 1] or uint16 with 1 at 65535."""

    name: str
    lr: NDArray[Any]
    hr: NDArray[Any]


class PlaneStore:
    """Keeps decoded planes: ``limit_mb`` MiB of them in memory, all further ones in a mapped file that goes with the store.

    The file lies in ``folder`` (which should be on a disk); the system keeps as much of it in memory as is free.
    """

    def __init__(self, limit_mb: int, folder: Path) -> None:
        self._left = limit_mb << 20
        self._folder = folder
        self._file: tempfile._TemporaryFileWrapper[bytes] | Any = None
        self.stored_bytes = 0

    def keep(self, plane: NDArray[Any]) -> NDArray[np.uint16]:
        """``plane``, float32 in [0, 1], as uint16. What comes back may lie in the file, then it is read-only."""
        deep: NDArray[np.uint16] = np.floor(np.clip(plane, 0, 1) * FULL + np.float32(0.5)).astype(np.uint16)
        self.stored_bytes += deep.nbytes
        self._left -= deep.nbytes
        return self._mapped(deep) if self._left < 0 else deep

    def _mapped(self, plane: NDArray[np.uint16]) -> NDArray[np.uint16]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - lives as long as the store
            weakref.finalize(self, self._file.close)  # what is mapped stays
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(np.ascontiguousarray(plane).data)
        self._file.flush()
        return np.memmap(self._file, np.uint16, "r", offset, plane.shape)


def as_unit(plane: NDArray[Any]) -> NDArray[np.float32]:
    """A kept plane, or a part of one, as float32 in [0, 1]."""
    return plane.astype(np.float32) / FULL if plane.dtype == np.uint16 else plane.astype(np.float32)


def bicubic(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """A whole picture, its sides multiples of ``scale``, scaled down as the published pairs were."""
    return imresize(pixels, pixels.shape[0] // scale, pixels.shape[1] // scale)


def make_pair(source: Source, scale: int, shrink: Shrink = bicubic) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Luma (lr, hr) of one picture. Without an LR file ``shrink`` makes it, the picture cropped to a multiple of ``scale``.

    Raises PictureError if a file cannot be read, DataError if its size does not fit.
    """
    return source_pairs(source, scale, (shrink,))[0][0]


def source_pairs(
    source: Source,
    scale: int,
    shrinks: Sequence[Shrink],
    copies: Callable[[NDArray[Any]], Sequence[NDArray[Any]]] | None = None,
) -> list[list[tuple[NDArray[np.float32], NDArray[np.float32]]]]:
    """`make_pair` by each of ``shrinks``: of the source, and of each of the ``copies`` of it if it has no LR file. Raises as that does."""
    hr = read(source.hr).pixels
    if source.lr is not None:
        lr = read(source.lr).pixels
        if (hr.shape[0] // scale, hr.shape[1] // scale) != lr.shape[:2]:
            raise DataError(f"{source.lr}: {lr.shape[1]}x{lr.shape[0]} is not {source.hr.name}'s size divided by {scale}")
        return [[(split(lr)[0], split(np.ascontiguousarray(hr[: lr.shape[0] * scale, : lr.shape[1] * scale]))[0])] * len(shrinks)]
    if min(hr.shape[:2]) < scale:
        raise DataError(f"{source.hr}: too small for scale {scale}")
    pictures = (hr, *(copies(hr) if copies else ()))
    return [[_scaled_down(picture, scale, shrink) for shrink in shrinks] for picture in pictures]


def _scaled_down(pixels: NDArray[Any], scale: int, shrink: Shrink) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Luma (lr, hr) of a picture (H, W) or (H, W, 3), cropped to a multiple of ``scale``."""
    hr = cropped(pixels, scale)
    return split(shrink(hr, scale))[0], split(hr)[0]


def cropped(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """The picture without the columns and rows at its right and bottom that are not a multiple of ``scale``."""
    return np.ascontiguousarray(pixels[: pixels.shape[0] // scale * scale, : pixels.shape[1] // scale * scale])


def load(
    sources: Sequence[Source],
    scale: int,
    store: PlaneStore,
    shrinks: Sequence[Shrink] = (bicubic,),
    copies: Callable[[NDArray[Any]], Sequence[NDArray[Any]]] | None = None,
) -> Iterator[Pair]:
    """Every source as pairs in order, one for each of ``shrinks``, decoded by as many threads as there are cores.

    ``copies`` gives further pictures to make of one, as `training.augment` does; not of what has a low-resolution file of its own.
    """
    pairs = partial(source_pairs, scale=scale, shrinks=shrinks, copies=copies)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, pictures in zip(sources, in_order(pool, pairs, sources), strict=True):
            for made in pictures:
                hr = store.keep(made[0][1])
                yield from (Pair(source.name, store.keep(lr), hr) for lr, _ in made)


def in_order(pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Iterable[Any], ahead: int = 8) -> Iterator[Any]:
    """Results of ``work`` over ``items`` in their order, at most ``ahead`` of them waiting in memory."""
    waiting = []
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


@dataclass(frozen=True, slots=True)
class Place:
    """Where one patch lies: which pair, its top left low-resolution pixel, and how it is turned and mirrored."""

    index: int
    top: int
    left: int
    turns: int
    mirror: bool


@dataclass(frozen=True)
class Patches:
    """Draws batches of aligned patches. The same seed and step always give the same batch, so a run needs no other state.

    A picture is drawn with a probability that grows with the square root of its area: many small pictures then count
    beside few large ones; with ``equal`` all are drawn alike. ``patch`` is the side of the low-resolution patch in pixels.
    """

    pairs: Sequence[Pair]
    scale: int
    patch: int
    batch: int
    seed: int
    equal: bool = False

    def __post_init__(self) -> None:
        for pair in self.pairs:
            if min(pair.lr.shape) < self.patch:
                raise DataError(f"{pair.name}: smaller than a patch of {self.patch}x{self.patch} low-resolution pixels")
        if not self.pairs:
            raise DataError("no training pictures are left")

    def draw(self, step: int, part: int = 0, parts: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Step ``step``'s batch, or the ``part``-th of ``parts`` equal parts of it.

        (batch, 1, patch, patch) and (batch, 1, scale*patch, scale*patch), float32.
        """
        places = self._places(step)
        size = len(places) // parts
        lows, highs = zip(*map(self._cut, places[part * size : (part + 1) * size]), strict=True)
        return np.stack(lows)[:, None], np.stack(highs)[:, None]

    def errors(self, step: int, part: int = 0, parts: int = 1) -> NDArray[np.float32]:
        """Of each patch that `draw` gives, how hard its picture is: the mean squared error of all of it, enlarged bicubically; (N,)."""
        places = self._places(step)
        size = len(places) // parts
        return self._bicubic_errors[[place.index for place in places[part * size : (part + 1) * size]]]

    @cached_property
    def _bicubic_errors(self) -> NDArray[np.float32]:
        def error(pair: Pair) -> float:
            made = imresize(as_unit(pair.lr), *pair.hr.shape)
            return float(np.square(made - as_unit(pair.hr)).mean())

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.fromiter(pool.map(error, self.pairs), np.float32)

    @cached_property
    def _chances(self) -> NDArray[np.float64]:
        roots = np.sqrt([1 if self.equal else pair.lr.size for pair in self.pairs])
        chances: NDArray[np.float64] = roots / roots.sum()
        return chances

    def _places(self, step: int) -> list[Place]:
        rng = np.random.default_rng((self.seed, step))
        return [self._place(rng, int(index)) for index in rng.choice(len(self.pairs), self.batch, p=self._chances)]

    def _place(self, rng: np.random.Generator, index: int) -> Place:
        top, left = (int(rng.integers(extent - self.patch + 1)) for extent in self.pairs[index].lr.shape)
        return Place(index, top, left, int(rng.integers(4)), bool(rng.integers(2)))

    def _cut(self, place: Place) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pair, size, scale = self.pairs[place.index], self.patch, self.scale
        low = pair.lr[place.top : place.top + size, place.left : place.left + size]
        high = pair.hr[place.top * scale : (place.top + size) * scale, place.left * scale : (place.left + size) * scale]
        return _turned(as_unit(low), place), _turned(as_unit(high), place)


def _turned(x_hw: NDArray[np.float32], place: Place) -> NDArray[np.float32]:
    turned = np.rot90(x_hw, place.turns)
    return turned[:, ::-1] if place.mirror else turned
