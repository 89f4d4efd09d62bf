"""The integer form of a network: what ``int8`` means here, bit for bit.

Notation: ``S`` a scale (float32, real units a code), ``z`` a zero point (a code), ``codes`` what is stored. The real value
of a code c is S * (c - z). Every tensor between layers is unsigned 8-bit; the two ends, where there are few channels and an
ordinary CPU multiplies 16-bit numbers anyway, are 16-bit, so that neither the source's luma nor the sum that the last
layer sees is coarser than it has to be::

    x      = floor(1024 * Y + 1/2) - 512                                    16-bit luma, z = 0, so zero padding is code 0
    first  = rescale(conv(x, w), 0)                                         u8, its own S and z: nothing clips it
    body   = rescale(conv(c - z, w), c - z)   or   rescale(sad(c, w), c)    u8; ReLU is the clamp at 0, so z = 0 from here on
             or, with PReLU, prelu(rescale(...)) of the same                u8, each layer its own S and z
    skip   = (first * A + body * B + C) >> shift                            s16, z = 0: the long residual
    Y_out  = clip(float32(conv(skip, w) + bias) * multiplier + Y, 0, 1)     each float32 operation rounded once

with conv and sad (the sum of absolute differences |c - w|) in exact integers, padding of a layer's input by its zero point,
weights of convolutions s8 with one scale an output channel, weights of adder layers u8 on their input's own scale and zero
point, and for the layer's accumulator ``a`` and the residual input ``c``::

    rescale(a, c) = clamp(t, 0, 255)    where    t = (a * multiplier + c * residual + bias) >> shift
    prelu(...)    = clamp(max(t, (t * slope + 2^14) >> 15) + z, 0, 255)    with t clamped to 16 bits, z the output's zero point

``>>`` is the arithmetic shift (floor). `bias` holds half of 1 << shift, so this rounds half up. Multiplier, residual and
bias are int32 and chosen such that |a * multiplier| + |c * residual| + |bias| < 2^31 for any input: the formula means the same
in int32 and in int64. A slope is 16 bits, in units of 2^-15 and so below 1, which makes the larger of the two PReLU; processors have
an instruction for its product. A convolution block's identity is the residual term, not part of its 8-bit kernel. The input Y is added
at the precision that it came in, so pictures of 16 bits keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from engine.network import Layer, NetworkSpec

INPUT_STEPS = 1024
"""Codes of the 16-bit input luma a unit of Y: x = floor(1024 * Y + 1/2) - 512."""
INPUT_MAX = INPUT_STEPS // 2
CODE_MAX = 255
SKIP_MAX = 4096
"""Largest magnitude of the long residual's codes: small enough for exact int32 sums, 12 bits and a sign."""
ACCUMULATOR_END = 2**31
SLOPE_ONE = 2**15
SLOPE_MAX = SLOPE_ONE - 1
"""Slopes of PReLU are from -SLOPE_MAX to SLOPE_MAX, in units of 1 / SLOPE_ONE."""


@dataclass(frozen=True)
class Rescale:
    """From a layer's int32 accumulator to its u8 output; see the module. ``multiplier`` and ``bias`` have one entry a channel."""

    multiplier: NDArray[np.int32]
    residual: int
    bias: NDArray[np.int32]
    shift: int

    def apply(self, accumulator: NDArray[np.int64], identity: NDArray[np.int64] | int = 0) -> NDArray[np.int64]:
        """What is still to be clamped (H, W, O), of an exact accumulator (H, W, O) and the residual input's codes (H, W, O)."""
        scaled = accumulator * self.multiplier.astype(np.int64) + np.int64(self.residual) * identity + self.bias
        return scaled >> self.shift


@dataclass(frozen=True)
class IntegerLayer:
    """One u8 layer: the first (input s16) or one of the body.

    ``weight`` OIHW, int8 for a convolution, uint8 for an adder layer. ``zero`` is the zero point of its *output*, ``scale`` the
    output's scale. ``slope``, one a channel, makes its activation PReLU; the rescale's bias then leaves the zero point out.
    """

    weight: NDArray[np.int8] | NDArray[np.uint8]
    rescale: Rescale
    scale: float
    zero: int
    slope: NDArray[np.int16] | None = None

    def activate(self, rescaled: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Codes u8 (H, W, O) of the rescale's result (H, W, O)."""
        if self.slope is not None:
            above = np.clip(rescaled, -SLOPE_ONE, SLOPE_MAX)
            below = (above * self.slope.astype(np.int64) + SLOPE_ONE // 2) // SLOPE_ONE
            rescaled = np.maximum(above, below) + self.zero
        codes: NDArray[np.uint8] = np.clip(rescaled, 0, CODE_MAX).astype(np.uint8)
        return codes


@dataclass(frozen=True)
class Skip:
    """The long residual: codes (first * `first` + body * `body` + `bias`) >> `shift`, s16 of zero point 0 and scale ``scale``."""

    first: int
    body: int
    bias: int
    shift: int
    scale: float

    def apply(self, first: NDArray[np.uint8], body: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Codes s16 (H, W, f) of the first layer's and the body's outputs, u8 (H, W, f)."""
        total = first.astype(np.int64) * self.first + body.astype(np.int64) * self.body + self.bias
        return (total >> self.shift).astype(np.int16)


@dataclass(frozen=True)
class LastLayer:
    """The convolution that gives the picture's residual: float32(accumulator + ``bias``) * ``multiplier``, both a channel."""

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.float32]


@dataclass(frozen=True)
class IntegerNetwork:
    """A whole network's integer form, checked: built by `parse`, stored by `store`."""

    first: IntegerLayer
    body: tuple[IntegerLayer, ...]
    skip: Skip
    last: LastLayer

    def input_zeros(self) -> tuple[int, ...]:
        """The zero point of each body layer's input: what it is padded with."""
        return tuple(layer.zero for layer in (self.first, *self.body[:-1]))


def tensor_shapes(spec: NetworkSpec, *, slopes: bool) -> dict[str, tuple[tuple[int, ...], str]]:
    """Name, shape and dtype of every tensor of the integer form (`engine.weights.Model.int8`, in files prefixed ``int8.``).

    With ``slopes`` its activation is PReLU.
    """
    shapes: dict[str, tuple[tuple[int, ...], str]] = {}
    for layer in spec.layers[:-1]:
        shapes[f"{layer.name}.weight"] = (layer.weight_shape, "uint8" if layer.adder else "int8")
        shapes[f"{layer.name}.multiplier"] = ((layer.outputs,), "int32")
        shapes[f"{layer.name}.bias"] = ((layer.outputs,), "int32")
        scalars = {"residual": "int32", "shift": "int32", "scale": "float32", "zero": "uint8"}
        shapes |= {f"{layer.name}.{name}": ((1,), dtype) for name, dtype in scalars.items()}
        if slopes and layer.name != "first":
            shapes[f"{layer.name}.slope"] = ((layer.outputs,), "int16")
    shapes |= {f"skip.{name}": ((1,), "int32") for name in ("first", "body", "bias", "shift")}
    shapes["skip.scale"] = ((1,), "float32")
    last = spec.layers[-1]
    shapes["last.weight"] = (last.weight_shape, "int8")
    shapes["last.bias"] = ((last.outputs,), "int32")
    shapes["last.multiplier"] = ((last.outputs,), "float32")
    return shapes


def store(network: IntegerNetwork) -> dict[str, NDArray[Any]]:
    """The tensors of `tensor_shapes`."""
    tensors: dict[str, NDArray[Any]] = {}
    names = ("first", *(f"body.{i}" for i in range(len(network.body))))
    for name, layer in zip(names, (network.first, *network.body), strict=True):
        rescale = layer.rescale
        tensors |= {f"{name}.weight": layer.weight, f"{name}.multiplier": rescale.multiplier, f"{name}.bias": rescale.bias}
        tensors |= {f"{name}.residual": _int32(rescale.residual), f"{name}.shift": _int32(rescale.shift)}
        tensors |= {f"{name}.scale": _float32(layer.scale), f"{name}.zero": np.array([layer.zero], np.uint8)}
        tensors |= {} if layer.slope is None else {f"{name}.slope": layer.slope}
    skip = network.skip
    tensors |= {f"skip.{name}": _int32(getattr(skip, name)) for name in ("first", "body", "bias", "shift")}
    last = network.last
    tensors |= {"skip.scale": _float32(skip.scale), "last.weight": last.weight}
    return tensors | {"last.bias": last.bias, "last.multiplier": last.multiplier}


def has_slopes(int8: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the activation of an integer form, `store`'s tensors, is PReLU."""
    return any(name.endswith(".slope") for name in int8)


def parse(spec: NetworkSpec, int8: Mapping[str, NDArray[Any]], name: str) -> IntegerNetwork:
    """The integer form in ``int8``, checked whole; ``name`` is the model's, for errors.

    Raises ModelError: no integer form, wrong names, shapes or dtypes, values out of range, or sums that could leave int32.
    """
    if not int8:
        raise ModelError(f"{name}: the model has no int8 form; use --precision fp32, or train it with --quant-W --quant-A")
    _check_tensors(spec, int8, name)
    layers = tuple(_layer(layer.name, int8) for layer in spec.layers[:-1])
    first, body, bias, shift = (int(int8[f"skip.{key}"][0]) for key in ("first", "body", "bias", "shift"))
    skip = Skip(first, body, bias, shift, float(int8["skip.scale"][0]))
    last = LastLayer(int8["last.weight"], int8["last.bias"], int8["last.multiplier"])
    network = IntegerNetwork(layers[0], layers[1:], skip, last)
    _check_bounds(spec, network, name)
    return network


def accumulator_bound(layer: Layer, weight: NDArray[Any]) -> NDArray[np.int64]:
    """The largest magnitude, for each output, that a layer's accumulator can reach with these weights (padding included)."""
    wide = weight.astype(np.int64)
    largest = {"first": INPUT_MAX, "last": SKIP_MAX}.get(layer.name, CODE_MAX)
    each = np.maximum(wide, CODE_MAX - wide) if layer.adder else np.abs(wide) * largest
    bound: NDArray[np.int64] = each.sum((1, 2, 3))
    return bound


def rescale_bound(accumulator: NDArray[np.int64], rescale: Rescale) -> int:
    """The largest |a * multiplier| + |c * residual| + |bias| over the channels, given the accumulators' bounds."""
    terms = accumulator * np.abs(rescale.multiplier.astype(np.int64)) + np.abs(rescale.bias.astype(np.int64))
    return int(terms.max()) + abs(rescale.residual) * CODE_MAX


def _layer(name: str, int8: Mapping[str, NDArray[Any]]) -> IntegerLayer:
    one = {key: int8[f"{name}.{key}"][0].item() for key in ("residual", "shift", "scale", "zero")}
    rescale = Rescale(int8[f"{name}.multiplier"], one["residual"], int8[f"{name}.bias"], one["shift"])
    return IntegerLayer(int8[f"{name}.weight"], rescale, one["scale"], one["zero"], int8.get(f"{name}.slope"))


def _check_tensors(spec: NetworkSpec, int8: Mapping[str, NDArray[Any]], name: str) -> None:
    expected = tensor_shapes(spec, slopes=has_slopes(int8))
    if wrong := sorted(expected.keys() ^ int8.keys()):
        raise ModelError(f"{name}: the int8 form does not fit its network: {', '.join(wrong)} missing or unknown")
    for key, (shape, dtype) in expected.items():
        array = int8[key]
        if array.shape != shape or array.dtype != np.dtype(dtype):
            raise ModelError(f"{name}: int8.{key} is {array.dtype} {array.shape}, its network needs {dtype} {shape}")
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise ModelError(f"{name}: int8.{key} holds values that are not finite")


def _check_bounds(spec: NetworkSpec, network: IntegerNetwork, name: str) -> None:
    """Every sum stays in int32, every shift is a shift, slopes are slopes, and what ReLU leaves has no zero point."""
    *layers, last = spec.layers
    for layer, form in zip(layers, (network.first, *network.body), strict=True):
        if not 0 <= form.rescale.shift < 31 or not form.scale > 0:
            raise ModelError(f"{name}: int8.{layer.name} has a shift or scale out of range")
        if rescale_bound(accumulator_bound(layer, form.weight), form.rescale) >= ACCUMULATOR_END:
            raise ModelError(f"{name}: int8.{layer.name} can leave 32 bits; its multipliers are too large")
    if any(form.zero for form in network.body if form.slope is None):
        raise ModelError(f"{name}: int8 body layers must have zero point 0 (ReLU)")
    if any(form.slope.min() < -SLOPE_MAX for form in network.body if form.slope is not None):
        raise ModelError(f"{name}: int8 slopes must be above -1")
    if network.first.rescale.residual:
        raise ModelError(f"{name}: int8.first.residual must be 0")
    _check_skip(network.skip, name)
    if int((accumulator_bound(last, network.last.weight) + np.abs(network.last.bias.astype(np.int64))).max()) >= ACCUMULATOR_END:
        raise ModelError(f"{name}: int8.last can leave 32 bits")


def _check_skip(skip: Skip, name: str) -> None:
    in_range = all(0 <= value < 2**15 for value in (skip.first, skip.body)) and 0 <= skip.shift < 31
    if not in_range or CODE_MAX * (skip.first + skip.body) + abs(skip.bias) >= ACCUMULATOR_END:
        raise ModelError(f"{name}: int8.skip is out of range")
    lowest, highest = skip.bias >> skip.shift, (CODE_MAX * (skip.first + skip.body) + skip.bias) >> skip.shift
    if not -SKIP_MAX <= lowest <= highest <= SKIP_MAX:
        raise ModelError(f"{name}: int8.skip reaches {lowest} to {highest}; its codes end at ±{SKIP_MAX}")


def _int32(value: int) -> NDArray[np.int32]:
    return np.array([value], np.int32)


def _float32(value: float) -> NDArray[np.float32]:
    return np.array([value], np.float32)
