"""Spoiling low-resolution pictures as cameras, web sites and video codecs do, for networks meant for real pictures.

A chain of blur, downscaling, noise and compression with strengths drawn at random, in the spirit of Real-ESRGAN (arXiv
2107.10833) but mild: a network of some 10,000 weights can undo a little. Each picture's draw depends on the seed and on what
the picture holds, not on the order of pictures, so the same seed spoils the same picture in the same way.
"""

from __future__ import annotations

import io
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, cast

import cv2
import numpy as np

from engine.resize import imresize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Shrink = Callable[[NDArray[Any], int], NDArray[Any]]

Kind = Literal["photo", "video"]
BLURRED, NOISY, COMPRESSED = 0.04, 0.05, 0.6
"""How often each happens. What is spared them all, a third, is a clean picture: a network that sees few of them smooths them all."""
BICUBIC = 0.9
"""How often the scaling is bicubic. Nothing in a patch tells how it was scaled, so a network that sees many ways hedges."""
MOST_BLUR = 1.2
"""Standard deviation of the blur, in low-resolution pixels."""
MOST_NOISE = 6.0
"""Standard deviation of the noise, in 8-bit levels."""
QUALITIES = (25, 96)
SUBSAMPLINGS = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
CODECS = (("libx264", (20, 33)), ("mpeg4", (2, 12)), ("mpeg2video", (2, 12)), ("mjpeg", (2, 16)))
"""Video codecs with the range of what sets their quality: x264's constant rate factor, the others' quantiser."""
RATE = Fraction(25)


def variants(kind: Kind, count: int, seed: int) -> list[Shrink]:
    """``count`` ways to make a low-resolution picture, each spoiling differently."""
    return [_shrink(kind, seed, variant) for variant in range(count)]


def _shrink(kind: Kind, seed: int, variant: int) -> Shrink:
    def shrink(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
        rng = np.random.default_rng((seed, variant, zlib.crc32(np.ascontiguousarray(pixels).data)))
        return spoil(pixels, scale, kind, rng)

    return shrink


def spoil(pixels: NDArray[Any], scale: int, kind: Kind, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture (H, W[, 3]), its sides multiples of ``scale``, scaled down and (mostly) spoilt; 8 bits a sample."""
    blur, noise, compress = (rng.random() < chance for chance in (BLURRED, NOISY, COMPRESSED))
    large = _eight_bits(pixels)
    small = smaller(blurred(large, scale, rng) if blur else large, scale, rng)
    small = noisy(small, rng) if noise else small
    if not compress:
        return small
    return as_video(small, rng) if kind == "video" else as_jpeg(small, rng)


def blurred(pixels: NDArray[np.uint8], scale: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A Gaussian blur, in half of all cases stronger along one direction than across it."""
    along, across = (rng.uniform(0.1, MOST_BLUR) * scale for _ in range(2))
    if rng.random() < 0.5:
        across = along
    radius = int(np.ceil(3 * max(along, across)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    angle = rng.uniform(0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-(u**2 / (2 * along**2) + v**2 / (2 * across**2)))
    return cast("NDArray[np.uint8]", cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def smaller(pixels: NDArray[np.uint8], scale: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Scaled down by bicubic as MATLAB's, or at times by another way in use: area, bilinear, Lanczos. All keep the picture's place."""
    height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
    method = rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_LANCZOS4])
    if rng.random() < BICUBIC:
        return imresize(pixels, height, width)
    return cast("NDArray[np.uint8]", cv2.resize(pixels, (width, height), interpolation=int(method)))


def noisy(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gaussian noise, in half of all cases the same in every channel."""
    strength = rng.uniform(0.1, 1) * MOST_NOISE
    shape = pixels.shape if rng.random() < 0.5 else (*pixels.shape[:2], *(1 for _ in pixels.shape[2:]))
    return _clipped(pixels + rng.normal(0, strength, shape))


def as_jpeg(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Once through JPEG, at some quality and chroma subsampling."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITIES)), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, int(rng.choice(SUBSAMPLINGS))]
    encoded = cv2.imencode(".jpg", pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR if pixels.ndim == 3 else cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1] if pixels.ndim == 3 else decoded).astype(np.uint8)


def as_video(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Through a video codec: the last of three frames of a still, so that it is predicted as most frames are; 4:2:0."""
    codec, (low, high) = CODECS[int(rng.integers(len(CODECS)))]
    return through_codec(pixels, codec, int(rng.integers(low, high + 1)), rng)


def through_codec(pixels: NDArray[np.uint8], codec: str, quality: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What one of ``CODECS`` makes of a picture at one quality."""
    import av  # noqa: PLC0415 - slow to import, and only this needs it

    options = {"crf": str(quality)} if codec == "libx264" else {"qmin": str(quality), "qmax": str(quality)}
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    height, width = colour.shape[:2]
    even = np.pad(colour, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as container:
        stream: Any = container.add_stream(codec, rate=RATE, options={**options, "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = even.shape[1], even.shape[0], "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(_clipped(even + rng.normal(0, 1, even.shape) * (number < 2)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    memory.seek(0)
    film: Any
    with av.open(memory) as film:
        *_, last = film.decode(video=0)
        decoded = last.to_ndarray(format="rgb24")[:height, :width]
    return np.ascontiguousarray(decoded if pixels.ndim == 3 else decoded[..., 1])


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    return _clipped(pixels / 257.0 if pixels.dtype == np.uint16 else pixels * 255.0)


def _clipped(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    eight: NDArray[np.uint8] = np.clip(np.floor(pixels + 0.5), 0, 255).astype(np.uint8)
    return eight
