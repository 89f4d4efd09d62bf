"""Keeping freed memory: what a step frees, the next one needs again."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's ``mallopt`` (malloc.h)."""
LARGE = 2**30


def keep_freed_memory() -> bool:
    """Tell the C library to keep what is freed instead of handing it back; whether it could be told.

    A training step allocates the same feature maps, some megabytes each, again and again. By default glibc takes them from the
    system and returns them every time, and the system clears them page by page, which costs a small network's step a quarter of
    its time. Memory in use does not grow: a step's peak is what is kept. Does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {MMAP_THRESHOLD: LARGE, TRIM_THRESHOLD: LARGE, TOP_PAD: LARGE // 16}
    return all(mallopt(parameter, value) for parameter, value in settings.items())
