"""What a network costs for a picture: parameters, operations, and their energy in 45 nm silicon. Exact integers throughout.

Two accountings (docs/energy.md has the reasons):

``published``  kernel taps alone, as every table in the literature: a convolution's tap is a multiplication and an addition,
               an adder layer's two additions. FSRCNN's transposed convolution counts at every output pixel.
``exact``      every operation of `engine.network` (or, for int8, `engine.integer`) as written there: also centring, biases,
               multipliers, activations, residuals and clipping. A comparison costs an addition; moving data (depth to space,
               padding) nothing. FSRCNN's transposed convolution counts only taps that meet a pixel. Parameters are all that is stored.

In int8 a tap's product or difference is 8 bits wide and its accumulation 32. This is arithmetic energy: what the operations
alone would take, far below what a computer draws.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, Literal, get_args

from engine.network import OUTER_KERNEL, PRESETS, NetworkSpec, Precision, Spec, model_id

if TYPE_CHECKING:
    from collections.abc import Mapping

Accounting = Literal["published", "exact"]
PICOJOULES_PER_MILLIJOULE = 10**9
PUBLISHED_EXPANSION = 64
"""Channels inside an expanded block in the published table."""


class Operation(Enum):
    """A kind of arithmetic and its energy in hundredths of a picojoule (Horowitz, ISSCC 2014, 45 nm, 0.9 V)."""

    FP32_MULTIPLY = ("multiply", 370)
    FP32_ADD = ("add", 90)
    INT32_MULTIPLY = ("multiply", 310)
    INT32_ADD = ("add", 10)
    INT8_MULTIPLY = ("multiply", 20)
    INT8_ADD = ("add", 3)

    @property
    def multiplies(self) -> bool:
        """Whether this is a multiplication."""
        return self.value[0] == "multiply"

    @property
    def centipicojoules(self) -> int:
        """Energy of one operation, in 0.01 pJ."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one picture. ``macs`` are kernel taps, whatever arithmetic they are done in."""

    parameters: int
    macs: int
    multiplies: int
    additions: int
    energy_pj: float

    @property
    def energy_mj(self) -> float:
        """Arithmetic energy (45 nm) in millijoules."""
        return self.energy_pj / PICOJOULES_PER_MILLIJOULE


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the energy table."""

    id: str
    block: str
    precision: Precision
    cost: Cost


def cost(
    spec: NetworkSpec,
    width: int,
    height: int,
    precision: Precision = "fp32",
    accounting: Accounting = "published",
    expansion: int | None = None,
) -> Cost:
    """The cost of upscaling ``width`` x ``height`` pixels.

    ``expansion`` counts the network in its expanded form instead, as `training` would run it unfolded: every block a k x k
    convolution to ``expansion`` channels and a 1 x 1 convolution (fp32 convolution networks only). Raises ValueError.
    """
    if accounting not in get_args(Accounting):
        raise ValueError(f"accounting must be one of {get_args(Accounting)}, not {accounting!r}")
    if expansion is None:
        taps, parameters = _collapsed_taps(spec, precision), spec.parameters
    else:
        taps, parameters = _expanded_taps(spec, precision, expansion)
    macs = sum(layer.taps for layer in spec.layers) if expansion is None else parameters
    if accounting == "exact":
        taps += _wider_ends(spec, precision) + _beside_taps(spec, precision)
        parameters = _stored(spec) if expansion is None else parameters + _biases_and_slopes(spec)
    return _total(parameters, macs, taps, width * height)


def known_cost(spec: Spec, width: int, height: int, precision: Precision = "fp32", accounting: Accounting = "published") -> Cost | None:
    """As `cost`, also for somebody else's network: its taps as they were counted in its graph, None where they could not be."""
    if isinstance(spec, NetworkSpec):
        return cost(spec, width, height, precision, accounting)
    if spec.macs is None:
        return None
    return _total(spec.parameters, spec.macs, _fp32(spec.macs, spec.macs), width * height)


def fsrcnn(scale: int, width: int, height: int, accounting: Accounting = "published") -> Cost:
    """FSRCNN (arXiv 1608.00367) with d = 56, s = 12, m = 4, in fp32: 5x5, 1x1, four 3x3, 1x1, then a 9x9 transposed convolution."""
    d, s, m, kernel = 56, 12, 4, 9
    low = 25 * d + d * s + m * 9 * s * s + s * d
    high = kernel * kernel * d
    if accounting == "published":
        pixel = low + high * scale**2
        return _total(low + high, pixel, _fp32(pixel, pixel), width * height)
    channels = d + s + m * s + d
    parameters = low + high + 2 * channels + 1
    additions = low + high + 2 * channels + scale**2  # biases and PReLU's comparisons
    return _total(parameters, low + high, _fp32(low + high + channels, additions), width * height)


def vdsr(scale: int, width: int, height: int, accounting: Accounting = "published") -> Cost:
    """VDSR (arXiv 1511.04587) in fp32: 20 3x3 convolutions of 64 channels on the picture enlarged beforehand."""
    channels, layers = 64, 20
    taps = 9 * channels + (layers - 2) * 9 * channels**2 + 9 * channels
    pixels = width * height * scale**2
    if accounting == "published":
        return _total(taps, taps, _fp32(taps, taps), pixels)
    hidden = channels * (layers - 1)
    return _total(taps + hidden + 1, taps, _fp32(taps, taps + 2 * hidden + 2), pixels)


def table(width: int, height: int, scale: int, accounting: Accounting = "published") -> tuple[Row, ...]:
    """Every network at ``scale`` in fp32 and int8, the expanded forms, FSRCNN and VDSR; ``width`` x ``height`` is the input."""
    rows = []
    for m, f in PRESETS.values():
        plain = NetworkSpec(scale, m, f)
        expanded = cost(plain, width, height, "fp32", accounting, PUBLISHED_EXPANSION)
        rows.append(Row(f"{model_id(plain)}-expanded", "expanded", "fp32", expanded))
        for spec in (plain, NetworkSpec(scale, m, f, "adder")):
            for precision in get_args(Precision):
                rows.append(Row(model_id(spec), spec.block, precision, cost(spec, width, height, precision, accounting)))
    rows.append(Row(f"fsrcnn-x{scale}", "convolution", "fp32", fsrcnn(scale, width, height, accounting)))
    rows.append(Row(f"vdsr-x{scale}", "convolution", "fp32", vdsr(scale, width, height, accounting)))
    return tuple(rows)


_Ops = Counter[Operation]
"""Operations an input pixel."""


def _collapsed_taps(spec: NetworkSpec, precision: Precision) -> _Ops:
    """One pixel's taps."""
    ops = _Ops()
    for layer in spec.layers:
        if precision == "fp32":
            ops += _fp32(0, 2 * layer.taps) if layer.adder else _fp32(layer.taps, layer.taps)
        else:
            narrow = Operation.INT8_ADD if layer.adder else Operation.INT8_MULTIPLY
            ops += _Ops({narrow: layer.taps, Operation.INT32_ADD: layer.taps})
    return ops


def _expanded_taps(spec: NetworkSpec, precision: Precision, expansion: int) -> tuple[_Ops, int]:
    """One pixel's taps and the weights (their number is the same) of the expanded form."""
    if spec.block != "convolution" or precision != "fp32":
        raise ValueError("only fp32 convolution networks have an expanded form that can be run")
    if expansion < 1:
        raise ValueError(f"expansion must be at least 1, not {expansion}")
    weights = sum(layer.kernel**2 * layer.inputs * expansion + expansion * layer.outputs for layer in spec.layers)
    return _fp32(weights, weights), weights


def _wider_ends(spec: NetworkSpec, precision: Precision) -> _Ops:
    """int8 runs the first and last layer on 16-bit inputs: such a product is two of 8 bits and an addition."""
    if precision == "fp32":
        return _Ops()
    ends = OUTER_KERNEL**2 * (spec.f + spec.f * spec.scale**2)
    return _Ops({Operation.INT8_MULTIPLY: ends, Operation.INT32_ADD: ends})


def _beside_taps(spec: NetworkSpec, precision: Precision) -> _Ops:
    """One pixel's operations that are not taps, as `engine.network` and `engine.integer` write them."""
    f, body, out = spec.f, spec.f * spec.m, spec.scale**2
    adder, prelu = spec.block == "adder", spec.activation == "prelu"
    if precision == "int8":
        return _beside_taps_int8(f, body, out, prelu=prelu)
    multiplies = body * (adder + prelu)
    additions = 1 + f + body + out  # centring, biases
    additions += body * adder + f + out  # residuals: an adder block's, the long one, the input's
    additions += body + 2 * out  # activations' comparisons, clipping
    return _fp32(multiplies, additions)


def _beside_taps_int8(f: int, body: int, out: int, *, prelu: bool) -> _Ops:
    ops = _fp32(1 + out, 1 + out + 2 * out)  # input to codes; output's multiplier, the input's addition, clipping
    ops += _Ops({Operation.INT32_MULTIPLY: f, Operation.INT32_ADD: 3 * f})  # first: multiplier, bias, clamp
    ops += _Ops({Operation.INT32_MULTIPLY: 2 * body, Operation.INT32_ADD: 4 * body})  # body: the residual's rescale as well
    if prelu:  # a product of 16 bits is four of 8 bits and three additions; half, comparison, zero point
        ops += _Ops({Operation.INT8_MULTIPLY: 4 * body, Operation.INT32_ADD: 6 * body})
    return ops + _Ops({Operation.INT32_MULTIPLY: 2 * f, Operation.INT32_ADD: 2 * f + out})  # long residual; output's bias


def _stored(spec: NetworkSpec) -> int:
    return sum(prod(shape) for shape in spec.tensor_shapes().values())


def _biases_and_slopes(spec: NetworkSpec) -> int:
    return _stored(spec) - spec.parameters


def _fp32(multiplies: int, additions: int) -> _Ops:
    return _Ops({Operation.FP32_MULTIPLY: multiplies, Operation.FP32_ADD: additions})


def _total(parameters: int, macs: int, ops: Mapping[Operation, int], pixels: int) -> Cost:
    multiplies = sum(count for operation, count in ops.items() if operation.multiplies)
    additions = sum(ops.values()) - multiplies
    centipicojoules = sum(operation.centipicojoules * count for operation, count in ops.items())
    return Cost(parameters, macs * pixels, multiplies * pixels, additions * pixels, centipicojoules * pixels / 100)
