"""Which encoder writes a video, and with what settings."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import av
from av import VideoFrame

from engine.errors import UsageError, VideoError
from engine.video_options import CODECS, EFFORTS, Codec, Effort, Grade
from engine.video_planes import Sampling, sampling

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.video_source import VideoInfo

X265_WIDTH = 64
"""x265 4.1 writes past its memory at some smaller widths."""
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi", ".ts": "mpegts"}
"""File name endings that can be written, and FFmpeg's names of the formats."""


@dataclass(frozen=True, slots=True)
class Coder:
    """One encoder of FFmpeg. ``worst`` is the rate factor of quality 0 (quality 100 is 0); ``usual`` that of no wish, 0 without one.

    ``factor`` is the rate factor's name among its options; ``stand_in`` what is used where hardware turns out not to be there.
    """

    name: str
    worst: int
    usual: int
    efforts: tuple[dict[str, str], dict[str, str], dict[str, str]]
    factor: str = "crf"
    stand_in: Codec | None = None


_PRESETS: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({"preset": "p1"}, {"preset": "p4"}, {"preset": "p7"})
_QSV: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({"preset": "veryfast"}, {"preset": "medium"}, {"preset": "veryslow"})
_AMF: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({"quality": "speed"}, {"quality": "balanced"}, {"quality": "quality"})

CODERS: dict[Codec, Coder] = {
    "x264": Coder("libx264", 51, 18, ({"preset": "veryfast"}, {"preset": "fast"}, {"preset": "slow"})),
    "x265": Coder("libx265", 51, 20, ({"preset": "ultrafast"}, {"preset": "fast"}, {"preset": "slow"})),
    "av1": Coder("libsvtav1", 63, 28, ({"preset": "11"}, {"preset": "8"}, {"preset": "5"})),
    "vp9": Coder("libvpx-vp9", 63, 28, tuple({"deadline": "good", "row-mt": "1", "cpu-used": speed} for speed in "531")),  # type: ignore[arg-type]
    "ffv1": Coder("ffv1", 0, 0, ({"level": "3"}, {"level": "3"}, {"level": "3", "context": "1"})),
    "prores": Coder("prores_ks", 0, 0, ({"profile": "2"}, {"profile": "3"}, {"profile": "3"})),
    "h264-nvenc": Coder("h264_nvenc", 51, 19, _PRESETS, "cq", "x264"),
    "hevc-nvenc": Coder("hevc_nvenc", 51, 21, _PRESETS, "cq", "x265"),
    "av1-nvenc": Coder("av1_nvenc", 63, 28, _PRESETS, "cq", "av1"),
    "h264-qsv": Coder("h264_qsv", 51, 19, _QSV, "global_quality", "x264"),
    "hevc-qsv": Coder("hevc_qsv", 51, 21, _QSV, "global_quality", "x265"),
    "av1-qsv": Coder("av1_qsv", 51, 24, _QSV, "global_quality", "av1"),
    "h264-amf": Coder("h264_amf", 51, 19, _AMF, "qvbr_quality_level", "x264"),
    "hevc-amf": Coder("hevc_amf", 51, 21, _AMF, "qvbr_quality_level", "x265"),
    "av1-amf": Coder("av1_amf", 51, 24, _AMF, "qvbr_quality_level", "av1"),
    "h264-videotoolbox": Coder("h264_videotoolbox", 0, 0, ({}, {}, {}), stand_in="x264"),
    "hevc-videotoolbox": Coder("hevc_videotoolbox", 0, 0, ({}, {}, {}), stand_in="x265"),
}
HARDWARE: tuple[Codec, ...] = tuple(name for name, coder in CODERS.items() if coder.stand_in)
"""Encoders in graphics cards and processors: FFmpeg knows them everywhere, the hardware is another matter."""
GRADE_STEPS: dict[Grade, float] = {"small": 1.4, "balanced": 1.0, "high": 0.75, "lossless": 0.0}
"""What each grade of quality does to an encoder's usual rate factor."""
_AMF_MODES = {"rc": "qvbr"}
_TWO_PLANES = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
"""Formats with Cb and Cr in one plane, by the planar ones that are converted to them for the encoder."""
LIGHT_KEEPERS = frozenset({"x265", "av1"})
"""Those whose encoders can be told HDR metadata."""
TRIAL_SIDE = 256


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder with all its settings, for frames of format ``form``."""

    codec: Codec
    coder: str
    form: Sampling
    options: tuple[tuple[str, str], ...]

    @property
    def planar(self) -> Sampling:
        """``form``, or the format of three planes that it is made from."""
        return replace(self.form, name=_TWO_PLANES.get(self.form.name, self.form.name))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user says of encoding. ``codec`` may be ``auto``; ``quality`` is 1..100 and goes before ``grade``."""

    codec: str = "auto"
    quality: int | None = None
    grade: Grade = "balanced"
    effort: Effort = "balanced"

    def __post_init__(self) -> None:
        if self.codec not in ("auto", *CODECS):
            raise UsageError(f"--codec {self.codec}: not one of auto, {', '.join(CODECS)}")


def choose(info: VideoInfo, width: int, extension: str, wish: Wish, tell: Callable[[str], None] = lambda _: None) -> Encoding:
    """The encoding for a film that is to be ``width`` wide, going into a file with this ending; ``tell`` hears what will be lost.

    ``auto`` is H.264, H.265 where the film has a high dynamic range, AV1 in WebM. Where hardware was wished for that is not there or
    refuses, ``tell`` hears so and the processor does it. Raises VideoError for an encoder that this computer does not have.
    """
    os.environ.setdefault("SVT_LOG", "1")  # errors alone: the encoder has no other way to be told to be quiet
    name = _automatic(info, width, extension) if wish.codec == "auto" else cast("Codec", wish.codec)
    stand_in = CODERS[name].stand_in
    if stand_in and (problem := trouble(name)):
        tell(f"{name} cannot be used on this computer ({problem}): going on with {stand_in}")
        name = stand_in
    if name == "x265" and width < X265_WIDTH:
        raise VideoError(f"x265 takes no film narrower than {X265_WIDTH} pixels; choose another --codec")
    forms = _forms(CODERS[name].name)
    if forms is None:
        raise VideoError(f"the encoder {name} is not available on this computer")
    form = _nearest(info.form, forms, name)
    for loss in _losses(info, form, name):
        tell(loss)
    options = _light_options(info, name, _quality_options(name, wish))
    if extension == ".avi":
        options["bf"] = "0"  # AVI has no time stamps, so no frames out of order
    return Encoding(name, CODERS[name].name, form, tuple(sorted(options.items())))


def _quality_options(name: Codec, wish: Wish) -> dict[str, str]:
    coder = CODERS[name]
    options = dict(coder.efforts[EFFORTS.index(wish.effort)])
    if coder.worst:
        factor = coder.usual * GRADE_STEPS[wish.grade] if wish.quality is None else coder.worst * (100 - wish.quality) / 100
        options[coder.factor] = str(round(factor))
        if round(factor) == 0 and name == "vp9":
            options["lossless"] = "1"
        if name == "x265":
            options["x265-params"] = "log-level=error" + (":lossless=1" if round(factor) == 0 else "")
    if name == "vp9":
        options["b"] = "0"
    return options | (_AMF_MODES if name.endswith("amf") else {})


@lru_cache(maxsize=32)
def trouble(name: Codec) -> str | None:
    """Why an encoder cannot be used here, found by encoding a grey frame; None where it works."""
    coder = CODERS[name].name
    forms = _forms(coder)
    if not forms:
        return "FFmpeg was built without it"
    form = forms[0].name
    try:
        context: Any = av.CodecContext.create(coder, "w")
        context.width = context.height = TRIAL_SIDE
        context.pix_fmt, context.time_base = form, Fraction(1, 25)
        frame = VideoFrame(TRIAL_SIDE, TRIAL_SIDE, _TWO_PLANES.get(form, form))
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame = frame.reformat(format=form)
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]
    except (av.error.FFmpegError, ValueError):
        return "there is no such hardware, or its driver refuses"
    return None if packets else "it gave nothing"


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
    found = (_sampling(form.name) for form in formats if not form.name.startswith("yuvj"))
    return tuple(form for form in found if form is not None)


def _sampling(name: str) -> Sampling | None:
    """As `engine.video_planes.sampling`; two planes count as the three that are converted to them."""
    planar = sampling(_TWO_PLANES.get(name, name))
    return None if planar is None else replace(planar, name=name)


def _nearest(wanted: Sampling, forms: tuple[Sampling, ...], name: str) -> Sampling:
    """The format that loses the least: chroma resolution, then depth, then waste."""

    def loss(form: Sampling) -> tuple[bool, int, int, int, int]:
        chroma = 0 if wanted.grey else max(form.across - wanted.across, 0) + max(form.down - wanted.down, 0)
        spare = max(wanted.across - form.across, 0) + max(wanted.down - form.down, 0)
        if wanted.grey and not form.grey:
            spare = 1 + round(4 / (form.across * form.down))  # the least chroma where none is needed
        return (form.grey and not wanted.grey, chroma, max(wanted.bits - form.bits, 0), spare, abs(form.bits - wanted.bits))

    if not forms:
        raise VideoError(f"the encoder {name} takes no format that can be made here")
    return min(forms, key=loss)


def _losses(info: VideoInfo, form: Sampling, name: str) -> list[str]:
    """What of the film the encoder's format does not hold, in words."""
    lost = []
    if form.bits < info.form.bits:
        lost.append(f"{name} holds {form.bits} bits a sample here: the film's {info.form.bits} are rounded")
    if not info.form.grey and form.across * form.down > info.form.across * info.form.down:
        lost.append(f"{name} holds less colour resolution here than the film has")
    if info.light and name not in LIGHT_KEEPERS:
        lost.append(f"{name} does not keep the film's HDR metadata (mastering display, light levels); x265 and av1 do")
    return lost


def _light_options(info: VideoInfo, name: str, options: dict[str, str]) -> dict[str, str]:
    """The options with HDR metadata in the encoder's own words, where it has any."""
    light = dict(info.light)
    if name not in LIGHT_KEEPERS or not light:
        return options
    mastering, level = light.get("MASTERING_DISPLAY_METADATA"), light.get("CONTENT_LIGHT_LEVEL")
    levels = struct.unpack_from("=II", level) if level else None
    if name == "x265":
        words = ["hdr10=1", *([f"master-display={mastering_words(mastering)}"] if mastering else [])]
        words += ["max-cll={},{}".format(*levels)] if levels else []
        return options | {"x265-params": ":".join([options["x265-params"], *words])}
    words = [f"mastering-display={mastering_decimals(mastering)}"] if mastering else []
    words += ["content-light={},{}".format(*levels)] if levels else []
    return options | {"svtav1-params": ":".join(words)}


def _mastering(data: bytes) -> list[float]:
    """FFmpeg's AVMasteringDisplayMetadata: x and y of red, green, blue and white, then the least and the most luminance in cd/m²."""
    numbers = struct.unpack_from("=20i", data)
    return [numerator / denominator for numerator, denominator in zip(numbers[::2], numbers[1::2], strict=True)]


def mastering_decimals(data: bytes) -> str:
    """A mastering display as SVT-AV1 reads it: plain numbers."""
    values = _mastering(data)
    points = "".join(f"{letter}({values[i]:.5f},{values[i + 1]:.5f})" for letter, i in (("G", 2), ("B", 4), ("R", 0), ("WP", 6)))
    return f"{points}L({values[9]:.4f},{values[8]:.4f})"


def mastering_words(data: bytes) -> str:
    """A mastering display as x265 reads it: primaries in 0.00002, luminance in 0.0001 cd/m²."""
    values = _mastering(data)
    red, green, blue, white = (tuple(round(value * 50000) for value in values[i : i + 2]) for i in (0, 2, 4, 6))
    low, high = (round(value * 10000) for value in values[8:10])
    points = "".join(f"{letter}({x},{y})" for letter, (x, y) in (("G", green), ("B", blue), ("R", red), ("WP", white)))
    return f"{points}L({high},{low})"
