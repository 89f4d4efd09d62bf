"""Looking through a data set before training: what cannot be used, what should not be, and why."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

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
THUMBNAIL_SIDE = 16
SAME_LEVELS = 1.5
"""Thumbnails that differ by less, root mean square of 8-bit levels, are of one picture."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of one source: the sides of its pictures in pixels, a thumbnail, its features, or what was wrong.

    ``shown`` names for each gallery that was asked the picture that shows the same.
    """

    source: Source
    size: tuple[int, int] = (0, 0)
    lr_size: tuple[int, int] | None = None
    thumbnail: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    features: Features = EMPTY
    shown: tuple[str | None, ...] = ()
    error: str = ""


def check(train: Sequence[Source], validation: Sequence[Source], scale: int, patch: int) -> Iterator[Problem]:
    """Every picture that must be left out, with the reason. ``patch`` is the low-resolution side that training needs.

    Validation pictures are only asked whether they can be used. A training picture is left out also if it shows what a
    benchmark or validation picture shows, or is the same as an earlier one.
    """
    held, seen = Thumbnails(), Thumbnails()
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


class Thumbnails:
    """Whole pictures, known by their means over 16×16 cells."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._known = np.zeros((256, THUMBNAIL_SIDE**2), np.float32)

    def add(self, look: Look) -> None:
        """Remember a picture."""
        if len(self._names) == len(self._known):
            self._known = np.concatenate([self._known, np.zeros_like(self._known)])
        self._known[len(self._names)] = look.thumbnail
        self._names.append(str(look.source.hr))

    def same(self, look: Look) -> str | None:
        """The file that holds the same picture, scaled or re-encoded; None if there is none."""
        if not self._names:
            return None
        differences = np.square(self._known[: len(self._names)] - look.thumbnail).mean(axis=1)
        nearest = int(differences.argmin())
        return self._names[nearest] if differences[nearest] < SAME_LEVELS**2 else None


def thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means over 16×16 cells of a picture, in 8-bit levels, (256,)."""
    small = cv2.resize(grey.astype(np.float32), (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return cast("NDArray[np.float32]", small.ravel())


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
    return Look(source, grey.shape, small and (small[0], small[1]), thumbnail(grey), seen, shown)


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


def _unwelcome(look: Look, held: Thumbnails, seen: Thumbnails) -> Problem | None:
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
