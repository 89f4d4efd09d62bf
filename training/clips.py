"""Luma of frames from a film, spread over its length, for those who fit a network to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.errors import VideoError
from engine.video_fields import scan
from engine.video_frames import stills
from engine.video_planes import to_unit
from engine.video_source import examine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MOST_FRAMES = 60
DIFFERENT = 1 / 255
"""Mean difference of luma below which two frames count as one: a still screen teaches once."""


def sample_frames(path: Path, most: int = MOST_FRAMES) -> list[NDArray[np.float32]]:
    """At most ``most`` frames' luma, (H, W) float32 in [0, 1], evenly spread over the film. Raises VideoError if none can be decoded."""
    info = examine(path)
    kept: list[NDArray[np.float32]] = []
    stride = 1
    for still in stills(info, scan(info).filters, None, _overlooked):
        if still.number % stride:
            continue
        kept.append(to_unit(still.planes.luma, info.form, info.colours.range))
        if len(kept) > most:  # the film is longer than was known: keep every other frame, and go on more sparsely
            kept = kept[::2]
            stride *= 2
    if not kept:
        raise VideoError(f"{path}: no frame of it can be decoded")
    return list(_changing(kept))


def _changing(frames: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Those that differ from the one before."""
    last = None
    for frame in frames:
        if last is None or float(np.abs(frame - last).mean()) >= DIFFERENT:
            yield frame
            last = frame


def _overlooked(_seconds: float) -> None:
    """Damage in a film: the frames around it will do."""
