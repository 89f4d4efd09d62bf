"""HEIC through libheif, read only: its encoders are under licences that a program like this one cannot take on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pi_heif

from engine import exif
from engine.codecs import CodecError, Decoded
from engine.picture import Metadata, Picture
from engine.rows import PictureRows


def decode(data: bytes, most_pixels: int) -> Decoded:
    """A picture from a file's bytes, upright as the container says. Raises CodecError, also above ``most_pixels``."""
    try:
        opened = pi_heif.open_heif(data, convert_hdr_to_8bit=False)
        width, height = opened.size
        _check_size(width, height, most_pixels)
        samples = np.asarray(opened)
        info: dict[str, Any] = opened.info
    except CodecError:
        raise
    except Exception as error:  # on damaged files the library raises whatever comes up, IndexError among it
        raise CodecError(str(error) or "its HEIC data cannot be decoded") from error
    grey, alpha = opened.mode.startswith("L"), "A" in opened.mode
    samples = np.array(samples, order="C")
    if samples.dtype == np.uint16:
        _full_range(samples, int(info.get("bit_depth") or 10))
    colours = samples if samples.ndim == 2 else samples[..., 0] if grey else samples[..., :3]
    picture = Picture(np.ascontiguousarray(colours), np.ascontiguousarray(samples[..., -1]) if alpha else None, format="heic")
    raw = info.get("exif")
    return Decoded(
        PictureRows(picture),
        Metadata(
            icc=info.get("icc_profile") or None,
            exif=raw.removeprefix(exif.PREFIX) if raw else None,
            xmp=info.get("xmp") or None,
        ),
        (f"only the first of its {len(opened)} pictures is taken",) if len(opened) > 1 else (),
    )


def _check_size(width: int, height: int, most_pixels: int) -> None:
    if width * height > most_pixels:
        raise CodecError(f"{width}×{height} is over the limit of {most_pixels // 1_000_000} megapixels")


def _full_range(samples: np.ndarray[Any, np.dtype[np.uint16]], bits: int) -> None:
    """10 and 12 bits arrive shifted up to 16; stretch them, in place, so that white is 65535."""
    top = (1 << bits) - 1
    for row in samples:
        row[...] = ((row >> (16 - bits)).astype(np.uint32) * 65535 + top // 2) // top
