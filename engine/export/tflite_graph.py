"""A TFLite graph under construction, over the objects that LiteRT's flatbuffer schema defines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.export.integer_values import ConvolutionValues

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}
OPERATORS = schema.BuiltinOperator
OPTIONS = schema.BuiltinOptions
VERSIONS = {OPERATORS.CONV_2D: 5, OPERATORS.ADD: 3, OPERATORS.QUANTIZE: 3, OPERATORS.DEQUANTIZE: 3, OPERATORS.PRELU: 1}
"""Of operators as they are used here; 2 where it does not say."""
FILE_IDENTIFIER = b"TFL3"
INT8_MAX = 127
SMALLEST_SLOPE = 1e-6


@dataclass(frozen=True)
class Stored:
    """How a quantised tensor is stored: real value = ``scale`` * (code - ``zero``)."""

    kind: Literal["int8", "int16"]
    scale: float
    zero: int = 0


class Graph:
    """Tensors (1, height, width, channels) and the operators between them, each named by its output."""

    def __init__(self, height: int, width: int) -> None:
        self._size = (height, width)
        self._tensors: dict[str, Any] = {}
        self._stored: dict[str, Stored] = {}
        self._operators: list[Any] = []
        self._codes: dict[int, int] = {}
        self._buffers = [schema.BufferT()]
        self._inputs: list[str] = []
        self._outputs: list[str] = []

    def input(self, name: str) -> str:
        """The graph's input, one float32 channel."""
        self._inputs.append(name)
        return self._tensor(name, (1, *self._size, 1), "float32")

    def output(self, x: str, name: str, factor: int) -> None:
        """Make ``x`` in real units, one channel and ``factor`` times the size, the graph's output."""
        height, width = self._size
        self._tensor(name, (1, height * factor, width * factor, 1), "float32")
        self._operator(OPERATORS.DEQUANTIZE, [x], name)
        self._outputs.append(name)

    def subtract(self, x: str, value: float, name: str) -> str:
        """``x`` less a constant, float32, one channel."""
        constant = self._constant(f"{name}.constant", np.array([value], np.float32))
        self._tensor(name, (1, *self._size, 1), "float32")
        return self._operator(OPERATORS.SUB, [x, constant], name, OPTIONS.SubOptions, schema.SubOptionsT())

    def quantise(self, x: str, name: str, stored: Stored, channels: int) -> str:
        """``x``, float or quantised otherwise, rounded to codes."""
        self._activation(name, stored, channels)
        return self._operator(OPERATORS.QUANTIZE, [x], name, OPTIONS.QuantizeOptions, schema.QuantizeOptionsT())

    def add(self, x: str, y: str, name: str, stored: Stored, channels: int) -> str:
        """The sum of two quantised tensors; one channel is added to all."""
        options = schema.AddOptionsT()
        options.potScaleInt16 = False
        self._activation(name, stored, channels)
        return self._operator(OPERATORS.ADD, [x, y], name, OPTIONS.AddOptions, options)

    def prelu(self, x: str, slope: NDArray[np.float64], name: str, stored: Stored, channels: int) -> str:
        """PReLU of a quantised tensor; slopes, one a channel, are rounded to 8 bits on the largest one's scale."""
        scale = max(float(np.abs(slope).max()), SMALLEST_SLOPE) / INT8_MAX
        codes = np.round(slope / scale).astype(np.int8).reshape(1, 1, -1)
        alpha = self._constant(f"{name}.slope", codes)
        self._tensors[alpha].quantization = _quantisation(np.array([scale], np.float32), 0)
        self._activation(name, stored, channels)
        return self._operator(OPERATORS.PRELU, [x, alpha], name)

    def convolve(self, x: str, layer: ConvolutionValues, stored: Stored, channels: int) -> str:
        """A zero-padded convolution; 8-bit weights with a scale an output channel."""
        source = self._stored[x]
        scales = layer.weight_scale.astype(np.float32)
        weight = self._constant(f"{layer.name}.weight", np.ascontiguousarray(layer.weight.transpose(0, 2, 3, 1)), scales)
        kind = np.int32 if source.kind == "int8" else np.int64
        limit = 2.0**31 - 1 if kind is np.int32 else 2.0**39
        codes = np.clip(layer.bias_codes(source.scale), -limit, limit).astype(kind)
        bias = self._constant(f"{layer.name}.bias", codes, (scales * np.float32(source.scale)).astype(np.float32))
        options = schema.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = schema.Padding.SAME, 1, 1
        options.dilationHFactor = options.dilationWFactor = 1
        self._activation(layer.name, stored, channels)
        return self._operator(OPERATORS.CONV_2D, [x, weight, bias], layer.name, OPTIONS.Conv2DOptions, options)

    def depth_to_space(self, x: str, name: str, factor: int) -> str:
        """Channels row * factor + column to that place of a factor x factor block."""
        height, width = self._size
        self._tensor(name, (1, height * factor, width * factor, 1), self._stored[x].kind, self._stored[x])
        options = schema.DepthToSpaceOptionsT()
        options.blockSize = factor
        return self._operator(OPERATORS.DEPTH_TO_SPACE, [x], name, OPTIONS.DepthToSpaceOptions, options)

    def to_bytes(self, description: str) -> bytes:
        """The file."""
        subgraph, model = schema.SubGraphT(), schema.ModelT()
        names = list(self._tensors)
        subgraph.name = "main"
        subgraph.tensors, subgraph.operators = list(self._tensors.values()), self._operators
        subgraph.inputs, subgraph.outputs = ([names.index(name) for name in ends] for ends in (self._inputs, self._outputs))
        model.version, model.description = 3, description
        model.operatorCodes = [_operator_code(code) for code in self._codes]
        model.subgraphs, model.buffers = [subgraph], self._buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _activation(self, name: str, stored: Stored, channels: int) -> None:
        self._tensor(name, (1, *self._size, channels), stored.kind, stored)

    def _tensor(self, name: str, shape: Sequence[int], kind: str, stored: Stored | None = None) -> str:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), TYPES[kind], 0
        if stored is not None:
            self._stored[name] = stored
            tensor.quantization = _quantisation(np.array([stored.scale], np.float32), stored.zero)
        self._tensors[name] = tensor
        return name

    def _constant(self, name: str, value: NDArray[Any], scales: NDArray[np.float32] | None = None) -> str:
        """A tensor that is part of the file, its first axis quantised with ``scales`` where given."""
        self._tensor(name, value.shape, value.dtype.name)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        self._tensors[name].buffer = len(self._buffers)
        self._buffers.append(buffer)
        if scales is not None:
            self._tensors[name].quantization = _quantisation(scales, 0)
        return name

    def _operator(self, code: int, inputs: Sequence[str], output: str, kind: int = 0, options: Any = None) -> str:
        names = list(self._tensors)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = [names.index(name) for name in inputs], [names.index(output)]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self._operators.append(operator)
        return output


def _quantisation(scales: NDArray[np.float32], zero: int) -> Any:
    quantisation = schema.QuantizationParametersT()
    quantisation.scale = scales
    quantisation.zeroPoint = np.full(len(scales), zero, np.int64)
    quantisation.quantizedDimension = 0
    return quantisation


def _operator_code(code: int) -> Any:
    operator_code = schema.OperatorCodeT()
    operator_code.builtinCode = code
    operator_code.deprecatedBuiltinCode = min(code, 127)
    operator_code.version = VERSIONS.get(code, 2)
    return operator_code
