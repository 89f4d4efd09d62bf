"""Somebody else's ONNX graph as a back end: it is given what it expects, and what it gives is brought into our terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine import tiles
from engine.backends.onnx import RUNTIME_ERRORS, line, session
from engine.errors import BackendError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.foreign import ForeignModel
    from engine.network import ForeignSpec, Precision


class ForeignBackend:
    """A network of `engine.foreign` in ONNX Runtime; ``threads`` and ``device`` as `engine.backends.onnx.OnnxBackend` has them.

    Raises BackendError as that does, ModelError where the file is not what it was.
    """

    name = "onnx"

    def __init__(self, model: ForeignModel, precision: Precision = "fp32", threads: int | None = None, device: str = "auto") -> None:
        self.spec: ForeignSpec = model.spec
        self.precision: Precision = precision
        self.device = "cpu" if device == "auto" else device
        self._session = session(model.graph(), model.id, threads, self.device)
        self._input = self._session.get_inputs()[0].name

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `engine.backends.Backend.run`. A network of three channels sees luma as grey."""
        height, width = x.shape[:2]
        if self.spec.window is not None and (height > self.spec.window[0] or width > self.spec.window[1]):
            return tiles.run(self, x)
        rgb = x.ndim == 3
        planes = x if rgb else np.repeat(x[..., None], self.spec.channels, axis=2)
        upscaled = self._run(self._filled(planes))[: self.spec.scale * height, : self.spec.scale * width]
        unit = np.clip(upscaled / np.float32(self.spec.white), 0, 1)
        return np.ascontiguousarray(unit if rgb else unit.mean(axis=2))

    def _filled(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """``planes`` (H, W, C) grown at the bottom and the right, by repeating the last pixels, to a size that the network takes."""
        height, width = planes.shape[:2]
        multiple = self.spec.multiple
        tall, wide = self.spec.window or (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
        if (tall, wide) == (height, width):
            return planes
        return np.pad(planes, ((0, tall - height), (0, wide - width), (0, 0)), mode="edge")

    def _run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W, C) in [0, 1] to (scale*H, scale*W, C) in the network's own range."""
        scaled = planes * np.float32(self.spec.white) if self.spec.white != 1 else planes
        batch = np.ascontiguousarray((scaled if self.spec.channels_last else scaled.transpose(2, 0, 1))[None], np.float32)
        try:
            (out,) = self._session.run(None, {self._input: batch})
        except RUNTIME_ERRORS as error:
            raise BackendError(
                f"ONNX Runtime failed on {planes.shape[1]}x{planes.shape[0]} pixels: {line(error)}; try smaller tiles"
            ) from error
        upscaled: NDArray[np.float32] = out[0] if self.spec.channels_last else out[0].transpose(1, 2, 0)
        return upscaled
