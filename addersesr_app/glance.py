"""What the window needs to know before it is painted: kept apart from the settings, which take a while to be read and checked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

LEAST, MOST = 100, 20_000
"""What a side of a window may be, in pixels."""


class Glance(NamedTuple):
    """How the window looked when it was last closed."""

    theme: str = "auto"
    width: int = 1280
    height: int = 800


def load(path: Path) -> Glance:
    """What is at ``path``, or else, in whole, the defaults."""
    try:
        theme, width, height = path.read_text(encoding="ascii").split()
        glance = Glance(theme, int(width), int(height))
    except (OSError, ValueError):
        return Glance()
    fits = theme in {"light", "dark", "auto"} and all(LEAST <= side <= MOST for side in (glance.width, glance.height))
    return glance if fits else Glance()


def save(glance: Glance, path: Path) -> None:
    """Store it; where that cannot be done, the next window looks like the first."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(map(str, glance)), encoding="ascii")
