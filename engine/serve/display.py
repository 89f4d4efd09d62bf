"""Pictures made ready for a screen, in shared memory: 8 bits, B G R A, whole and in halves of halves."""

from __future__ import annotations

import shutil
from itertools import pairwise
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from engine.errors import OutputError
from engine.serve.protocol import Level, Pixels
from engine.serve.screen_colours import to_srgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.picture import Picture

SMALLEST_SIDE = 256
"""Levels end when both sides are at most this long."""
BYTES_A_PIXEL = 4
LINUX_SHARED = Path("/dev/shm")


def share(picture: Picture, memory: SharedMemory, levels: tuple[Level, ...]) -> Pixels:
    """Put ``picture`` into ``memory``, in the ``levels`` that `plan_levels` gave."""
    views = [_view(memory, level) for level in levels]
    bgra(picture, out=views[0])
    for larger, smaller in pairwise(views):
        cv2.resize(larger, (smaller.shape[1], smaller.shape[0]), dst=smaller, interpolation=cv2.INTER_AREA)
    return Pixels(memory.name, picture.alpha is not None, levels)


def plan_levels(width: int, height: int, *, whole_only: bool = False) -> tuple[Level, ...]:
    """The sizes of a picture's levels and where each begins."""
    levels = [Level(width, height, 0)]
    while not whole_only and max(levels[-1].width, levels[-1].height) > SMALLEST_SIDE:
        last = levels[-1]
        offset = last.offset + last.width * last.height * BYTES_A_PIXEL
        levels.append(Level((last.width + 1) // 2, (last.height + 1) // 2, offset))
    return tuple(levels)


def bytes_of(levels: tuple[Level, ...]) -> int:
    """How much memory these levels take."""
    last = levels[-1]
    return last.offset + last.width * last.height * BYTES_A_PIXEL


def bgra(picture: Picture, out: NDArray[np.uint8]) -> None:
    """Write the picture's pixels as (H, W, 4) uint8 B, G, R, A in sRGB with alpha multiplied in."""
    rgb = to_srgb(picture.rgb8(), picture.metadata.icc)
    if picture.alpha is None:
        cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA, dst=out)
        return
    alpha = picture.with_pixels(picture.alpha, None).rgb8()[..., 0]
    out[..., 3] = alpha
    for channel in range(3):
        product = rgb[..., 2 - channel].astype(np.uint16) * alpha
        out[..., channel] = (product + 127) // 255


def memory_for(levels: tuple[Level, ...]) -> SharedMemory:
    """A new block with room for ``levels``, which the caller closes and unlinks. Raises OutputError where there is none.

    The room is made sure of first: where there is none, the process would be killed at the first write, not here.
    """
    size = bytes_of(levels)
    if LINUX_SHARED.is_dir() and shutil.disk_usage(LINUX_SHARED).free < size:
        raise OutputError(f"no room to show the picture: {size >> 20} MiB of shared memory are needed; close other pictures")
    try:
        return SharedMemory(create=True, size=size)
    except OSError as error:
        raise OutputError(f"no room to show the picture: {size >> 20} MiB of shared memory are needed ({error.strerror})") from error


def _view(memory: SharedMemory, level: Level) -> NDArray[np.uint8]:
    shape = (level.height, level.width, BYTES_A_PIXEL)
    return cast("NDArray[np.uint8]", np.ndarray(shape, np.uint8, memory.buf, level.offset))
