"""Where the training kernels are: modules that need a compiler of kernels, which may not be installed."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


@functools.cache
def kernel_module(name: str) -> ModuleType | None:
    """A module of kernels, or None where what it is written in is not installed. Imported at use: compilers load slowly."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
