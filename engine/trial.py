"""Somebody else's ONNX graph looked over, and tried out: what it does to a picture tells its scale, its range and how far it looks.

Nothing of a file is believed that has not been checked: no operators beyond the standard's, no loops, no weights in other files, none
that are not numbers, nothing that would fill the memory. Then it is shown a small picture, which must come back larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, numpy_helper

from engine import graph_cost
from engine.backends.onnx import CPU, RUNTIME_ERRORS, line, session_options
from engine.errors import ModelError
from engine.network import MAX_FEATURES, MAX_MULTIPLE, MAX_RADIUS, MAX_WINDOW, SCALES, ForeignSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]

STANDARD_DOMAINS = ("", "ai.onnx")
MAX_NODES = 20_000
MAX_PARAMETERS = 200_000_000
MAX_ELEMENTS = 1 << 28
"""Of one activation, for a picture of the trial's size: 1 GiB."""
CHANCE = ("Random", "Bernoulli", "Multinomial")
DECLARED = "receptive_radius"
"""The key of a file's metadata under which its maker may say how far the network looks."""
LIKENESS = 0.06
"""How far, on average and of the whole range, a network's result may be from the picture that it was shown."""
EXACT, LOOSE = 1e-6, 1 / 1024
"""Changes of a result that count as none: by rounding alone, or a quarter of an 8-bit level."""
MOST_EXACT = 32
FAR = 64
"""The context, in input pixels, that a network is given which looks at the whole picture."""
SIDES = (64, 128, 256)


@dataclass(frozen=True, slots=True)
class _Port:
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


def examine(data: bytes, name: str) -> tuple[ForeignSpec, dict[str, Any]]:
    """What an ONNX file's network does, and what the file says of it (licence). Raises ModelError, which says why it cannot be used."""
    proto = _parsed(data, name)
    parameters = _check(proto, name)
    port = _port(proto.graph, name)
    multiple, scale = 1, 0
    tried = _Trial(data, port, name)
    for multiple in [1 << power for power in range(MAX_MULTIPLE.bit_length())] if port.window is None else [1]:
        size = port.window or _size(multiple)
        _check_memory(proto, port, size, name)
        if scale := tried.scale(*size):
            break
    else:
        raise ModelError(f"{name}: the network cannot be run ({tried.problem})")
    white = tried.white(scale, *(port.window or _size(multiple)))
    radius, note = _radius(proto, tried, white, multiple)
    count = graph_cost.count(proto, port.name, lambda height, width: _shape(port, height, width), port.window, multiple)
    features = min(max(1, count.features), MAX_FEATURES)
    spec = ForeignSpec(scale, port.channels, radius, parameters, features, white, port.window, multiple, port.channels_last, count.macs)
    return spec, _about(proto, note)


def _parsed(data: bytes, name: str) -> onnx.ModelProto:
    try:
        proto = onnx.load_from_string(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"{name}: not an ONNX file, or damaged ({line(error)})") from error
    if not proto.graph.node:
        raise ModelError(f"{name}: not an ONNX file, or one without a network")
    return proto


def _check(proto: onnx.ModelProto, name: str) -> int:
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


def _port(graph: onnx.GraphProto, name: str) -> _Port:
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
            port = _Port(inputs[0].name, shape, channels or 0, axis == 3)
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


def _shape(port: _Port, height: int, width: int) -> tuple[int, int, int, int]:
    return (1, height, width, port.channels) if port.channels_last else (1, port.channels, height, width)


def _size(multiple: int) -> tuple[int, int]:
    """A size for the trial, both sides odd multiples of ``multiple``."""
    return multiple * (2 * (24 // multiple) + 1), multiple * (2 * (36 // multiple) + 1)


def _check_memory(proto: onnx.ModelProto, port: _Port, size: tuple[int, int], name: str) -> None:
    """Raise ModelError where some activation would be enormous, as far as shapes can be told without running."""
    shapes = graph_cost.shapes(proto, port.name, _shape(port, *size))
    for tensor, shape in shapes.items():
        elements = float(np.prod(shape, dtype=np.float64))
        if elements > MAX_ELEMENTS:
            raise ModelError(f"{name}: {tensor!r} would hold {elements:.3g} values for {size[1]}×{size[0]} pixels: too many")


class _Trial:
    """A session to run pictures, (H, W, channels) in [0, white], through the graph."""

    def __init__(self, data: bytes, port: _Port, name: str) -> None:
        self._port, self._name = port, name
        self.problem = ""
        try:
            self._session = onnxruntime.InferenceSession(data, session_options(None), providers=[CPU])
        except RUNTIME_ERRORS as error:
            raise ModelError(f"{name}: ONNX Runtime cannot run it: {line(error):.300}") from error

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raise ModelError where the runtime refuses, or what comes out is no picture."""
        batch = np.ascontiguousarray((x if self._port.channels_last else x.transpose(2, 0, 1))[None])
        try:
            (out,) = self._session.run(None, {self._port.name: batch})
        except RUNTIME_ERRORS as error:
            raise ModelError(f"{self._name}: ONNX Runtime cannot run it: {line(error):.300}") from error
        if out.ndim != 4 or out.shape[0] != 1:
            raise ModelError(f"{self._name}: gives {out.shape}, which is not a picture")
        if not np.isfinite(out).all():
            raise ModelError(f"{self._name}: gives values that are not numbers")
        upscaled: NDArray[np.float32] = out[0] if self._port.channels_last else out[0].transpose(1, 2, 0)
        return upscaled

    def scale(self, height: int, width: int) -> int:
        """The factor by which a picture of this size grows; 0 where it cannot be of this size. Raises ModelError for a wrong one."""
        try:
            out = self.run(picture(height, width, self._port.channels))
        except ModelError as error:
            self.problem = str(error).removeprefix(f"{self._name}: ")
            return 0
        factor = out.shape[0] / height
        if factor != out.shape[1] / width or factor not in SCALES:
            self.problem = f"{width}×{height} pixels become {out.shape[1]}×{out.shape[0]}; ×{', ×'.join(map(str, SCALES))} are supported"
            return 0
        if out.shape[2] != self._port.channels:
            raise ModelError(f"{self._name}: {self._port.channels} channels become {out.shape[2]}; it must give what it takes")
        return int(factor)

    def white(self, scale: int, height: int, width: int) -> float:
        """The network's white, 1 or 255: that for which a picture comes back. Raises ModelError where neither does."""
        x = picture(height, width, self._port.channels)
        off = []
        for white in (1.0, 255.0):
            out = self.run(x * np.float32(white)) / np.float32(white)
            small = cv2.resize(out, (width, height), interpolation=cv2.INTER_AREA).reshape(x.shape)
            off.append(float(np.abs(small - x).mean(dtype=np.float64)))
            if off[-1] <= LIKENESS:
                return white
        raise ModelError(
            f"{self._name}: does not give a picture back larger (it is off by {min(off):.3g} of the range on average, at ×{scale})"
        )

    def reach(self, white: float, side: int, multiple: int, tolerance: float) -> int | None:
        """How many input pixels beyond a change a result is changed by it; None where that is not less than a third of the picture."""
        height, width = self._port.window or (side // multiple * multiple, side // multiple * multiple)
        first = picture(height, width, self._port.channels) * np.float32(white)
        other = picture(height, width, self._port.channels, seed=2) * np.float32(white)
        whole = self.run(first)
        reach = 0
        for axis, length in ((0, height), (1, width)):
            cut = length // 2
            keep = np.arange(length).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1)) >= cut
            changed = np.abs(self.run(np.where(keep, first, other)) - whole).max(axis=(1 - axis, 2))
            beyond = np.flatnonzero(changed.reshape(length, -1).max(axis=1)[cut:] > tolerance * white)
            found = int(beyond[-1]) + 1 if len(beyond) else 0
            if found > length // 3:
                return None
            reach = max(reach, found)
        return reach


def _radius(proto: onnx.ModelProto, tried: _Trial, white: float, multiple: int) -> tuple[int, str]:
    """The context that tiles need, and what a person should know of it."""
    window = _port(proto.graph, "").window
    declared = next((entry.value for entry in proto.metadata_props if entry.key == DECLARED), "")
    if declared.isdecimal() and int(declared) <= MAX_RADIUS:
        radius, note = int(declared), ""
    else:
        radius, note = _measured(tried, white, multiple, fixed=window is not None)
        radius += multiple - 1  # it was measured from a border of the network's own grid
    most = MAX_RADIUS if window is None else min(window) // 4
    if radius > most:
        return most, "its tiles leave it less to see than it looks at: they may show"
    return radius, note


def _measured(tried: _Trial, white: float, multiple: int, *, fixed: bool) -> tuple[int, str]:
    sides = (0,) if fixed else SIDES
    exact = tried.reach(white, sides[0], multiple, EXACT)
    if exact is not None and exact <= MOST_EXACT:
        return exact, ""
    for side in sides:
        reach = tried.reach(white, side, multiple, LOOSE)
        if reach is not None:
            return reach, ""
    return FAR, "it looks at the whole picture: its tiles may show"


def picture(height: int, width: int, channels: int, seed: int = 1) -> NDArray[np.float32]:
    """Something to show to a network, (height, width, channels) in [0.1, 0.9]: soft areas with some fine grain."""
    draw = np.random.default_rng(seed)
    coarse = draw.random((max(2, height // 8), max(2, width // 8), channels), np.float32)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels)
    grain = draw.random((height, width, channels), np.float32) - np.float32(0.5)
    shown: NDArray[np.float32] = np.clip(0.15 + 0.7 * soft + 0.05 * grain, 0.1, 0.9).astype(np.float32)
    return shown


def _about(proto: onnx.ModelProto, note: str) -> dict[str, Any]:
    props = {entry.key.lower(): entry.value for entry in proto.metadata_props}
    licence = props.get("licence") or props.get("license")
    summary = ". ".join(text for text in ("An ONNX file", note) if text) + "."
    return {"summary": summary, **({"licence": licence[:100]} if licence else {})}
