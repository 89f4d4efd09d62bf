"""A network as an ONNX graph of standard operators, built from its spec and weights with ``onnx.helper`` alone.

Input ``y``: luma (1, 1, H, W) float32 in [0, 1]; output ``upscaled``: (1, 1, scale*H, scale*W) float32 in [0, 1]; any H, W >= 1.

What a runtime multiplies is the network's own arithmetic, arranged for how ONNX Runtime works on a CPU:

- PReLU is written ``slope*x + relu((1 - slope)*x)`` (two depthwise 1x1 convolutions, a ReLU and an addition), which stays in
  the runtime's blocked layout and fuses, where its own PRelu leaves the layout twice a layer.
- At scale 2 the last layer computes 2x2 pixels at once (`engine.export.onnx_output`).
- An adder layer loops over short runs of pixels (`engine.export.onnx_adder`), so that its taps stay in cache.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import checker, helper

from engine.export.onnx_adder import adder_body
from engine.export.onnx_graph import Nodes, float_value
from engine.export.onnx_int8 import integer_features
from engine.export.onnx_output import OutputLayer, output

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from engine.export.onnx_int8 import Identity
    from engine.network import Precision
    from engine.weights import Model

OPSET = 17
IR_VERSION = 8
INPUT = "y"
OUTPUT = "upscaled"


def graph(model: Model, precision: Precision = "fp32", identity: Identity = "added") -> onnx.ModelProto:
    """The network as a checked ONNX model; ``identity`` is for int8 convolutions (see `engine.export.onnx_int8`).

    Raises ModelError where the model has no such precision.
    """
    nodes = Nodes()
    if precision == "int8":
        features, last = integer_features(nodes, INPUT, model, identity)
    else:
        features, last = _features(nodes, model)
    output(nodes, INPUT, features, last, OUTPUT)
    return _finish(nodes, model, precision)


def _features(nodes: Nodes, model: Model) -> tuple[str, OutputLayer]:
    """Everything up to the last layer, and that layer."""
    last = OutputLayer(model.tensors["last.weight"], model.tensors["last.bias"])
    centred = nodes.add("Sub", [INPUT, nodes.constant("half", np.float32(0.5))], "centred")
    first = convolution(nodes, centred, "first", model.tensors)
    if model.spec.block == "adder":
        return adder_body(nodes, first, model), last
    return nodes.add("Add", [_convolution_body(nodes, first, model), first], "features"), last


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
    about = {"id": model.id, "precision": precision, "receptive_radius": str(model.spec.receptive_radius)}
    helper.set_model_props(proto, {**about, **spec, **licence})
    checker.check_model(proto, full_check=True)
    return proto
