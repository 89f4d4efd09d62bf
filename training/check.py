"""Looking through a data set before training: what cannot be used, what should not be, and why."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from engine.errors import PictureError
from engine.images import read
from training.data import in_order
from training.events import Problem
from training.lookalike import EMPTY, SAME, Features, Gallery, features, grey_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from training.events import ProblemKind
    from training.sources import Source

LEAST_VALIDATION_SIDE = 16
"""Low-resolution pixels that a validation picture needs: what SSIM's window leaves after cropping."""
SAME_VALIDATION = 12
"""Places that must agree with a validation picture: more than with a benchmark, since there may be hundreds of them."""
HASH_SIDE = 16
SAME_BITS = 6
"""Whole-picture hashes of 512 bits that differ in fewer are of one picture."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of one source: the sides of its pictures in pixels, a hash of the whole, its features, or what was wrong.

    ``shown`` names for each gallery that was asked the picture that shows the same.
    """

    source: Source
    size: tuple[int, int] = (0, 0)
    lr_size: tuple[int, int] | None = None
    whole: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    features: Features = EMPTY
    shown: tuple[str | None, ...] = ()
    error: str = ""


def check(train: Sequence[Source], validation: Sequence[Source], scale: int, patch: int) -> Iterator[Problem]:
    """Every picture that must be left out, with the reason. ``patch`` is the low-resolution side that training needs.

    Validation pictures are only asked whether they can be used. A training picture is left out also if it shows what a
    benchmark or validation picture shows, or is the same as an earlier one.
    """
    held, seen = Hashes(), Hashes()
    features_of: dict[str, Features] = {}
    for look in _looks(validation, ()):
        if problem := _unfit(look, scale, LEAST_VALIDATION_SIDE):
            yield problem
        else:
            held.add(look)
            features_of[str(look.source.hr)] = look.features
    for look in _looks(train, ((Gallery.of(features_of), SAME_VALIDATION), (Gallery.benchmarks(), SAME))):
        if problem := _unfit(look, scale, patch) or _unwelcome(look, held, seen):
            yield problem
        else:
            seen.add(look)


class Hashes:
    """Whole pictures by their hashes."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._hashes = np.zeros((256, 2 * HASH_SIDE * HASH_SIDE // 8), np.uint8)

    def add(self, look: Look) -> None:
        """Remember a picture."""
        if len(self._names) == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[len(self._names)] = look.whole
        self._names.append(str(look.source.hr))

    def same(self, look: Look) -> str | None:
        """The file that holds the same picture, scaled or re-encoded; None if there is none."""
        if not self._names:
            return None
        differing = np.bitwise_count(self._hashes[: len(self._names)] ^ look.whole).sum(axis=1)
        nearest = int(differing.argmin())
        return self._names[nearest] if differing[nearest] < SAME_BITS else None


def whole_hash(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """512 bits: whether each of 16×16 cells is brighter than its neighbour to the right, and than the one below."""
    small = cv2.resize(grey, (HASH_SIDE + 1, HASH_SIDE + 1), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.concatenate([small[:-1, :-1] > small[:-1, 1:], small[:-1, :-1] > small[1:, :-1]])
    return np.packbits(bits)


def _looks(sources: Iterable[Source], galleries: Sequence[tuple[Gallery, int]]) -> Iterator[Look]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from in_order(pool, lambda source: _look(source, galleries), sources)


def _look(source: Source, galleries: Sequence[tuple[Gallery, int]]) -> Look:
    try:
        pixels = read(source.hr).pixels
        small = read(source.lr).pixels.shape if source.lr else None
    except PictureError as error:
        return Look(source, error=str(error))
    grey = grey_of(pixels)
    seen = features(grey)
    shown = tuple(gallery.shown_by(seen, same) for gallery, same in galleries)
    return Look(source, grey.shape, small and (small[0], small[1]), whole_hash(grey), seen, shown)


def _unfit(look: Look, scale: int, least: int) -> Problem | None:
    """Why a picture cannot be used at all."""
    if look.error:
        return _problem(look, "unusable", look.error)
    height, width = (side // scale for side in look.size)
    if look.lr_size and look.lr_size != (height, width):
        shapes = f"{look.lr_size[1]}×{look.lr_size[0]} for {look.size[1]}×{look.size[0]}"
        return _problem(look, "wrong scale", f"its low-resolution twin is {shapes}, not {scale} times smaller")
    if min(height, width) < least:
        return _problem(look, "too small", f"{look.size[1]}×{look.size[0]} pixels, {scale * least} are needed on each side")
    return None


def _unwelcome(look: Look, held: Hashes, seen: Hashes) -> Problem | None:
    """Why a usable training picture must be left out all the same."""
    overlap, benchmark = look.shown
    if shown := held.same(look) or overlap:
        return _problem(look, "overlap", f"shows what the validation picture {shown} shows")
    if benchmark:
        return _problem(
            look, "benchmark", f"shows what the benchmark picture {benchmark} shows; a network trained on it could not be measured"
        )
    if twin := seen.same(look):
        return _problem(look, "duplicate", f"the same picture as {twin}")
    return None


def _problem(look: Look, kind: ProblemKind, message: str) -> Problem:
    return Problem(str(look.source.hr), kind, message)
