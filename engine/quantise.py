"""From a float network to its integer form: ranges in, `engine.integer` tensors out.

`integerise` turns a network's float tensors and its activations' ranges into codes. Ranges come from training with
fake-quantisation, or from `calibrate`, which watches the float network on pictures (post-training quantisation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import ModelError
from engine.integer import (
    ACCUMULATOR_END,
    CODE_MAX,
    INPUT_STEPS,
    SKIP_MAX,
    SLOPE_MAX,
    SLOPE_ONE,
    IntegerLayer,
    IntegerNetwork,
    LastLayer,
    Rescale,
    Skip,
    accumulator_bound,
    rescale_bound,
    store,
)
from engine.reference_integer import sum_of, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.network import Layer, NetworkSpec
    from engine.weights import Model

WEIGHT_MAX = 127
SMALLEST_RANGE = 2.0**-6
"""A layer whose outputs stay below this is given this range: its multipliers must stay finite."""
MULTIPLIER_MAX = 2**15 - 1


@dataclass(frozen=True)
class Range:
    """What a layer's u8 output can say: real values from ``low`` to ``high``, with 0 among them on a code of its own."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= 0 <= self.high < np.inf:
            raise ValueError(f"a range must hold 0 and be finite, not [{self.low}, {self.high}]")

    @property
    def scale(self) -> float:
        """Real units a code, as float32 holds it."""
        return float(np.float32(max(self.high - self.low, SMALLEST_RANGE) / CODE_MAX))

    @property
    def zero(self) -> int:
        """The code of real 0: low / scale, rounded half up."""
        return int(np.clip(np.floor(-self.low / self.scale + 0.5), 0, CODE_MAX))


@dataclass(frozen=True)
class Ranges:
    """The ranges of the first layer's output and of each body layer's (``low`` 0 there with ReLU)."""

    first: Range
    body: tuple[Range, ...]


def quantise(model: Model, pictures: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """Post-training quantisation: `Model.int8` for a model, its ranges watched on luma ``pictures`` (H, W) in [0, 1].

    Raises ModelError for slopes that are not between -1 and 1: cutting them off is not quantisation.
    """
    for name, slope in model.tensors.items():
        if name.endswith(".slope") and np.abs(slope).max() > 1:
            raise ModelError(f"{model.id}: {name} leaves -1 to 1, which the int8 form has; train it with --quant-W --quant-A")
    return integerise(model.spec, model.tensors, calibrate(model.spec, model.tensors, pictures))


def integerise(spec: NetworkSpec, tensors: Mapping[str, NDArray[np.float32]], ranges: Ranges) -> dict[str, NDArray[Any]]:
    """The integer form of float ``tensors`` (`NetworkSpec.tensor_shapes`) on given activation ranges; slopes are cut to just below 1.

    Raises ModelError where no multiplier keeps a layer's sums in 32 bits.
    """
    if len(ranges.body) != spec.m:
        raise ValueError(f"{len(ranges.body)} body ranges for {spec.m} layers")
    first, *body, last = spec.layers
    layers = [_first(first, tensors, ranges.first)]
    for layer, source, target in zip(body, (ranges.first, *ranges.body), ranges.body, strict=False):
        layers.append((_adder if layer.adder else _convolution)(layer, tensors, source, target))
    skip = _skip(ranges.first, ranges.body[-1])
    network = IntegerNetwork(layers[0], tuple(layers[1:]), skip, _last(last, tensors, skip.scale))
    return store(network)


def calibrate(spec: NetworkSpec, tensors: Mapping[str, NDArray[np.float32]], pictures: Sequence[NDArray[np.float32]]) -> Ranges:
    """The ranges that a network's activations take on luma ``pictures`` (H, W) in [0, 1]."""
    if not pictures:
        raise ValueError("calibration needs at least one picture")
    lows = np.zeros(spec.m + 1)
    highs = np.zeros(spec.m + 1)
    for picture in pictures:
        for i, activation in enumerate(_activations(spec, tensors, picture)):
            lows[i], highs[i] = min(lows[i], activation.min()), max(highs[i], activation.max())
    first, *body = (Range(float(low), float(high)) for low, high in zip(lows, highs, strict=True))
    return Ranges(first, tuple(body))


def _first(layer: Layer, tensors: Mapping[str, NDArray[np.float32]], target: Range) -> IntegerLayer:
    codes, scales = _weight_codes(tensors[f"{layer.name}.weight"])
    bias = tensors[f"{layer.name}.bias"].astype(np.float64) / target.scale + target.zero
    rescale = _rescale(layer, codes, scales / (INPUT_STEPS * target.scale), 0.0, bias)
    return IntegerLayer(codes, rescale, target.scale, target.zero)


def _convolution(layer: Layer, tensors: Mapping[str, NDArray[np.float32]], source: Range, target: Range) -> IntegerLayer:
    """A block's convolution, its identity taken out of the kernel and made the residual term."""
    kernel = tensors[f"{layer.name}.weight"].copy()
    kernel[np.arange(layer.outputs), np.arange(layer.inputs), layer.kernel // 2, layer.kernel // 2] -= 1
    codes, scales = _weight_codes(kernel)
    ratio = source.scale / target.scale
    rescale = _rescale(layer, codes, scales * ratio, ratio, tensors[f"{layer.name}.bias"].astype(np.float64) / target.scale)
    return IntegerLayer(codes, rescale, target.scale, target.zero, _slope_codes(layer, tensors))


def _slope_codes(layer: Layer, tensors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.int16] | None:
    slope = tensors.get(f"{layer.name}.slope")
    if slope is None:
        return None
    return np.clip(np.floor(slope.astype(np.float64) * SLOPE_ONE + 0.5), -SLOPE_MAX, SLOPE_MAX).astype(np.int16)


def _adder(layer: Layer, tensors: Mapping[str, NDArray[np.float32]], source: Range, target: Range) -> IntegerLayer:
    """An adder layer on its input's scale. What its weights exceed the input's range by adds to every sum alike: to the bias."""
    weight = tensors[f"{layer.name}.weight"].astype(np.float64)
    multiplier = -tensors[f"{layer.name}.multiplier"].astype(np.float64)
    low, high = (np.array([0, CODE_MAX]) - source.zero) * source.scale
    inside = np.clip(weight, low, high)
    codes = np.clip(np.floor(inside / source.scale + 0.5) + source.zero, 0, CODE_MAX).astype(np.uint8)
    excess = np.abs(weight - inside).sum((1, 2, 3))
    ratio = source.scale / target.scale
    bias = (tensors[f"{layer.name}.bias"] + multiplier * excess) / target.scale - source.zero * ratio
    rescale = _rescale(layer, codes, multiplier * ratio, ratio, bias)
    return IntegerLayer(codes, rescale, target.scale, target.zero, _slope_codes(layer, tensors))


def _last(layer: Layer, tensors: Mapping[str, NDArray[np.float32]], input_scale: float) -> LastLayer:
    codes, scales = _weight_codes(tensors[f"{layer.name}.weight"])
    multiplier = (scales * input_scale).astype(np.float32)
    bias = np.floor(tensors[f"{layer.name}.bias"] / multiplier.astype(np.float64) + 0.5)
    headroom = ACCUMULATOR_END - 1 - accumulator_bound(layer, codes)
    if (headroom < 0).any():
        raise ModelError(f"{layer.name}: {layer.inputs} channels are too many for 32-bit sums of this layer")
    return LastLayer(codes, np.clip(bias, -headroom, headroom).astype(np.int32), multiplier)


def _skip(first: Range, body: Range) -> Skip:
    """The long residual on the finest scale whose codes hold every sum of the two, both multipliers in 15 bits."""
    lowest = -first.zero * first.scale - body.zero * body.scale
    highest = (CODE_MAX - first.zero) * first.scale + (CODE_MAX - body.zero) * body.scale
    scale = float(np.float32(max(-lowest, highest) / (SKIP_MAX - 2)))
    shift = int(np.floor(np.log2(MULTIPLIER_MAX * scale / max(first.scale, body.scale))))
    shift = min(shift, 30)
    ratios = [int(np.floor(tensor.scale / scale * 2**shift + 0.5)) for tensor in (first, body)]
    bias = -first.zero * ratios[0] - body.zero * ratios[1] + _half(shift)
    return Skip(ratios[0], ratios[1], bias, shift, scale)


def _weight_codes(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Symmetric codes in ±127 and the scale of each output channel."""
    largest = np.abs(weight.astype(np.float64)).max((1, 2, 3))
    scales = np.where(largest > 0, largest, 1.0) / WEIGHT_MAX
    codes = np.floor(weight / scales[:, None, None, None] + 0.5)
    return np.clip(codes, -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8), scales


def _rescale(layer: Layer, codes: NDArray[Any], multiplier: NDArray[Any], residual: float, bias: NDArray[Any]) -> Rescale:
    """Real factors as int32 ones on the largest shift that provably keeps every sum in 32 bits."""
    bound = accumulator_bound(layer, codes)
    for shift in range(30, -1, -1):
        factors = [np.floor(value * 2.0**shift + 0.5) for value in (multiplier, np.array([residual]), bias)]
        if max(np.abs(factor).max() for factor in factors) + _half(shift) >= ACCUMULATOR_END:
            continue
        scaled, (ratio,), offset = (factor.astype(np.int64) for factor in factors)
        rescale = Rescale(scaled.astype(np.int32), int(ratio), (offset + _half(shift)).astype(np.int32), shift)
        if rescale_bound(bound, rescale) < ACCUMULATOR_END:
            return rescale
    raise ModelError(f"{layer.name}: no multiplier keeps this layer's sums in 32 bits; its weights or ranges are out of proportion")


def _half(shift: int) -> int:
    """What makes ``>> shift`` round half up."""
    return 1 << (shift - 1) if shift else 0


def _activations(spec: NetworkSpec, tensors: Mapping[str, NDArray[np.float32]], y_hw: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The outputs (H, W, f) of the first layer and of each body layer."""
    x = y_hw[:, :, None].astype(np.float32) - np.float32(0.5)
    for layer in spec.layers[:-1]:
        weight, bias = tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"]
        if layer.adder:
            x = np.maximum(x + bias - tensors[f"{layer.name}.multiplier"] * _sad(x, weight), 0)
        else:
            x = sum_of(shifted @ weight[:, :, row, column].T for row, column, shifted in windows(x, layer.kernel, 0)) + bias
            slope = tensors.get(f"{layer.name}.slope", np.float32(0))
            x = x if layer.name == "first" else np.maximum(x, 0) + slope * np.minimum(x, 0)
        yield x


def _sad(x_hwc: NDArray[np.float32], weight_oihw: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of |x - w| over each zero-padded window, an output channel at a time, for memory's sake."""
    outputs, _, kernel, _ = weight_oihw.shape
    total = np.zeros((*x_hwc.shape[:2], outputs), np.float32)
    for row, column, shifted in windows(x_hwc, kernel, 0):
        for output in range(outputs):
            total[:, :, output] += np.abs(shifted - weight_oihw[output, :, row, column]).sum(-1)
    return total
