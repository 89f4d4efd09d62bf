"""What somebody else's ONNX graph costs, counted in the graph: multiply-accumulates an input pixel, and how wide it gets."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, prod
from typing import TYPE_CHECKING

import onnx
from onnx import shape_inference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Shape = tuple[int, ...]

UNCOUNTED = frozenset({"Einsum", "Attention", "LSTM", "GRU", "RNN", "DeformConv", "Scan", "QLinearConv", "QLinearMatMul", "ConvInteger",
                       "MatMulInteger", "DFT", "STFT", "FlexAttention"})  # fmt: skip
"""Operators that multiply and accumulate, but whose taps are not counted here: a graph with one has no count."""
UNKNOWN_FEATURES = 256
PROPORTIONAL = 0.01
"""How far a count may be from growing with the picture: a few taps are for the picture as a whole."""


@dataclass(frozen=True, slots=True)
class GraphCost:
    """``macs`` an input pixel, None where they cannot be told or do not grow with the picture; ``features`` as `ForeignSpec` has it."""

    macs: int | None
    features: int


def count(
    proto: onnx.ModelProto, name: str, shaped: Callable[[int, int], Shape], window: tuple[int, int] | None, multiple: int
) -> GraphCost:
    """Count at one size, ``window`` where it has to be, else at two. ``shaped`` gives the shape of the input ``name`` for a size."""
    height, width = window or (64 * multiple, 64 * multiple)
    known = shapes(proto, name, shaped(height, width))
    macs = total(proto, known)
    if window is None and macs is not None:
        wider = total(proto, shapes(proto, name, shaped(height, 2 * width)))
        if wider is None or not isclose(wider, 2 * macs, rel_tol=PROPORTIONAL):
            macs = None
    widest = max((prod(known[each]) for node in proto.graph.node for each in node.output if each in known), default=0)
    features = -(-widest // (height * width)) or UNKNOWN_FEATURES
    return GraphCost(None if macs is None else round(macs / (height * width)), features)


def shapes(proto: onnx.ModelProto, name: str, shape: Shape) -> dict[str, Shape]:
    """The shape of every tensor that can be told where the input ``name`` has this one."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    for value in fixed.graph.input:
        if value.name == name:
            del value.type.tensor_type.shape.dim[:]
            for side in shape:
                value.type.tensor_type.shape.dim.add().dim_value = side
    del fixed.graph.value_info[:]
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        fixed = shape_inference.infer_shapes(fixed, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return {}
    known = {tensor.name: tuple(tensor.dims) for tensor in fixed.graph.initializer}
    for value in (*fixed.graph.value_info, *fixed.graph.input, *fixed.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(each.HasField("dim_value") for each in dimensions):
            known[value.name] = tuple(int(each.dim_value) for each in dimensions)
    return known


def total(proto: onnx.ModelProto, known: Mapping[str, Shape]) -> int | None:
    """Multiply-accumulates of the whole graph; None where something that has some cannot be counted."""
    counts = [_macs(node, known) for node in proto.graph.node]
    return None if None in counts else sum(filter(None, counts))


def _macs(node: onnx.NodeProto, known: Mapping[str, Shape]) -> int | None:
    if node.op_type in UNCOUNTED:
        return None
    counted = {"Conv": (0, 1), "ConvTranspose": (0, 1), "MatMul": (0, 1), "Gemm": (0, 1)}.get(node.op_type)
    if counted is None:
        return 0
    shapes_of = [known.get(node.input[i]) for i in counted]
    output = known.get(node.output[0])
    left, right = shapes_of
    if left is None or right is None or output is None:
        return None
    if node.op_type == "ConvTranspose":
        return prod(left) * prod(right[1:])
    if node.op_type == "Conv":
        return prod(output) * prod(right[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return prod(output) * (left[0] if transposed else left[-1])
