"""The middles of pictures that were scored, kept to be looked at: as they should be, as a network makes them, and where that differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine import images
from engine.heat import heat
from engine.picture import Picture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 256
"""Longest side of a crop, in pixels."""


@dataclass(frozen=True, slots=True)
class Crops:
    """Stores crops in ``folder``: ``NAME.png``, ``NAME-original.png`` and ``NAME-difference.png``, grey but for the last."""

    folder: Path

    def store(self, name: str, made: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
        """Keep the middle of one picture, both (H, W) in 0..255. Raises OutputError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = _middle(made), _middle(wanted)
        for ending, picture in (("", ours), ("-original", theirs), ("-difference", heat(ours, theirs))):
            images.write(picture, self.folder / f"{name}{ending}.png", overwrite=True)


def _middle(levels: NDArray[np.float64]) -> Picture:
    height, width = levels.shape
    top, left = max(0, (height - SIDE) // 2), max(0, (width - SIDE) // 2)
    cut = levels[top : top + SIDE, left : left + SIDE]
    return Picture(np.ascontiguousarray(np.clip(np.rint(cut), 0, 255).astype(np.uint8)))
