"""Bicubic enlargement as a back end: what every network is compared with, and whose published figures check the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.network import NetworkSpec
from engine.resize import imresize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.network import Precision


class Bicubic:
    """MATLAB's ``imresize`` by ``scale``. See `engine.backends.Backend`; its spec stands for the scale alone."""

    name, device = "bicubic", "cpu"
    precision: Precision = "fp32"

    def __init__(self, scale: int) -> None:
        self.spec = NetworkSpec(scale, 1, 1)

    def run(self, y_hw: NDArray[np.float32], /) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1] to (scale*H, scale*W), clipped."""
        enlarged: NDArray[np.float32] = imresize(y_hw, y_hw.shape[0] * self.spec.scale, y_hw.shape[1] * self.spec.scale)
        return np.clip(enlarged, 0, 1)
