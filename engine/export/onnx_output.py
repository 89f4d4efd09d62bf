"""The end of every graph: from features to pixels.

At scale 2 the last layer's four channels would fill half a vector: it is computed for 2x2 pixels at once, 16 channels at
stride 2, followed by one depth-to-space of twice the scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.export.onnx_graph import Nodes


@dataclass(frozen=True)
class OutputLayer:
    """The last layer as a float convolution: OIHW with scale^2 outputs, and a bias each."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def scale(self) -> int:
        """How many times as wide and high the output is."""
        return isqrt(len(self.bias))


def output(nodes: Nodes, y: str, features: str, layer: OutputLayer, name: str) -> None:
    """The last layer on ``features``, the input ``y`` added to every channel, clipped, depth-to-space: the graph's output ``name``."""
    scale = layer.scale
    block = 2 if scale == 2 else 1
    weight, bias = blocked_last(layer.weight, layer.bias, scale, block)
    skip_weight, _ = blocked_last(np.ones((scale**2, 1, 1, 1), np.float32), np.zeros(scale**2, np.float32), scale, block)
    more = block - 1
    last = nodes.conv("last", features, weight, bias, pads=[2, 2, 2 + more, 2 + more], strides=[block, block])
    skip = nodes.conv("skip", y, skip_weight, None, pads=[0, 0, more, more], strides=[block, block])
    limits = [nodes.constant("black", np.float32(0)), nodes.constant("white", np.float32(1))]
    clipped = nodes.add("Clip", [nodes.add("Add", [last, skip], "sum"), *limits], "clipped")
    if block == 1:
        nodes.add("DepthToSpace", [clipped], name, blocksize=scale, mode="DCR")
        return
    wide = nodes.add("DepthToSpace", [clipped], "wide", blocksize=scale * block, mode="DCR")
    size = nodes.add("Mul", [nodes.size(y), nodes.integers("scale", [scale, scale])], "upscaled_size")
    nodes.add("Slice", [wide, nodes.integers("origin", [0, 0]), size, nodes.integers("plane", [2, 3])], name)


def blocked_last(weight: NDArray[Any], bias: NDArray[Any], scale: int, block: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The last layer for ``block``x``block`` pixels at stride ``block``.

    From (scale^2, I, k, k) to ((block*scale)^2, I, k + block - 1, k + block - 1), its channels in the order that a
    depth-to-space of ``block * scale`` expects; one of the weights is moved for each pixel of the block, the rest is zero.
    """
    channels, inputs, kernel, _ = weight.shape
    assert channels == scale**2
    wide = kernel + block - 1
    out = np.zeros((block, scale, block, scale, inputs, wide, wide), weight.dtype)
    biases = np.zeros((block, scale, block, scale), bias.dtype)
    by_pixel = weight.reshape(scale, scale, inputs, kernel, kernel)
    for row in range(block):
        for column in range(block):
            out[row, :, column, :, :, row : row + kernel, column : column + kernel] = by_pixel
            biases[row, :, column, :] = bias.reshape(scale, scale)
    return out.reshape(-1, inputs, wide, wide), biases.reshape(-1)
