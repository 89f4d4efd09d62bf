"""Where two pictures differ, as a picture."""

from __future__ import annotations

import cv2
import numpy as np

from engine.picture import Picture

GAIN = 8


def heat(left: Picture, right: Picture) -> Picture:
    """The largest difference of a pixel's channels, `GAIN` times, from dark over red to white."""
    difference = cv2.absdiff(left.rgb8(), right.rgb8()).max(axis=2)
    gained = cv2.convertScaleAbs(difference, alpha=GAIN)
    coloured = cv2.applyColorMap(gained, cv2.COLORMAP_INFERNO)
    return Picture(np.ascontiguousarray(coloured[..., ::-1]))
