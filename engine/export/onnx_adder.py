"""Adder layers as standard ONNX operators, in little memory.

An adder layer (AdderNet, arXiv 1912.13200) gives -sum|x - w| over its taps. ONNX has no such operator, and a broadcast
subtraction over a whole picture needs f*f*9 values a pixel. Here a picture is f rows of pixels with one zero column after
each line, so that every tap of a 3x3 kernel is a shift along the row. A Loop takes `run_length` pixels at a time; in each run

    -sum|x - w| = sum x + sum w - 2 * sum max(x, w)

is one Max and one product with a row of ones an output channel, over values that fit a processor's cache. The folded
normalisation, the residual and the activation are applied in the same run, and the zero column restored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from onnx import helper

from engine.export.onnx_graph import Nodes, bool_value, float_value, integer_value

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from engine.weights import Model

KERNEL = 3


def run_length(channels: int) -> int:
    """Pixels a run: the 9 taps of all channels take some two megabytes, which was fastest of 0.3 to 9."""
    return max(64, 2**16 // channels)


def adder_body(nodes: Nodes, first: str, model: Model) -> str:
    """The body's layers and the long skip connection, from and to (1, f, H, W)."""
    layout = Layout(nodes, first, model.spec.f)
    x = skip = layout.flatten(first)
    for layer in model.spec.layers[1:-1]:
        x = adder_layer(nodes, x, layer.name, model.tensors[f"{layer.name}.weight"], layout, _Normalised(layer.name, model))
    return layout.unflatten(nodes.add("Add", [x, skip], "features.flat"))


class Finish(Protocol):
    """What a layer does with the sums of one run of pixels."""

    def __call__(self, n: Nodes, maxima: str, inputs: str, centre: str) -> str:
        """From sum max(x, w) (f, run), sum x (1, run) and the residual input x (f, run) to the layer's output (f, run)."""


class Layout:
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

    def unflatten(self, x: str, name: str = "features") -> str:
        """From (f, length) to (1, f, H, W)."""
        n = self.nodes
        zero, one, last = n.integers("zero", [0]), n.integers("one", [1]), n.integers("last_axis", [-1])
        picture = n.add("Slice", [x, zero, self.pixels, last], f"{x}.pixels")
        shape = n.add("Concat", [one, n.integers("f", [self.channels]), self.height, self.pitch], f"{x}.shape", axis=0)
        lines = n.add("Reshape", [picture, shape], f"{x}.lines")
        return n.add("Slice", [lines, zero, self.width, last], name)


def adder_layer(nodes: Nodes, x: str, layer: str, weight: NDArray[np.float32], layout: Layout, finish: Finish) -> str:
    """One adder layer, (f, length) to (f, length); what fills up stays zero."""
    padded = nodes.add("Pad", [x, layout.margins], f"{layer}.padded")
    body = _run(layer, padded, weight, layout, finish)
    trips = nodes.add("Squeeze", [layout.runs], f"{layer}.trips")
    runs = nodes.add("Loop", [trips, ""], f"{layer}.runs", body=body)
    rows = nodes.add("Transpose", [runs], f"{layer}.rows", perm=[1, 0, 2])
    return nodes.add("Reshape", [rows, nodes.integers("rows", [layout.channels, -1])], f"{layer}.active")


def _run(layer: str, padded: str, weight: NDArray[np.float32], layout: Layout, finish: Finish) -> onnx.GraphProto:
    """The Loop's body: run ``number`` of the layer, giving (f, run)."""
    n = Nodes()
    run, axis = n.integers(f"{layer}.run", [layout.run]), n.integers(f"{layer}.axis", [1])
    begin = n.add("Mul", [f"{layer}.number", run], f"{layer}.begin")
    end = n.add("Add", [begin, run], f"{layer}.end")
    taps = []
    for tap in layout.taps:
        place = [n.add("Add", [edge, tap], f"{edge}.{tap}") for edge in (begin, end)]
        taps.append(n.add("Slice", [padded, *place, axis], f"{layer}.{tap}.x"))
    total = finish(n, *_sums(n, layer, taps, weight), taps[len(taps) // 2])
    mask = n.add("Slice", [layout.mask, begin, end, axis], f"{layer}.mask")
    n.add("Mul", [total, mask], f"{layer}.out")
    n.add("Identity", [f"{layer}.go_on"], f"{layer}.go_on.out")
    inputs = [integer_value(f"{layer}.number", []), bool_value(f"{layer}.go_on")]
    outputs = [bool_value(f"{layer}.go_on.out"), float_value(f"{layer}.out", [layout.channels, layout.run])]
    return helper.make_graph(n.nodes, f"{layer}.body", inputs, outputs, n.constants)


def _sums(n: Nodes, layer: str, taps: list[str], weight: NDArray[np.float32]) -> tuple[str, str]:
    """From the inputs of every tap, each (f, run), to sum max(x, w), (f, run), and sum x, (1, run)."""
    stacked = n.add("Concat", taps, f"{layer}.stacked", axis=0)
    by_output = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1, 1)
    ones = n.constant(f"{layer}.ones", np.ones((1, by_output.shape[1]), np.float32))
    sums = []
    for output, column in enumerate(by_output):
        larger = n.add("Max", [stacked, n.constant(f"{layer}.{output}.weight", column)], f"{layer}.{output}.larger")
        sums.append(n.add("MatMul", [ones, larger], f"{layer}.{output}.sum"))
    return n.add("Concat", sums, f"{layer}.maxima", axis=0), n.add("MatMul", [ones, stacked], f"{layer}.inputs")


class _Normalised:
    """The float network's: multiplier * -sum|x - w| + bias + x, activated."""

    def __init__(self, layer: str, model: Model) -> None:
        self.layer = layer
        self.model = model

    def __call__(self, n: Nodes, maxima: str, inputs: str, centre: str) -> str:
        layer, tensors = self.layer, self.model.tensors
        weight, multiplier, bias = (tensors[f"{layer}.{part}"].astype(np.float64) for part in ("weight", "multiplier", "bias"))
        scaled = n.add("Mul", [maxima, column(n, f"{layer}.minus_twice", -2 * multiplier)], f"{layer}.scaled")
        inputs = n.add("Mul", [inputs, column(n, f"{layer}.multiplier", multiplier)], f"{layer}.inputs.scaled")
        offset = column(n, f"{layer}.offset", multiplier * weight.sum((1, 2, 3)) + bias)
        total = n.add("Sum", [scaled, inputs, offset, centre], f"{layer}.residual")
        if self.model.spec.activation == "relu":
            return n.add("Relu", [total], f"{layer}.activated")
        return n.add("PRelu", [total, column(n, f"{layer}.slope", tensors[f"{layer}.slope"])], f"{layer}.activated")


def column(n: Nodes, name: str, values: NDArray[np.floating], dtype: type = np.float32) -> str:
    """Store one value a channel as (f, 1); returns the constant's name."""
    return n.constant(name, values.astype(dtype).reshape(-1, 1))
