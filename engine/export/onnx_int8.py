"""The integer form (`engine.integer`) as an ONNX graph.

Adder networks are exact: codes are whole numbers in float32, sums stay below 2^24, each layer's rescale is done in int32 and PReLU
in int64. Only the last layer's sums round, as float32 does.

Convolution networks are QDQ: the body is written dequantise - convolve - quantise, which ONNX Runtime fuses to QLinearConv
(uint8 activations, int8 weights with a scale a channel). It has no operator that adds a residual before it rounds, so codes
may differ from the integer reference by a few, and none for PReLU, which runs in float32. ``identity`` says where a block's identity goes:

``added``   beside the kernel, by QLinearAdd, as in the integer form. The convolution's own output is rounded first.
``folded``  into the kernel, as tools that quantise a collapsed network do. One operator a layer, and faster, but the
            identity's 1 sets the weights' scale and what is small beside it is lost: for comparing speed.

The ends, with few channels and 16-bit inputs, are float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from engine import integer
from engine.export.integer_values import Codes, last_values, network_values
from engine.export.onnx_adder import Layout, adder_layer, column
from engine.export.onnx_output import OutputLayer
from engine.integer import CODE_MAX, INPUT_STEPS, SLOPE_MAX, SLOPE_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.export.integer_values import ConvolutionValues
    from engine.export.onnx_graph import Nodes
    from engine.integer import IntegerLayer, IntegerNetwork
    from engine.weights import Model

Identity = Literal["added", "folded"]
INT8_MAX = 127
SMALLEST_SCALE = 1e-12
FLOAT, INT32, INT64 = 1, 6, 7
"""Types to cast to, in ONNX's numbering."""
LIFT = 2**32
"""More than any number that is shifted is below 0."""
SLOPE_SHIFT = SLOPE_ONE.bit_length() - 1


def integer_features(nodes: Nodes, y: str, model: Model, identity: Identity) -> tuple[str, OutputLayer]:
    """Everything up to the last layer, and that layer for its input's units. Raises ModelError where there is no int8 form."""
    form = integer.parse(model.spec, model.int8, model.id)
    if model.spec.block == "adder":
        weight = form.last.weight * form.last.multiplier[:, None, None, None]
        return _adder_features(nodes, y, form), _output_layer(weight, form.last.bias * form.last.multiplier)
    last = last_values(form)
    return _qdq_features(nodes, y, form, identity), _output_layer(last.real_weight, last.bias)


def _output_layer(weight: NDArray[Any], bias: NDArray[Any]) -> OutputLayer:
    return OutputLayer(weight.astype(np.float32), bias.astype(np.float32))


# --- exact, for adder networks: codes less their zero points, so that padding is 0


def _adder_features(nodes: Nodes, y: str, form: IntegerNetwork) -> str:
    """The last layer's codes, whole numbers in float32."""
    weight = form.first.weight.astype(np.float32)
    sums = nodes.conv("first.sums", _input_codes(nodes, y), weight, None, pads=[2] * 4)
    start = rescaled(nodes, "first", form.first, sums, None, 0)
    layout = Layout(nodes, start, len(weight))
    codes = skip = layout.flatten(start)
    for index, (layer, zero) in enumerate(zip(form.body, form.input_zeros(), strict=True)):
        name, weight = f"body.{index}", layer.weight.astype(np.float32) - np.float32(zero)
        codes = adder_layer(nodes, codes, name, weight, layout, _IntegerSums(name, layer, zero))
    return _skip(nodes, layout.unflatten(skip, "first.features"), layout.unflatten(codes, "body.features"), form)


def _input_codes(nodes: Nodes, y: str) -> str:
    """floor(1024 * Y + 1/2) - 512."""
    steps = nodes.add("Mul", [y, nodes.constant("input_steps", np.float32(INPUT_STEPS))], "steps")
    steps = nodes.add("Floor", [nodes.add("Add", [steps, nodes.constant("half", np.float32(0.5))], "steps.half")], "steps.floor")
    return nodes.add("Sub", [steps, nodes.constant("input_middle", np.float32(INPUT_STEPS // 2))], "codes")


def rescaled(n: Nodes, name: str, form: IntegerLayer, accumulator: str, residual: str | None, source_zero: int) -> str:
    """`engine.integer.Rescale` in int32: from an accumulator and the residual's codes to the output's, all whole float32 numbers.

    Codes are less their zero point; ``source_zero`` is the residual's.
    """
    rescale = form.rescale
    dimensions = 1 if residual is not None else 2
    multiplier, bias = (values.astype(np.int32).reshape(-1, *[1] * dimensions) for values in (rescale.multiplier, rescale.bias))
    total = n.add("Cast", [accumulator], f"{name}.int", to=INT32)
    total = n.add("Mul", [total, n.constant(f"{name}.multiplier", multiplier)], f"{name}.multiplied")
    if residual is not None:
        codes = n.add("Cast", [residual], f"{name}.residual.int", to=INT32)
        codes = n.add("Add", [codes, n.constant(f"{name}.residual.zero", np.int32(source_zero))], f"{name}.residual.codes")
        codes = n.add("Mul", [codes, n.constant(f"{name}.residual.factor", np.int32(rescale.residual))], f"{name}.residual")
        total = n.add("Add", [total, codes], f"{name}.with_residual")
    total = n.add("Add", [total, n.constant(f"{name}.bias", bias)], f"{name}.biased")
    if form.slope is not None:
        codes = _activated(n, name, form, total, dimensions)
    else:
        total = n.add("Max", [total, n.constant(f"{name}.lowest", np.int32(0))], f"{name}.positive")  # division rounds towards zero
        codes = n.add("Div", [total, n.constant(f"{name}.divisor", np.int32(1 << rescale.shift))], f"{name}.shifted")
        codes = n.add("Min", [codes, n.constant(f"{name}.highest", np.int32(CODE_MAX))], f"{name}.clamped")
    codes = n.add("Cast", [codes], f"{name}.float", to=FLOAT)
    return n.add("Sub", [codes, n.constant(f"{name}.zero", np.float32(form.zero))], f"{name}.codes")


def _activated(n: Nodes, name: str, form: IntegerLayer, total: str, dimensions: int) -> str:
    """`engine.integer`'s PReLU: from what is still to be shifted, int32, to codes from 0 to 255, int64."""
    assert form.slope is not None
    wide = n.add("Cast", [total], f"{name}.wide", to=INT64)
    above = _shifted(n, f"{name}.above", wide, form.rescale.shift)
    above = n.add("Max", [above, n.constant(f"{name}.above.lowest", np.int64(-SLOPE_ONE))], f"{name}.above.not_below")
    above = n.add("Min", [above, n.constant(f"{name}.above.highest", np.int64(SLOPE_MAX))], f"{name}.above.clamped")
    slope = n.constant(f"{name}.slope", form.slope.astype(np.int64).reshape(-1, *[1] * dimensions))
    below = n.add("Mul", [above, slope], f"{name}.sloped")
    below = n.add("Add", [below, n.constant(f"{name}.half_a_slope", np.int64(SLOPE_ONE // 2))], f"{name}.sloped.half")
    below = _shifted(n, f"{name}.below", below, SLOPE_SHIFT)
    larger = n.add("Max", [above, below], f"{name}.larger")
    codes = n.add("Add", [larger, n.constant(f"{name}.code_of_0", np.int64(form.zero))], f"{name}.with_zero")
    codes = n.add("Max", [codes, n.constant(f"{name}.lowest_code", np.int64(0))], f"{name}.not_below")
    return n.add("Min", [codes, n.constant(f"{name}.highest_code", np.int64(CODE_MAX))], f"{name}.clamped")


def _shifted(n: Nodes, name: str, x: str, shift: int) -> str:
    """The shift to the right of int64 numbers above -2^32. Division rounds towards zero, so they are lifted above it first."""
    lift = LIFT >> shift
    lifted = n.add("Add", [x, n.constant(f"{name}.lift", np.int64(lift << shift))], f"{name}.lifted")
    quotient = n.add("Div", [lifted, n.constant(f"{name}.divisor", np.int64(1 << shift))], f"{name}.quotient")
    return n.add("Sub", [quotient, n.constant(f"{name}.lift.shifted", np.int64(lift))], f"{name}.shifted")


class _IntegerSums:
    """What an integer adder layer does with the sums of a run: sum |x - w|, rescaled."""

    def __init__(self, name: str, form: IntegerLayer, zero: int) -> None:
        self.name = name
        self.form = form
        self.zero = zero

    def __call__(self, n: Nodes, maxima: str, inputs: str, centre: str) -> str:
        weight = self.form.weight.astype(np.int64) - self.zero
        total = n.add("Sub", [n.add("Add", [maxima, maxima], f"{self.name}.twice"), inputs], f"{self.name}.less_inputs")
        total = n.add("Sub", [total, column(n, f"{self.name}.weights", weight.sum((1, 2, 3)))], f"{self.name}.distance")
        return rescaled(n, self.name, self.form, total, centre, self.zero)


def _skip(nodes: Nodes, first: str, body: str, form: IntegerNetwork) -> str:
    """`engine.integer.Skip` of codes less their zero points."""
    skip = form.skip
    bias = skip.bias + form.first.zero * skip.first + form.body[-1].zero * skip.body
    lowest = skip.bias >> skip.shift
    lift = max(0, -lowest)  # keeps the dividend positive: division rounds towards zero
    parts = []
    for name, x, factor in (("first", first, skip.first), ("body", body, skip.body)):
        whole = nodes.add("Cast", [x], f"skip.{name}.int", to=INT32)
        parts.append(nodes.add("Mul", [whole, nodes.constant(f"skip.{name}.factor", np.int32(factor))], f"skip.{name}"))
    total = nodes.add("Add", parts, "skip.sum")
    total = nodes.add("Add", [total, nodes.constant("skip.bias", np.int32(bias + (lift << skip.shift)))], "skip.biased")
    total = nodes.add("Div", [total, nodes.constant("skip.divisor", np.int32(1 << skip.shift))], "skip.shifted")
    total = nodes.add("Sub", [total, nodes.constant("skip.lift", np.int32(lift))], "skip.codes")
    return nodes.add("Cast", [total], "features", to=FLOAT)


# --- QDQ, for convolution networks: real units between the pairs


def _qdq_features(nodes: Nodes, y: str, form: IntegerNetwork, identity: Identity) -> str:
    """The last layer's input, in real units."""
    values = network_values(form)
    first = values.first
    centred = nodes.add("Sub", [y, nodes.constant("half", np.float32(0.5))], "centred")
    x = nodes.conv("first.real", centred, first.real_weight, first.bias.astype(np.float32), pads=[2] * 4)
    x = start = _requantised(nodes, "first", x, first.target)
    for layer, branch in zip(values.body, values.sums, strict=True):
        kernel = layer.weight * layer.weight_scale[:, None, None, None]
        if identity == "folded":
            out = _convolution(nodes, layer, x, kernel + _identity(len(kernel)))
        else:
            out = _requantised(nodes, f"{layer.name}.branch", _convolution(nodes, layer, x, kernel), branch)
            out = nodes.add("Add", [out, x], f"{layer.name}.sum")
        if layer.slope is not None:
            slope = nodes.constant(f"{layer.name}.slope", layer.slope.astype(np.float32).reshape(-1, 1, 1))
            out = nodes.add("PRelu", [out, slope], f"{layer.name}.activation")
        x = _requantised(nodes, layer.name, out, layer.target)
    return nodes.add("Add", [start, x], "features")


def _convolution(nodes: Nodes, layer: ConvolutionValues, x: str, kernel: NDArray[np.float64]) -> str:
    """A convolution whose weights come out of int8 and whose biases out of int32."""
    unit = np.maximum(np.abs(kernel).max((1, 2, 3)) / INT8_MAX, SMALLEST_SCALE)
    codes = np.round(kernel / unit[:, None, None, None]).astype(np.int8)
    unit_sum = unit * layer.source.scale
    biases = np.clip(np.round(layer.bias / unit_sum), -(2.0**31), 2.0**31 - 1).astype(np.int32)
    inputs = [x, _dequantised(nodes, f"{layer.name}.weight", codes, unit), _dequantised(nodes, f"{layer.name}.bias", biases, unit_sum)]
    return nodes.add("Conv", inputs, f"{layer.name}.conv", kernel_shape=codes.shape[2:], pads=[1] * 4)


def _dequantised(nodes: Nodes, name: str, codes: NDArray[Any], scale: NDArray[np.float64]) -> str:
    """A constant, one scale a channel."""
    zeros = nodes.constant(f"{name}.zero", np.zeros(len(codes), codes.dtype))
    inputs = [nodes.constant(f"{name}.codes", codes), nodes.constant(f"{name}.scale", scale.astype(np.float32)), zeros]
    return nodes.add("DequantizeLinear", inputs, name, axis=0)


def _requantised(nodes: Nodes, name: str, x: str, codes: Codes) -> str:
    """To uint8 codes and back. ReLU is the clamp at code 0."""
    parameters = [nodes.constant(f"{name}.scale", np.float32(codes.scale)), nodes.constant(f"{name}.zero", np.uint8(codes.zero))]
    return nodes.add("DequantizeLinear", [nodes.add("QuantizeLinear", [x, *parameters], f"{name}.codes"), *parameters], f"{name}.out")


def _identity(channels: int) -> NDArray[np.float64]:
    """The identity as a 3x3 kernel, OIHW."""
    kernel = np.zeros((channels, channels, 3, 3))
    kernel[range(channels), range(channels), 1, 1] = 1
    return kernel
