"""Small picture files of every format, for tests."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from engine.resize import imresize


def drawn(shape: tuple[int, ...], dtype: type = np.uint8, seed: int = 1) -> np.ndarray:
    """A smooth picture, so that lossy formats keep it."""
    small = np.random.default_rng(seed).random((3, 4, *shape[2:]), np.float32)
    unit = np.clip(imresize(small, *shape[:2]) * 0.8 + 0.1, 0, 1)
    return unit if dtype == np.float32 else (unit * np.iinfo(dtype).max).astype(dtype)


@cache  # it holds the time at which it was made
@cache
def profile() -> bytes:
    """A profile; the same one each time, though it has the second in which it was made in it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(orientation: int, order: bytes = b"MM") -> bytes:
    block = Image.Exif()
    block.endian = "<" if order == b"II" else ">"
    block[0x0112] = orientation
    block[0x010F] = "Maker"
    camera = block.get_ifd(0x8769)
    camera[0xA002], camera[0xA003] = 40, 30
    camera[0x9003] = "2026:01:02 03:04:05"
    return block.tobytes()


def frames(count: int = 4) -> list[np.ndarray]:
    return [drawn((24, 36, 3), seed=i) for i in range(count)]


def samples() -> dict[str, bytes]:
    """One small file of each format."""
    picture = Image.fromarray(drawn((60, 70, 3)))
    out = {}
    for name, options in {
        "JPEG": {},
        "PNG": {},
        "WEBP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "BMP": {},
        "JPEG2000": {},
        "PPM": {},
        "GIF": {},
        "AVIF": {},
    }.items():
        file = io.BytesIO()
        picture.save(file, name, **options)
        out[name] = file.getvalue()
    progressive, heic = io.BytesIO(), io.BytesIO()
    picture.save(progressive, "JPEG", progressive=True)
    pillow_heif.register_heif_opener()
    picture.save(heic, "HEIF")
    return {**out, "progressive": progressive.getvalue(), "HEIC": heic.getvalue()}
