"""The words in which a user chooses how films are encoded, and which part of them; without FFmpeg, so that help does not load it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from engine.errors import UsageError

Effort = Literal["fast", "balanced", "thorough"]
Grade = Literal["small", "balanced", "high", "lossless"]
Codec = Literal[
    "x264", "x265", "av1", "vp9", "ffv1", "prores",
    "h264-nvenc", "hevc-nvenc", "av1-nvenc", "h264-qsv", "hevc-qsv", "av1-qsv", "h264-amf", "hevc-amf", "av1-amf",
    "h264-videotoolbox", "hevc-videotoolbox",
]  # fmt: skip

EFFORTS: tuple[Effort, ...] = get_args(Effort)
GRADES: tuple[Grade, ...] = get_args(Grade)
CODECS: tuple[Codec, ...] = get_args(Codec)
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)s?")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a film in seconds from its first frame on, ``end_s`` left out; None: from the beginning, to the end."""

    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        start_s = self.start_s or 0.0
        if start_s < 0 or (self.end_s is not None and self.end_s <= start_s):
            raise UsageError(f"there is no part of a film from {start_s:g} s to {'its end' if self.end_s is None else f'{self.end_s:g} s'}")

    @property
    def whole(self) -> bool:
        """Whether it is all of the film."""
        return self.start_s is None and self.end_s is None

    def words(self) -> str:
        """For a file's name: ``10s-15s``, ``10s-end``; empty for the whole."""
        if self.whole:
            return ""
        return f"{self.start_s or 0:g}s-" + ("end" if self.end_s is None else f"{self.end_s:g}s")


WHOLE = Excerpt()


def seconds(text: str) -> float:
    """A time such as ``90``, ``12.5s``, ``1:30`` or ``1:02:03.4``. Raises ValueError."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time; write seconds (12.5) or a clock's time (1:02:03)")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest
