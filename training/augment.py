"""More pictures out of the same ones, for large networks: a thousand small pictures are soon known by heart.

A copy scaled down shows finer detail, and less of what a camera's JPEG left; a single colour shows edges that luma evens out.
Patches of either are turned and mirrored like all others (`training.data`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.resize import imresize

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = (0, 2)
"""Red and blue; green is nearly luma."""
FACTORS = (0.7, 0.5)


def copies(pixels: NDArray[Any], least: int) -> list[NDArray[Any]]:
    """Further pictures made of one, (H, W) or (H, W, 3): single colours as grey pictures, and scaled-down ones.

    None of them has a side below ``least`` pixels, unless ``pixels`` has.
    """
    colours = [pixels[..., channel].copy() for channel in COLOURS] if pixels.ndim == 3 else []
    sizes = [(round(pixels.shape[0] * factor), round(pixels.shape[1] * factor)) for factor in FACTORS]
    return [*colours, *(imresize(pixels, *size) for size in sizes if min(size) >= least)]
