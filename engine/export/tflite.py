"""The integer form as a TFLite file of a fixed size, written with LiteRT's own flatbuffer schema and nothing of TensorFlow.

Input: luma (1, H, W, 1) float32 in [0, 1]; output: (1, scale*H, scale*W, 1) float32, one of the 256 values that 8 bits hold. What lies
between is whole numbers: an 8-bit body, and 16-bit activations on 8-bit weights at both ends, whose tensors the integer form
keeps at more than 8 bits too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.errors import ModelError
from engine.export.integer_values import Codes, NetworkValues, network_values
from engine.export.tflite_graph import Graph, Stored
from engine.integer import CODE_MAX, parse

if TYPE_CHECKING:
    from engine.network import Precision
    from engine.weights import Model

DEFAULT_SIZE = (1920, 1080)
SHORT_MAX = 2**15 - 1
BYTE_ZERO = 128
"""TFLite's 8-bit codes are signed: ours less this."""


def to_bytes(model: Model, precision: Precision, size: tuple[int, int] | None = None) -> bytes:
    """The file for luma of ``size`` (width, height), 1920x1080 if None.

    Raises ModelError for fp32, for a model without an integer form, and for adder networks, which TFLite has no operator for.
    """
    if model.spec.block == "adder":
        raise ModelError(
            f"{model.id}: TFLite has no operator for sums of absolute differences, so an adder network cannot be stored as TFLite; "
            "export it as ONNX (fp32), or run int8 with --backend native"
        )
    if precision != "int8":
        raise ModelError(f"{model.id}: TFLite files are written at --precision int8; for fp32 use --format onnx")
    values = network_values(parse(model.spec, model.int8, model.id))
    width, height = size or DEFAULT_SIZE
    return _graph(values, model, width, height).to_bytes(f"AdderSESR {model.id}")


def _graph(values: NetworkValues, model: Model, width: int, height: int) -> Graph:
    """All operators from ``y`` to ``upscaled``."""
    scale, f = model.spec.scale, model.spec.f
    graph = Graph(height, width)
    y = graph.input("y")
    centred = graph.subtract(y, 0.5, "centred")
    x = graph.quantise(centred, "input", Stored("int16", 0.5 / SHORT_MAX), 1)
    x = graph.convolve(x, values.first, _wide(values.first.target), f)
    x = head = graph.quantise(x, "first.codes", _bytes(values.first.target), f)
    for layer, sums, totals in zip(values.body, values.sums, values.totals, strict=True):
        own = graph.convolve(x, layer, _bytes(sums), f)
        if layer.slope is None:
            x = graph.add(own, x, f"{layer.name}.codes", _bytes(layer.target), f)
        else:
            total = graph.add(own, x, f"{layer.name}.sum", _bytes(totals), f)
            x = graph.prelu(total, layer.slope, f"{layer.name}.codes", _bytes(layer.target), f)
    skip = Stored("int16", values.last.source.scale * _skip_codes(values) / SHORT_MAX)
    head, x = (graph.quantise(name, f"{name}.wide", skip, f) for name in (head, x))
    features = graph.add(head, x, "features", skip, f)
    residual = graph.convolve(features, values.last, Stored("int16", 1 / SHORT_MAX), scale**2)
    luma = graph.quantise(y, "luma", Stored("int16", 1 / SHORT_MAX), 1)
    total = graph.add(residual, luma, "sum", Stored("int16", 2 / SHORT_MAX), scale**2)
    picture = graph.quantise(total, "picture", Stored("int8", 1 / CODE_MAX, -BYTE_ZERO), scale**2)
    graph.output(graph.depth_to_space(picture, "picture.codes", scale), "upscaled", scale)
    return graph


def _skip_codes(values: NetworkValues) -> int:
    """The largest code, on the long residual's scale, that the sum of its two parts can reach."""
    parts = [values.first.target, values.body[-1].target]
    low = sum(part.zero * part.scale for part in parts)
    high = sum((CODE_MAX - part.zero) * part.scale for part in parts)
    return int(np.ceil(max(low, high) / values.last.source.scale))


def _bytes(codes: Codes) -> Stored:
    return Stored("int8", codes.scale, codes.zero - BYTE_ZERO)


def _wide(codes: Codes) -> Stored:
    """16-bit codes for the same range."""
    return Stored("int16", codes.scale * max(codes.zero, CODE_MAX - codes.zero) / SHORT_MAX)
