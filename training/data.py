"""Training pairs: pictures are decoded, scaled down whole, kept as luma in memory, and cut into patches at random.

Pairs are made before patches are cut because MATLAB's imresize repeats the picture's edge: a patch scaled down by itself
would differ at its border from what the network meets later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.colour import picture_luma
from engine.errors import DataError
from engine.images import read
from engine.resize import imresize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture's luma, float32 in [0, 1]: ``lr`` (H, W) and ``hr`` (scale*H, scale*W)."""

    name: str
    lr: NDArray[np.float32]
    hr: NDArray[np.float32]


def picture_files(folder: Path) -> list[Path]:
    """Every picture below ``folder``, hidden ones left out, in a fixed order. Raises DataError if there is none."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise DataError(f"{folder}: no pictures here; give a folder with {', '.join(sorted(SUFFIXES))} files")
    return files


def make_pair(path: Path, scale: int) -> Pair:
    """A bicubic pair from a high-resolution picture, cropped at the bottom and right to a multiple of ``scale``."""
    picture = read(path)
    height, width = (size - size % scale for size in picture.pixels.shape[:2])
    if not height or not width:
        raise DataError(f"{path}: too small for scale {scale} ({picture.pixels.shape[1]}x{picture.pixels.shape[0]} pixels)")
    pixels = np.ascontiguousarray(picture.pixels[:height, :width])
    small = imresize(pixels, height // scale, width // scale)
    return Pair(path.name, picture_luma(small), picture_luma(pixels))


@dataclass(frozen=True)
class Patches:
    """Draws batches of aligned patches. The same seed and step always give the same batch, so a run needs no other state.

    A picture is drawn with a probability that grows with the square root of its area: many small pictures then count
    beside few large ones. ``patch`` is the side of the low-resolution patch in pixels.
    """

    pairs: Sequence[Pair]
    scale: int
    patch: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        for pair in self.pairs:
            if min(pair.lr.shape) < self.patch:
                raise DataError(f"{pair.name}: smaller than a patch of {self.patch}x{self.patch} low-resolution pixels")
        if not self.pairs:
            raise DataError("no training pictures are left")

    def draw(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Step ``step``'s batch: (batch, 1, patch, patch) and (batch, 1, scale*patch, scale*patch), float32."""
        rng = np.random.default_rng((self.seed, step))
        lows, highs = zip(*(self._patch(rng, index) for index in rng.choice(len(self.pairs), self.batch, p=self._chances)), strict=True)
        return np.stack(lows)[:, None], np.stack(highs)[:, None]

    @property
    def _chances(self) -> NDArray[np.float64]:
        roots = np.sqrt([pair.lr.size for pair in self.pairs])
        return roots / roots.sum()

    def _patch(self, rng: np.random.Generator, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A random place of one pair, turned and mirrored at random."""
        pair, size, scale = self.pairs[index], self.patch, self.scale
        top, left = (int(rng.integers(extent - size + 1)) for extent in pair.lr.shape)
        low = pair.lr[top : top + size, left : left + size]
        high = pair.hr[top * scale : (top + size) * scale, left * scale : (left + size) * scale]
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
        return _turned(low, turns, mirror), _turned(high, turns, mirror)


def _turned(x_hw: NDArray[np.float32], turns: int, mirror: bool) -> NDArray[np.float32]:
    turned = np.rot90(x_hw, turns)
    return turned[:, ::-1] if mirror else turned
