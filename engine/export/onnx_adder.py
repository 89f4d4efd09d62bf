"""Adder layers as standard ONNX operators, in little memory.

An adder layer (AdderNet, arXiv 1912.13200) gives -sum|x - w| over its taps. ONNX has no such operator, and a broadcast
subtraction over a whole picture needs f*f*9 values a pixel. Here a picture is f rows of pixels with one zero column after
each line, so that every tap of a 3x3 kernel is a shift along the row. A Loop takes `run_length` pixels at a time; in each run

    -sum|x - w| = sum x + sum w - 2 * sum max(x, w)

is one Max and one product with a row of ones an output channel, over values that fit a processor's cache. The folded
normalisation, the residual and the activation are applied in the same run, and the zero column restored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from engine.export.onnx_graph import Nodes, bool_value, float_value, integer_value

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from engine.weights import Model

KERNEL = 3


def run_length(channels: int) -> int:
    """Pixels a run: the 9 taps of all channels take about a megabyte."""
    return max(64, 2**15 // channels)


def adder_body(nodes: Nodes, first: str, model: Model) -> str:
    """The body's layers and the long skip connection, from and to (1, f, H, W)."""
    f = model.spec.f
    layout = _Layout(nodes, first, f)
    x = skip = layout.flatten(first)
    for layer in model.spec.layers[1:-1]:
        x = _layer(nodes, x, layer.name, model, layout)
    return layout.unflatten(nodes.add("Add", [x, skip], "features.flat"))


class _Layout:
    """Names of the tensors that describe the flat layout (f, length): H lines of W pixels and a zero, zeros to a whole run."""

    def __init__(self, nodes: Nodes, like: str, channels: int) -> None:
        self.nodes = nodes
        self.channels = channels
        self.run = run_length(channels)
        one, run = nodes.integers("one", [1]), nodes.integers("run", [self.run])
        size = nodes.size(like)
        self.height = nodes.add("Slice", [size, nodes.integers("zero", [0]), one], "height")
        self.width = nodes.add("Slice", [size, one, nodes.integers("two", [2])], "width")
        self.pitch = nodes.add("Add", [self.width, one], "pitch")
        self.pixels = nodes.add("Mul", [self.height, self.pitch], "pixels")
        rounded = nodes.add("Add", [self.pixels, nodes.integers("run_less_one", [self.run - 1])], "rounded")
        self.runs = nodes.add("Div", [rounded, run], "runs")
        self.length = nodes.add("Mul", [self.runs, run], "length")
        self.mask = self._mask()
        self.margins = self._margins()
        self.taps = [self._tap(row, column) for row in range(KERNEL) for column in range(KERNEL)]

    def _mask(self) -> str:
        """(1, length) float32: 1 for a pixel of the picture, 0 for what only fills up."""
        n = self.nodes
        scalars = [n.add("Squeeze", [name], f"{name}.scalar") for name in (self.length, self.pitch, self.pixels, self.width)]
        length, pitch, pixels, width = scalars
        start, step = n.constant("start", np.int64(0)), n.constant("step", np.int64(1))
        index = n.add("Range", [start, length, step], "index")
        inside = n.add("Less", [n.add("Mod", [index, pitch], "column"), width], "in_line")
        inside = n.add("And", [inside, n.add("Less", [index, pixels], "in_picture")], "inside")
        return n.add("Unsqueeze", [n.add("Cast", [inside], "inside.float", to=1), n.integers("zero", [0])], "mask")

    def _margins(self) -> str:
        """Zeros to add at (channel, pixel) begin and end: a line and a pixel on each side."""
        n = self.nodes
        margin = n.add("Add", [self.pitch, n.integers("one", [1])], "margin")
        zero = n.integers("zero", [0])
        return n.add("Concat", [zero, margin, zero, margin], "margins", axis=0)

    def _tap(self, row: int, column: int) -> str:
        """How far into the padded row a tap's pixels start."""
        n = self.nodes
        lines = n.add("Mul", [self.pitch, n.integers(f"row{row}", [row])], f"tap{row}{column}.lines")
        return n.add("Add", [lines, n.integers(f"column{column}", [column])], f"tap{row}{column}")

    def flatten(self, x: str) -> str:
        """From (1, f, H, W) to (f, length)."""
        n = self.nodes
        lines = n.add("Pad", [x, n.integers("zero_column", [0, 0, 0, 0, 0, 0, 0, 1])], f"{x}.lines")
        flat = n.add("Reshape", [lines, n.integers("rows", [self.channels, -1])], f"{x}.rows")
        zero = n.integers("zero", [0])
        fill = n.add("Sub", [self.length, self.pixels], f"{x}.fill")
        return n.add("Pad", [flat, n.add("Concat", [zero, zero, zero, fill], f"{x}.pads", axis=0)], f"{x}.flat")

    def unflatten(self, x: str) -> str:
        """From (f, length) to (1, f, H, W)."""
        n = self.nodes
        zero, one, last = n.integers("zero", [0]), n.integers("one", [1]), n.integers("last_axis", [-1])
        picture = n.add("Slice", [x, zero, self.pixels, last], f"{x}.pixels")
        shape = n.add("Concat", [one, n.integers("f", [self.channels]), self.height, self.pitch], f"{x}.shape", axis=0)
        lines = n.add("Reshape", [picture, shape], f"{x}.lines")
        return n.add("Slice", [lines, zero, self.width, last], "features")


def _layer(nodes: Nodes, x: str, layer: str, model: Model, layout: _Layout) -> str:
    """One adder layer with its residual and activation, (f, length) to (f, length)."""
    padded = nodes.add("Pad", [x, layout.margins], f"{layer}.padded")
    body = _run(layer, padded, model, layout)
    trips = nodes.add("Squeeze", [layout.runs], f"{layer}.trips")
    runs = nodes.add("Loop", [trips, ""], f"{layer}.runs", body=body)
    rows = nodes.add("Transpose", [runs], f"{layer}.rows", perm=[1, 0, 2])
    return nodes.add("Reshape", [rows, nodes.integers("rows", [layout.channels, -1])], f"{layer}.active")


def _run(layer: str, padded: str, model: Model, layout: _Layout) -> onnx.GraphProto:
    """The Loop's body: run ``number`` of the layer, giving (f, run)."""
    n = Nodes()
    run = n.integers(f"{layer}.run", [layout.run])
    begin = n.add("Mul", [f"{layer}.number", run], f"{layer}.begin")
    end = n.add("Add", [begin, run], f"{layer}.end")
    taps = [_shifted(n, layer, padded, begin, run, tap) for tap in layout.taps]
    stacked = n.add("Concat", taps, f"{layer}.stacked", axis=0)
    total = _minus_distances(n, layer, stacked, model)
    total = n.add("Add", [total, taps[len(taps) // 2]], f"{layer}.residual")
    if model.spec.activation == "relu":
        total = n.add("Relu", [total], f"{layer}.activated")
    else:
        slope = n.constant(f"{layer}.slope", model.tensors[f"{layer}.slope"].reshape(-1, 1))
        total = n.add("PRelu", [total, slope], f"{layer}.activated")
    mask = n.add("Slice", [layout.mask, begin, end, n.integers(f"{layer}.axis", [1])], f"{layer}.mask")
    n.add("Mul", [total, mask], f"{layer}.out")
    n.add("Identity", [f"{layer}.go_on"], f"{layer}.go_on.out")
    inputs = [integer_value(f"{layer}.number", []), bool_value(f"{layer}.go_on")]
    outputs = [bool_value(f"{layer}.go_on.out"), float_value(f"{layer}.out", [model.spec.f, layout.run])]
    return helper.make_graph(n.nodes, f"{layer}.body", inputs, outputs, n.constants)


def _shifted(n: Nodes, layer: str, padded: str, begin: str, run: str, tap: str) -> str:
    """The run's pixels as a tap sees them, (f, run)."""
    start = n.add("Add", [begin, tap], f"{layer}.{tap}.start")
    end = n.add("Add", [start, run], f"{layer}.{tap}.end")
    return n.add("Slice", [padded, start, end, n.integers(f"{layer}.axis", [1])], f"{layer}.{tap}.x")


def _minus_distances(n: Nodes, layer: str, stacked: str, model: Model) -> str:
    """From the (9f, run) inputs of all taps to multiplier * -sum|x - w| + bias, (f, run)."""
    weight: NDArray[np.float32] = model.tensors[f"{layer}.weight"]
    multiplier, bias = (model.tensors[f"{layer}.{part}"].astype(np.float64) for part in ("multiplier", "bias"))
    by_output = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1, 1)
    ones = n.constant(f"{layer}.ones", np.ones((1, by_output.shape[1]), np.float32))
    sums = []
    for output, taps in enumerate(by_output):
        larger = n.add("Max", [stacked, n.constant(f"{layer}.{output}.weight", taps)], f"{layer}.{output}.larger")
        sums.append(n.add("MatMul", [ones, larger], f"{layer}.{output}.sum"))
    maxima = n.add("Concat", sums, f"{layer}.maxima", axis=0)
    scaled = n.add("Mul", [maxima, _column(n, f"{layer}.minus_twice", -2 * multiplier)], f"{layer}.scaled")
    inputs = n.add("MatMul", [ones, stacked], f"{layer}.inputs")
    inputs = n.add("Mul", [inputs, _column(n, f"{layer}.multiplier", multiplier)], f"{layer}.inputs.scaled")
    offset = _column(n, f"{layer}.offset", multiplier * by_output.sum((1, 2), np.float64) + bias)
    return n.add("Sum", [scaled, inputs, offset], f"{layer}.distances")


def _column(n: Nodes, name: str, values: NDArray[np.float64]) -> str:
    return n.constant(name, values.astype(np.float32).reshape(-1, 1))
