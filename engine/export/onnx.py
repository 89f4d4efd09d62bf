"""A network as an ONNX graph of standard operators, built from its spec and weights with ``onnx.helper`` alone.

Input ``y``: luma (1, 1, H, W) float32 in [0, 1]; output ``upscaled``: (1, 1, scale*H, scale*W) float32 in [0, 1]; any H, W >= 1.

What a runtime multiplies is the network's own arithmetic, arranged for how ONNX Runtime works on a CPU:

- PReLU is written ``slope*x + relu((1 - slope)*x)`` (two depthwise 1x1 convolutions, a ReLU and an addition), which stays in
  the runtime's blocked layout and fuses, where its own PRelu leaves the layout twice a layer.
- At scale 2 the last layer's four channels would fill half a vector: it is computed for 2x2 pixels at once, 16 channels
  at stride 2, followed by one depth-to-space of twice the scale.
- An adder layer loops over short runs of pixels (`engine.export.onnx_adder`), so that its taps stay in cache.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import checker, helper

from engine.errors import ModelError
from engine.export.onnx_adder import adder_body
from engine.export.onnx_graph import Nodes, float_value

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from engine.network import Precision
    from engine.weights import Model

OPSET = 17
IR_VERSION = 8
INPUT = "y"
OUTPUT = "upscaled"


def graph(model: Model, precision: Precision = "fp32") -> onnx.ModelProto:
    """The network as a checked ONNX model. Raises ModelError where the model has no such precision."""
    if precision not in model.precisions:
        raise ModelError(f"{model.id} has no {precision} form: only {', '.join(model.precisions)}")
    if precision == "int8":
        raise ModelError(f"{model.id}: the int8 form is not exported to ONNX yet; use fp32")
    nodes = Nodes()
    _network(nodes, model)
    return _finish(nodes, model, precision)


def _network(nodes: Nodes, model: Model) -> None:
    """All nodes from ``y`` to ``upscaled``."""
    centred = nodes.add("Sub", [INPUT, nodes.constant("half", np.float32(0.5))], "centred")
    first = convolution(nodes, centred, "first", model.tensors)
    if model.spec.block == "adder":
        features = adder_body(nodes, first, model)
    else:
        features = nodes.add("Add", [_convolution_body(nodes, first, model), first], "features")
    _output(nodes, features, model)


def convolution(nodes: Nodes, x: str, layer: str, tensors: Any) -> str:
    """A zero-padded convolution of layer ``layer``; returns its output's name."""
    weight: NDArray[np.float32] = tensors[f"{layer}.weight"]
    return nodes.conv(layer, x, weight, tensors[f"{layer}.bias"], pads=[weight.shape[2] // 2] * 4)


def _convolution_body(nodes: Nodes, x: str, model: Model) -> str:
    for layer in model.spec.layers[1:-1]:
        x = convolution(nodes, x, layer.name, model.tensors)
        if model.spec.activation == "relu":
            x = nodes.add("Relu", [x], f"{layer.name}.active")
        else:
            x = _prelu(nodes, x, layer.name, model.tensors[f"{layer.name}.slope"])
    return x


def _prelu(nodes: Nodes, x: str, layer: str, slope: NDArray[np.float32]) -> str:
    """PReLU with one slope a channel; as the runtime's own operator where a slope over 1 forbids the rewriting."""
    if (slope > 1).any():
        return nodes.add("PRelu", [x, nodes.constant(f"{layer}.slope", slope.reshape(-1, 1, 1))], f"{layer}.active")
    channels = len(slope)
    positive = nodes.conv(f"{layer}.rest", x, (1 - slope).reshape(-1, 1, 1, 1), None, group=channels)
    positive = nodes.add("Relu", [positive], f"{layer}.positive")
    linear = nodes.conv(f"{layer}.linear", x, slope.reshape(-1, 1, 1, 1), None, group=channels)
    return nodes.add("Add", [linear, positive], f"{layer}.active")


def _output(nodes: Nodes, features: str, model: Model) -> None:
    """The last layer, the input added to every channel, clipped, depth-to-space."""
    scale = model.spec.scale
    block = 2 if scale == 2 else 1
    weight, bias = blocked_last(model.tensors["last.weight"], model.tensors["last.bias"], scale, block)
    skip_weight, _ = blocked_last(np.ones((scale**2, 1, 1, 1), np.float32), np.zeros(scale**2, np.float32), scale, block)
    more = block - 1
    last = nodes.conv("last", features, weight, bias, pads=[2, 2, 2 + more, 2 + more], strides=[block, block])
    skip = nodes.conv("skip", INPUT, skip_weight, None, pads=[0, 0, more, more], strides=[block, block])
    limits = [nodes.constant("black", np.float32(0)), nodes.constant("white", np.float32(1))]
    clipped = nodes.add("Clip", [nodes.add("Add", [last, skip], "sum"), *limits], "clipped")
    if block == 1:
        nodes.add("DepthToSpace", [clipped], OUTPUT, blocksize=scale, mode="DCR")
        return
    wide = nodes.add("DepthToSpace", [clipped], "wide", blocksize=scale * block, mode="DCR")
    size = nodes.add("Mul", [nodes.size(INPUT), nodes.integers("scale", [scale, scale])], "upscaled_size")
    nodes.add("Slice", [wide, nodes.integers("origin", [0, 0]), size, nodes.integers("plane", [2, 3])], OUTPUT)


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


def _finish(nodes: Nodes, model: Model, precision: Precision) -> onnx.ModelProto:
    scale = model.spec.scale
    proto = helper.make_model(
        helper.make_graph(
            nodes.nodes,
            model.id,
            [float_value(INPUT, [1, 1, "H", "W"])],
            [float_value(OUTPUT, [1, 1, f"{scale}*H", f"{scale}*W"])],
            nodes.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="AdderSESR",
    )
    spec = {f"spec.{key}": str(value) for key, value in asdict(model.spec).items()}
    licence = {"licence": str(model.about["licence"])} if "licence" in model.about else {}
    helper.set_model_props(proto, {"id": model.id, "precision": precision, **spec, **licence})
    checker.check_model(proto, full_check=True)
    return proto
