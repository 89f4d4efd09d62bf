"""Which encoder writes a video, and with what settings."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import av

from engine.errors import UsageError, VideoError
from engine.video_options import CODECS, EFFORTS, Codec, Effort
from engine.video_planes import Sampling, sampling

if TYPE_CHECKING:
    from engine.video_source import VideoInfo

X265_WIDTH = 64
"""x265 4.1 writes past its memory at some smaller widths."""
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi", ".ts": "mpegts"}
"""File name endings that can be written, and FFmpeg's names of the formats."""


@dataclass(frozen=True, slots=True)
class Coder:
    """One encoder of FFmpeg. ``worst`` is the rate factor of quality 0 (quality 100 is 0); ``usual`` that of no wish, 0 without one."""

    name: str
    worst: int
    usual: int
    efforts: tuple[dict[str, str], dict[str, str], dict[str, str]]


CODERS: dict[Codec, Coder] = {
    "x264": Coder("libx264", 51, 18, ({"preset": "veryfast"}, {"preset": "fast"}, {"preset": "slow"})),
    "x265": Coder("libx265", 51, 20, ({"preset": "ultrafast"}, {"preset": "fast"}, {"preset": "slow"})),
    "av1": Coder("libsvtav1", 63, 28, ({"preset": "11"}, {"preset": "8"}, {"preset": "5"})),
    "vp9": Coder("libvpx-vp9", 63, 28, tuple({"deadline": "good", "row-mt": "1", "cpu-used": speed} for speed in "531")),  # type: ignore[arg-type]
    "ffv1": Coder("ffv1", 0, 0, ({"level": "3"}, {"level": "3"}, {"level": "3", "context": "1"})),
    "prores": Coder("prores_ks", 0, 0, ({"profile": "2"}, {"profile": "3"}, {"profile": "3"})),
    "h264-nvenc": Coder("h264_nvenc", 51, 19, ({"preset": "p1"}, {"preset": "p4"}, {"preset": "p7"})),
    "hevc-nvenc": Coder("hevc_nvenc", 51, 21, ({"preset": "p1"}, {"preset": "p4"}, {"preset": "p7"})),
    "h264-videotoolbox": Coder("h264_videotoolbox", 0, 0, ({}, {}, {})),
    "hevc-videotoolbox": Coder("hevc_videotoolbox", 0, 0, ({}, {}, {})),
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder with all its settings, for frames of format ``form``."""

    codec: Codec
    coder: str
    form: Sampling
    options: tuple[tuple[str, str], ...]


def choose(
    info: VideoInfo, width: int, extension: str, codec: str = "auto", quality: int | None = None, effort: Effort = "balanced"
) -> Encoding:
    """The encoding for a film that is to be ``width`` wide, going into a file with this ending.

    ``auto`` is H.264, H.265 where the film has a high dynamic range, AV1 in WebM. ``quality`` is 1..100. Raises UsageError for a
    codec that is not known, VideoError for one that this computer or the container does not have.
    """
    if codec not in ("auto", *CODECS):
        raise UsageError(f"--codec {codec}: not one of auto, {', '.join(CODECS)}")
    name = _automatic(info, width, extension) if codec == "auto" else cast("Codec", codec)
    if name == "x265" and width < X265_WIDTH:
        raise VideoError(f"x265 takes no film narrower than {X265_WIDTH} pixels; choose another --codec")
    coder = CODERS[name]
    forms = _forms(coder.name)
    if forms is None:
        raise VideoError(f"the encoder {name} is not available on this computer")
    options = dict(coder.efforts[EFFORTS.index(effort)])
    if coder.worst:
        factor = coder.usual if quality is None else round(coder.worst * (100 - quality) / 100)
        options["cq" if "nvenc" in name else "crf"] = str(factor)
    if name == "vp9":
        options["b"] = "0"
    if extension == ".avi":
        options["bf"] = "0"  # AVI has no time stamps, so no frames out of order
    options |= _light_options(info, name)
    return Encoding(name, coder.name, _nearest(info.form, forms, name), tuple(sorted(options.items())))


def _automatic(info: VideoInfo, width: int, extension: str) -> Codec:
    if extension == ".webm":
        return "av1" if (info.form.across, info.form.down) == (2, 2) else "vp9"
    return "x265" if info.colours.high_dynamic_range and extension != ".avi" and width >= X265_WIDTH else "x264"


@lru_cache(maxsize=32)
def _forms(coder: str) -> tuple[Sampling, ...] | None:
    """The planar formats that an encoder takes; None where it is not there."""
    try:
        formats = av.Codec(coder, "w").video_formats or []
    except av.codec.codec.UnknownCodecError:
        return None
    found = (sampling(form.name) for form in formats if not form.name.startswith("yuvj"))
    return tuple(form for form in found if form is not None)


def _nearest(wanted: Sampling, forms: tuple[Sampling, ...], name: str) -> Sampling:
    """The format that loses the least: chroma resolution, then depth, then waste."""

    def loss(form: Sampling) -> tuple[bool, int, int, int, int]:
        chroma = max(form.across - wanted.across, 0) + max(form.down - wanted.down, 0)
        spare = max(wanted.across - form.across, 0) + max(wanted.down - form.down, 0)
        return (form.grey and not wanted.grey, chroma, max(wanted.bits - form.bits, 0), spare + wanted.grey, abs(form.bits - wanted.bits))

    if not forms:
        raise VideoError(f"the encoder {name} takes no format that can be made here")
    return min(forms, key=loss)


def _light_options(info: VideoInfo, name: str) -> dict[str, str]:
    """HDR metadata in the encoder's own words."""
    light = dict(info.light)
    if name != "x265" or not light:
        return {}
    words = ["hdr10=1"]
    if mastering := light.get("MASTERING_DISPLAY_METADATA"):
        words.append(f"master-display={mastering_words(mastering)}")
    if level := light.get("CONTENT_LIGHT_LEVEL"):
        words.append("max-cll={},{}".format(*struct.unpack_from("=II", level)))
    return {"x265-params": ":".join(words)}


def mastering_words(data: bytes) -> str:
    """FFmpeg's AVMasteringDisplayMetadata as x265 writes it: primaries in 0.00002, luminance in 0.0001 cd/m²."""
    numbers = struct.unpack_from("=20i", data)
    values = [numerator / denominator for numerator, denominator in zip(numbers[::2], numbers[1::2], strict=True)]
    red, green, blue, white = (tuple(round(value * 50000) for value in values[i : i + 2]) for i in (0, 2, 4, 6))
    low, high = (round(value * 10000) for value in values[8:10])
    points = "".join(f"{letter}({x},{y})" for letter, (x, y) in (("G", green), ("B", blue), ("R", red), ("WP", white)))
    return f"{points}L({high},{low})"
