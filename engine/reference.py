"""The networks in plain NumPy: slow and obvious, what every back end is tested against.

`engine.network` states what a network computes; the functions here are those lines, one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.network import Layer, NetworkSpec, Precision
    from engine.weights import Model


def run(model: Model, y_hw: NDArray[np.floating]) -> NDArray[np.float64]:
    """Upscale luma in float64: (H, W) in [0, 1] to (scale*H, scale*W) in [0, 1]."""
    first, *body, last = model.spec.layers
    y = y_hw.astype(np.float64)
    start = _affine(model, first, y[None] - 0.5)
    x = start
    for layer in body:
        x = _activation(model, layer, _affine(model, layer, x) + x if layer.adder else _affine(model, layer, x))
    x = _affine(model, last, x + start) + y
    return np.clip(depth_to_space(x, model.spec.scale), 0, 1)


def convolution(x_chw: NDArray[np.float64], w_oihw: NDArray[np.floating]) -> NDArray[np.float64]:
    """Zero-padded convolution (in the field's sense: no flip), (I, H, W) to (O, H, W)."""
    kernel = w_oihw.shape[2]
    padded = _padded(x_chw, kernel // 2)
    height, width = x_chw.shape[1:]
    out = np.zeros((len(w_oihw), height, width))
    for i in range(kernel):
        for j in range(kernel):
            out += np.tensordot(w_oihw[:, :, i, j].astype(np.float64), padded[:, i : i + height, j : j + width], axes=1)
    return out


def adder(x_chw: NDArray[np.float64], w_oihw: NDArray[np.floating]) -> NDArray[np.float64]:
    """-sum|x - w| over the kernel, x zero outside the picture (AdderNet, arXiv 1912.13200, equation 2); (I, H, W) to (O, H, W)."""
    kernel = w_oihw.shape[2]
    padded = _padded(x_chw, kernel // 2)
    height, width = x_chw.shape[1:]
    out = np.zeros((len(w_oihw), height, width))
    for o, c, i, j in np.ndindex(w_oihw.shape):
        out[o] -= np.abs(padded[c, i : i + height, j : j + width] - np.float64(w_oihw[o, c, i, j]))
    return out


def depth_to_space(x_chw: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """(scale^2, H, W) to (scale*H, scale*W): channel ``scale*i + j`` is row i, column j of each pixel's block."""
    _, height, width = x_chw.shape
    return x_chw.reshape(scale, scale, height, width).transpose(2, 0, 3, 1).reshape(scale * height, scale * width)


def _affine(model: Model, layer: Layer, x: NDArray[np.float64]) -> NDArray[np.float64]:
    weight, bias = model.tensors[f"{layer.name}.weight"], model.tensors[f"{layer.name}.bias"]
    if not layer.adder:
        return convolution(x, weight) + bias[:, None, None]
    return model.tensors[f"{layer.name}.multiplier"][:, None, None] * adder(x, weight) + bias[:, None, None]


def _activation(model: Model, layer: Layer, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if model.spec.activation == "relu":
        return np.maximum(x, 0)
    return np.where(x >= 0, x, model.tensors[f"{layer.name}.slope"][:, None, None] * x)


def _padded(x_chw: NDArray[np.float64], margin: int) -> NDArray[np.float64]:
    return np.pad(x_chw, ((0, 0), (margin, margin), (margin, margin)))


class ReferenceBackend:
    """The float reference as a back end, for tests and for comparing."""

    name = "reference"
    device = "cpu"
    precision: Precision = "fp32"

    def __init__(self, model: Model) -> None:
        self.model = model
        self.spec: NetworkSpec = model.spec

    def run(self, y_hw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale luma as `engine.backends.Backend.run` promises."""
        return run(self.model, y_hw).astype(np.float32)
