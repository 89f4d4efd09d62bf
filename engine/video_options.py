"""The words in which a user chooses how films are encoded; free of FFmpeg, so that asking for help does not load it."""

from __future__ import annotations

from typing import Literal, get_args

Effort = Literal["fast", "balanced", "thorough"]
Codec = Literal["x264", "x265", "av1", "vp9", "ffv1", "prores", "h264-nvenc", "hevc-nvenc", "h264-videotoolbox", "hevc-videotoolbox"]

EFFORTS: tuple[Effort, ...] = get_args(Effort)
CODECS: tuple[Codec, ...] = get_args(Codec)
