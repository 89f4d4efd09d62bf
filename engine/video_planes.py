"""Video frames as planes of samples: out of PyAV's frames and back, luma to [0, 1] and back, chroma made larger.

A frame's luma goes to the network as it is, without a detour through RGB. Chroma is upscaled by the cubic with a = -0.5, its
samples kept where they lie: in the horizontally halved formats beside every second luma column (MPEG-2, H.264), else between.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from engine.resize import imresize

if TYPE_CHECKING:
    from numpy.typing import NDArray

KERNEL_RADIUS = 2
ROWS = 32
"""Rows that are turned into samples at a time: so many stay in a processor's own cache."""
STUDIO_LOW, STUDIO_WIDTH = 16 / 255, 219 / 255


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a planar YUV format stores its samples: bits each, and by what its chroma is smaller across and down."""

    name: str
    bits: int
    across: int
    down: int
    grey: bool

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        """The samples' type in memory."""
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def top(self) -> int:
        """The largest sample."""
        return (1 << self.bits) - 1

    def chroma_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the chroma planes of a picture of this size."""
        return -(-width // self.across), -(-height // self.down)


@lru_cache(maxsize=64)
def sampling(name: str) -> Sampling | None:
    """How the pixel format ``name`` stores samples; None where it is not one of planes of Y, Cb, Cr (or Y alone)."""
    plain = name.removesuffix("le").replace("yuvj", "yuv")
    if not plain.startswith(("yuv4", "gray")) or plain.startswith("yuva") or plain.endswith(("be", "f16", "f32")):
        return None
    form = VideoFormat(name, 8, 8)
    planes = {component.plane for component in form.components}
    if len(planes) != len(form.components) or len(planes) not in (1, 3):
        return None
    return Sampling(name, form.components[0].bits, 8 // form.chroma_width(8), 8 // form.chroma_height(8), len(planes) == 1)


def planar_equivalent(name: str) -> str:
    """The planar YUV format that holds the most of what ``name`` does."""
    if sampling(name) is not None:
        return name.replace("yuvj", "yuv")
    form = VideoFormat(name, 8, 8)
    bits = max(component.bits for component in form.components)
    chroma = "420" if form.chroma_height(8) < 8 else "422" if form.chroma_width(8) < 8 else "444"
    grey = len(form.components) < 3 and not form.has_palette
    stem = "gray" if grey else f"yuv{chroma}p"
    depth = next(depth for depth in (8, 10, 12, 16) if depth >= min(bits, 16))
    return stem if depth == 8 else f"{stem}{depth}le"


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """One frame's samples: ``luma`` (H, W) and ``chroma``, two planes or none, of uint8 or uint16."""

    luma: NDArray[Any]
    chroma: tuple[NDArray[Any], ...]

    def same(self, other: Planes) -> bool:
        """Whether both hold the same samples."""
        return all(np.array_equal(a, b) for a, b in zip((self.luma, *self.chroma), (other.luma, *other.chroma), strict=True))


def planes_of(frame: VideoFrame, form: Sampling) -> Planes:
    """A copy of the samples of ``frame``, whose format is ``form``."""
    views = _views(frame, form)
    return Planes(views[0].copy(), tuple(view.copy() for view in views[1:]))


def frame_of(planes: Planes, form: Sampling) -> VideoFrame:
    """A frame of format ``form`` with these samples."""
    height, width = planes.luma.shape
    frame = VideoFrame(width, height, form.name)
    for view, plane in zip(_views(frame, form), (planes.luma, *planes.chroma), strict=True):
        view[...] = plane
    return frame


def _views(frame: VideoFrame, form: Sampling) -> list[NDArray[Any]]:
    """The frame's memory as arrays without the padding at the lines' ends."""
    chroma = form.chroma_size(frame.width, frame.height)
    sizes = [(frame.width, frame.height), *([] if form.grey else [chroma, chroma])]
    item = np.dtype(form.dtype).itemsize
    views = []
    for plane, (width, height) in zip(frame.planes, sizes, strict=True):
        samples: NDArray[Any] = np.frombuffer(memoryview(plane), form.dtype)
        views.append(samples.reshape(-1, plane.line_size // item)[:height, :width])
    return views


def to_unit(luma: NDArray[Any], form: Sampling, color_range: int) -> NDArray[np.float32]:
    """Samples as the networks know luma: studio range, float32 in [0, 1]."""
    unit = luma.astype(np.float32)
    unit *= np.float32(1 / form.top)
    if color_range == ColorRange.JPEG:
        unit *= np.float32(STUDIO_WIDTH)
        unit += np.float32(STUDIO_LOW)
    return unit


def from_unit(unit: NDArray[np.float32], form: Sampling, color_range: int) -> NDArray[Any]:
    """The inverse of `to_unit`, rounded half up."""
    samples: NDArray[Any] = np.empty(unit.shape, form.dtype)
    for top in range(0, unit.shape[0], ROWS):
        rows = slice(top, top + ROWS)
        samples[rows] = _rounded(unit[rows], form, color_range)
    return samples


def _rounded(unit: NDArray[np.float32], form: Sampling, color_range: int) -> NDArray[np.float32]:
    if color_range == ColorRange.JPEG:
        unit = (unit - np.float32(STUDIO_LOW)) * np.float32(1 / STUDIO_WIDTH)
    scaled = unit * np.float32(form.top)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, form.top, out=scaled)


def upscale_chroma(plane: NDArray[Any], form: Sampling, scale: int, width: int, height: int) -> NDArray[Any]:
    """A chroma plane ``scale`` times as large, for an output picture of ``width`` × ``height`` luma samples."""
    wide, tall = form.chroma_size(width, height)
    out = np.empty((plane.shape[0] * scale, plane.shape[1] * scale), plane.dtype)
    across = _phases(scale, 0.25 if form.across == 2 else 0.5)
    down = _phases(scale, 0.5)
    for row, vertical in enumerate(down):
        for column, horizontal in enumerate(across):
            phase = cv2.sepFilter2D(plane, -1, horizontal, vertical, borderType=cv2.BORDER_REPLICATE)
            out[row::scale, column::scale] = phase
    if form.bits not in (8, 16):  # the cubic overshoots, and the filter only keeps to the dtype
        np.minimum(out, form.top, out=out)
    return out[:tall, :wide]


def uncoloured(planes: Planes, form: Sampling, wanted: Sampling) -> Planes:
    """A grey frame with planes for colour, which are neutral. FFmpeg would take grey samples for full-range ones."""
    more = wanted.bits - form.bits
    luma: NDArray[Any] = planes.luma.astype(np.uint32)
    luma = luma << more if more >= 0 else np.minimum((luma + (1 << (-more - 1))) >> -more, wanted.top)
    wide, tall = wanted.chroma_size(luma.shape[1], luma.shape[0])
    neutral = np.full((tall, wide), 1 << (wanted.bits - 1), wanted.dtype)
    return Planes(luma.astype(wanted.dtype), (neutral, neutral))


def resized(planes: Planes, form: Sampling, width: int, height: int) -> Planes:
    """The frame at this size, resampled bicubically where it is not that already."""
    if planes.luma.shape == (height, width):
        return planes
    wide, tall = form.chroma_size(width, height)
    luma = _clipped(imresize(planes.luma, height, width), form)
    return Planes(luma, tuple(_clipped(imresize(plane, tall, wide), form) for plane in planes.chroma))


def _clipped(plane: NDArray[Any], form: Sampling) -> NDArray[Any]:
    return cast("NDArray[Any]", np.minimum(plane, np.array(form.top, plane.dtype)))


@lru_cache(maxsize=16)
def _phases(scale: int, centre: float) -> tuple[NDArray[np.float32], ...]:
    """The cubic's taps for each of the ``scale`` outputs of one input sample, which lies ``centre`` of its width from its left edge."""
    taps = np.arange(-KERNEL_RADIUS, KERNEL_RADIUS + 1)
    kernels = []
    for phase in range(scale):
        weights = _cubic((phase + centre) / scale - centre - taps)
        kernels.append((weights / weights.sum()).astype(np.float32))
    return tuple(kernels)


def _cubic(x: NDArray[Any]) -> NDArray[np.float64]:
    """Keys' cubic with a = -0.5."""
    near = np.abs(x)
    inner = (1.5 * near - 2.5) * near**2 + 1
    outer = ((-0.5 * near + 2.5) * near - 4) * near + 2
    return cast("NDArray[np.float64]", np.where(near <= 1, inner, np.where(near <= 2, outer, 0.0)))
