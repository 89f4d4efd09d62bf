"""Recognising a picture that shows what another one shows: cropped, scaled, re-encoded or brightened.

A picture is known by up to 400 ORB features (Rublee et al., ICCV 2011): 256-bit binary hashes of small neighbourhoods, and
where they lie. Two pictures show the same if enough hashes agree *and* one similarity transform (shift, turn, scale) maps
their places onto one another. Hashes alone agree by chance, most of all on stripes and letters; places do not. From the hashes
no picture can be made. The hashes of the benchmark pictures lie beside this file; ``python -m training.lookalike FOLDER… FILE``
made them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from engine.images import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

BENCHMARKS = Path(__file__).parent / "benchmarks.npz"
KNOWN_FEATURES, ASKED_FEATURES = 400, 600
MOST_PIXELS = 1_000_000
"""Larger pictures are scaled down to this before features are looked for."""
MOST_BITS = 48
"""Hashes agree when fewer bits differ."""
LIKELY = 3
"""Known pictures, those with the most agreements, whose places are looked at."""
CELL = 6
"""Agreements are counted once in a square of this many pixels: a corner has several hashes, one for each size."""
SAME = 7
"""Places that one transform must explain. Among 1,314 pictures that show other things it never explained more than 4."""
REACH_PIXELS = 3.0
SMALLEST_SCALE, LARGEST_SCALE = 0.2, 5.0


@dataclass(frozen=True, eq=False)
class Features:
    """A picture's features: ``places`` (N, 2) float32 x and y in pixels, ``hashes`` (N, 32) uint8."""

    places: NDArray[np.float32]
    hashes: NDArray[np.uint8]


EMPTY = Features(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))


def features(grey: NDArray[np.uint8], most: int = ASKED_FEATURES) -> Features:
    """At most ``most`` features of an (H, W) picture."""
    if grey.size > MOST_PIXELS:
        factor = (MOST_PIXELS / grey.size) ** 0.5
        grey = cast("NDArray[np.uint8]", cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    found, hashes = cv2.ORB.create(most, 1.2, 8, edgeThreshold=19, fastThreshold=7).detectAndCompute(grey, None)
    if not found:  # then OpenCV gives None for the hashes
        return EMPTY
    return Features(np.array([feature.pt for feature in found], np.float32), cast("NDArray[np.uint8]", hashes))


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures known by their features, all in one list: feature i belongs to picture ``owners[i]`` of ``names``."""

    names: tuple[str, ...]
    owners: NDArray[np.int64]
    known: Features

    @classmethod
    def of(cls, pictures: Mapping[str, Features]) -> Gallery:
        """The gallery of some pictures by name."""
        counts = [len(each.hashes) for each in pictures.values()]
        places = np.concatenate([EMPTY.places, *(each.places for each in pictures.values())])
        hashes = np.concatenate([EMPTY.hashes, *(each.hashes for each in pictures.values())])
        return cls(tuple(pictures), np.repeat(np.arange(len(counts)), counts), Features(places, hashes))

    @classmethod
    def benchmarks(cls) -> Gallery:
        """Set5 and Set14, as published."""
        with np.load(BENCHMARKS) as stored:
            return cls(
                tuple(map(str, stored["names"])),
                stored["owners"].astype(np.int64),
                Features(stored["places"].astype(np.float32), stored["hashes"]),
            )

    def store(self, file: Path) -> None:
        """Write it down, places to whole pixels."""
        np.savez_compressed(
            file,
            names=np.array(self.names),
            owners=self.owners.astype(np.uint8),
            places=np.round(self.known.places).astype(np.uint16),
            hashes=self.known.hashes,
        )

    def shown_by(self, asked: Features, same: int = SAME) -> str | None:
        """The known picture that shows the same, in at least ``same`` places; None if there is none."""
        if not len(self.known.hashes) or len(asked.hashes) < same:
            return None
        pairs = self._agreeing(asked)
        counts = np.bincount(self.owners[pairs[:, 1]], minlength=len(self.names))
        likely = [int(owner) for owner in np.argsort(-counts)[:LIKELY] if counts[owner] >= same]
        return next((self.names[owner] for owner in likely if self._explained(asked, pairs, owner) >= same), None)

    @cached_property
    def _bands(self) -> list[tuple[NDArray[np.uint16], NDArray[np.int64]]]:
        """For each 16 bits of a hash: the known values in order, and whose they are."""
        columns = self.known.hashes.view(np.uint16).T
        orders = [np.argsort(column, kind="stable") for column in columns]
        return [(column[order], order) for column, order in zip(columns, orders, strict=True)]

    def _agreeing(self, asked: Features) -> NDArray[np.int64]:
        """(N, 2): features of ``asked``, and for each the known one that agrees with it best.

        Only those are compared that have some 16 bits in common: of two hashes that differ in every tenth bit nine in ten have.
        """
        columns = zip(asked.hashes.view(np.uint16).T, self._bands, strict=True)
        here, there = np.concatenate([_equal(column, *band) for column, band in columns], axis=1)
        differing = np.bitwise_count(asked.hashes.view(np.uint64)[here] ^ self.known.hashes.view(np.uint64)[there]).sum(axis=1)
        close = np.flatnonzero(differing < MOST_BITS)
        order = close[np.argsort(differing[close], kind="stable")]
        for side in (here, there):  # each feature agrees with one other at most, the nearest
            _, first = np.unique(side[order], return_index=True)
            order = order[np.sort(first)]
        return np.stack([here[order], there[order]], axis=1)

    def _explained(self, asked: Features, pairs: NDArray[np.int64], owner: int) -> int:
        """Different places of picture ``owner`` that one similarity transform explains."""
        own = pairs[self.owners[pairs[:, 1]] == owner]
        if len(own) < 2:
            return 0
        here, there = asked.places[own[:, 0]], self.known.places[own[:, 1]]
        cv2.setRNGSeed(0)
        transform, inside = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=REACH_PIXELS, maxIters=1000)
        if transform is None or not SMALLEST_SCALE < float(np.hypot(transform[0, 0], transform[1, 0])) < LARGEST_SCALE:
            return 0
        kept = inside.ravel().astype(bool)
        return min(_cells(here[kept]), _cells(there[kept]))


def grey_of(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Any picture's pixels as (H, W) uint8."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels / np.array(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1) * 255)
    eight = np.clip(eight, 0, 255).astype(np.uint8)
    return eight if eight.ndim == 2 else cast("NDArray[np.uint8]", cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY))


def _cells(places: NDArray[np.float32]) -> int:
    return len({(int(x), int(y)) for x, y in places // CELL})


def _equal(asked: NDArray[np.uint16], known: NDArray[np.uint16], owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, N): every index into ``asked`` with every one of ``owners`` whose value in ``known`` (in order) is the same."""
    low, high = np.searchsorted(known, asked, "left"), np.searchsorted(known, asked, "right")
    counts = high - low
    starts = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return np.stack([np.repeat(np.arange(len(asked)), counts), owners[starts + np.arange(counts.sum())]])


def main(arguments: Iterable[str]) -> None:
    """Store the hashes of the ``*_HR.png`` files in some folders, each picture named by its folder and number."""
    *folders, target = map(Path, arguments)
    files = {
        f"{folder.parent.name}/{file.stem.removesuffix('_HR')}": file for folder in folders for file in sorted(folder.glob("*_HR.png"))
    }
    Gallery.of({name: features(grey_of(read(file).pixels), KNOWN_FEATURES) for name, file in files.items()}).store(target)


if __name__ == "__main__":
    main(sys.argv[1:])
