"""Somebody else's ONNX graph looked over, without running it: nothing of a file is believed that has not been checked.

No operators beyond the standard's, no loops, no weights in other files, none that are not numbers, nothing that would fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, numpy_helper

from engine import graph_cost
from engine.backends.onnx import line
from engine.errors import ModelError
from engine.network import MAX_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_DOMAINS = ("", "ai.onnx")
MAX_NODES = 20_000
MAX_PARAMETERS = 200_000_000
MAX_ELEMENTS = 1 << 28
"""Of one activation, for a picture of the trial's size: 1 GiB."""
CHANCE = ("Random", "Bernoulli", "Multinomial")


@dataclass(frozen=True, slots=True)
class Port:
    """A graph's only input: its name, shape (None: free), and whether channels come last."""

    name: str
    shape: tuple[int | None, ...]
    channels: int
    channels_last: bool

    @property
    def window(self) -> tuple[int, int] | None:
        """Its only size, where either side is fixed."""
        height, width = self.shape[1:3] if self.channels_last else self.shape[2:4]
        either = height or width
        return None if either is None else (height or either, width or either)


def parsed(data: bytes, name: str) -> onnx.ModelProto:
    """The graph in a file's bytes; ``name`` is used in errors. Raises ModelError."""
    try:
        proto = onnx.load_from_string(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"{name}: not an ONNX file, or damaged ({line(error)})") from error
    if not proto.graph.node:
        raise ModelError(f"{name}: not an ONNX file, or one without a network")
    return proto


def check(proto: onnx.ModelProto, name: str) -> int:
    """Raise ModelError for a graph that must not be run; return the number of its weights."""
    if len(proto.graph.node) > MAX_NODES:
        raise ModelError(f"{name}: its graph is too large ({len(proto.graph.node)} nodes, at most {MAX_NODES})")
    for node in proto.graph.node:
        _check_node(node, name)
    if proto.functions:
        raise ModelError(f"{name}: defines operators of its own, which are not supported")
    parameters = sum(_check_tensor(tensor, name) for tensor in _tensors(proto.graph))
    if parameters > MAX_PARAMETERS:
        raise ModelError(f"{name}: {parameters:,} weights are too many (at most {MAX_PARAMETERS:,})")
    try:
        checker.check_model(proto)
    except (checker.ValidationError, RuntimeError, ValueError) as error:
        raise ModelError(f"{name}: not a valid ONNX graph ({line(error).split(' ==> ')[0]:.200})") from error
    return parameters


def _check_node(node: onnx.NodeProto, name: str) -> None:
    if any(isinstance(word, bytes) for word in (node.op_type, node.domain, *node.input, *node.output)):  # what is no UTF-8 comes so
        raise ModelError(f"{name}: not a valid ONNX graph (a name in it is damaged)")
    if node.domain not in STANDARD_DOMAINS:
        raise ModelError(f"{name}: uses {node.domain}.{node.op_type}, which is not an operator of the ONNX standard")
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute):
        raise ModelError(f"{name}: has loops or branches ({node.op_type}), which are not supported")
    if node.op_type.startswith(CHANCE):
        raise ModelError(f"{name}: draws random numbers ({node.op_type}): its results could not be made again")


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """All weights: initialisers and constants."""
    yield from graph.initializer
    if graph.sparse_initializer:
        yield from (sparse.values for sparse in graph.sparse_initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_tensor(tensor: TensorProto, name: str) -> int:
    """The number of a tensor's values, which are there and finite. Raises ModelError."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ModelError(f"{name}: keeps its weights in other files; save it with its weights inside")
    count = int(np.prod(tensor.dims, dtype=np.float64)) if tensor.dims else 1
    if any(side < 0 for side in tensor.dims) or count > MAX_PARAMETERS:
        raise ModelError(f"{name}: weights {tensor.name!r} of shape {list(tensor.dims)} are too many")
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{name}: weights {tensor.name!r} are damaged ({line(error)})") from error
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ModelError(f"{name}: weights {tensor.name!r} hold values that are not finite")
    return count


def port_of(graph: onnx.GraphProto, name: str) -> Port:
    """The graph's only input. Raises ModelError where a picture does not fit there."""
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(f"{name}: has {len(inputs)} inputs and {len(graph.output)} outputs; a network that upscales has one of each")
    for value in (inputs[0], graph.output[0]):
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type)
            raise ModelError(f"{name}: {value.name!r} is {kind}; only float32 networks are supported")
    dimensions = inputs[0].type.tensor_type.shape.dim
    shape = tuple(int(each.dim_value) if each.HasField("dim_value") and each.dim_value > 0 else None for each in dimensions)
    if len(shape) != 4 or shape[0] not in (None, 1):
        raise ModelError(f"{name}: its input is {_named(shape)}, not one picture (1 × channels × height × width)")
    for axis in (1, 3):
        if (channels := shape[axis] or (_first_channels(graph, inputs[0].name) if shape[1] is shape[3] else None)) in (1, 3):
            port = Port(inputs[0].name, shape, channels or 0, axis == 3)
            if port.window is not None and max(port.window) > MAX_WINDOW:
                raise ModelError(f"{name}: its input is {_named(shape)}, larger than {MAX_WINDOW} pixels a side")
            return port
    raise ModelError(f"{name}: its input is {_named(shape)}; a network that upscales takes 1 or 3 channels")


def _first_channels(graph: onnx.GraphProto, name: str) -> int | None:
    """The channels that the first convolution takes, for a graph that leaves them free."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] == name and len(shape := shapes.get(node.input[1], ())) == 4:
            return int(shape[1])
    return None


def _named(shape: tuple[int | None, ...]) -> str:
    return " × ".join("free" if side is None else str(side) for side in shape) or "a single number"


def shape_of(port: Port, height: int, width: int) -> tuple[int, int, int, int]:
    """The input's shape for a picture of this size."""
    return (1, height, width, port.channels) if port.channels_last else (1, port.channels, height, width)


def check_memory(proto: onnx.ModelProto, port: Port, size: tuple[int, int], name: str) -> None:
    """Raise ModelError where some activation would be enormous, as far as shapes can be told without running."""
    shapes = graph_cost.shapes(proto, port.name, shape_of(port, *size))
    for tensor, shape in shapes.items():
        elements = float(np.prod(shape, dtype=np.float64))
        if elements > MAX_ELEMENTS:
            raise ModelError(f"{name}: {tensor!r} would hold {elements:.3g} values for {size[1]}×{size[0]} pixels: too many")
