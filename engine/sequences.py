"""Numbered pictures that are a film: named by a pattern such as ``frame_%04d.png``."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NUMBER = re.compile(r"%(?:0(\d))?d")


@dataclass(frozen=True, slots=True)
class Sequence:
    """The pictures ``first`` to ``last`` of ``pattern``, none missing between them."""

    pattern: Path
    first: int
    last: int

    @property
    def stem(self) -> str:
        """A name for the film: the pattern's, without its number and what joins it on."""
        return _NUMBER.sub("", self.pattern.stem).strip("_-. ") or self.pattern.parent.name or "film"

    def file(self, number: int) -> Path:
        """One of the pictures."""
        return self.pattern.with_name(self.pattern.name % number)


def is_pattern(name: str) -> bool:
    """Whether a file name stands for numbered pictures."""
    return len(_NUMBER.findall(name)) == 1 and "%" not in _NUMBER.sub("", name)


def sequence(path: Path) -> Sequence | None:
    """The first unbroken run of pictures that ``path`` is the pattern of; None where it is none or nothing matches. Raises OSError."""
    if not is_pattern(path.name) or path.exists() or not path.parent.is_dir():
        return None
    width = int(_NUMBER.findall(path.name)[0] or 1)
    before, after = (re.escape(part) for part in _NUMBER.sub("\0", path.name).split("\0"))
    matches = (re.fullmatch(rf"{before}(\d{{{width},}}){after}", entry.name) for entry in path.parent.iterdir())
    numbers = sorted({int(match[1]) for match in matches if match})
    if not numbers:
        return None
    last = next((number for number, following in itertools.pairwise(numbers) if following != number + 1), numbers[-1])
    return Sequence(path, numbers[0], last)
