"""Colours as a screen shows them: pictures with a profile of their own are brought to sRGB, which screens are taken to be.

The network works on the samples as they are stored, and results keep the profile: this is for looking at alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pyvips

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOUR_SPACE = slice(16, 20)
"""Where an ICC profile's header says what it is for (ICC.1:2022, table 17)."""
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
_log = logging.getLogger(__name__)


def to_srgb(rgb: NDArray[np.uint8], icc: bytes | None) -> NDArray[np.uint8]:
    """(H, W, 3) pixels that ``icc`` describes as sRGB; as they are without a profile, with sRGB's, or with one that is not understood."""
    if icc is None or icc[COLOUR_SPACE] != b"RGB " or any(name in icc for name in _SRGB):
        return rgb
    height, width, _ = rgb.shape
    image = pyvips.Image.new_from_memory(rgb, width, height, 3, "uchar").copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    try:
        shown = image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True).write_to_memory()
    except pyvips.Error as error:
        _log.warning("a colour profile is not understood: %s", error)
        return rgb
    return np.frombuffer(shown, np.uint8).reshape(height, width, 3)
