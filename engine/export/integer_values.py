"""The integer form in the terms that other formats use: codes, scales, zero points, biases in real units.

Formats that hold 8-bit networks have no fused convolution-plus-residual: a block's convolution is rounded to 8 bits by itself
before its input is added. The range for that is not part of the integer form; it is observed on pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.integer import INPUT_STEPS, SLOPE_ONE, IntegerLayer, IntegerNetwork
from engine.reference_integer import body_layer, convolve, first_layer, input_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MARGIN = 1.25
"""How much wider than what was observed the range of a block's own convolution is made."""
SIDE = 96
"""Side of the pictures that ranges are observed on, in pixels."""


@dataclass(frozen=True)
class Codes:
    """Real value = ``scale`` * (code - ``zero``)."""

    scale: float
    zero: int


@dataclass(frozen=True)
class ConvolutionValues:
    """A convolution: ``weight`` int8 OIHW with a scale an output channel, ``bias`` in real units; where its input and output lie.

    ``slope``, one a channel, where PReLU follows.
    """

    name: str
    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    source: Codes
    target: Codes
    slope: NDArray[np.float64] | None = None

    @property
    def real_weight(self) -> NDArray[np.float32]:
        """The kernel in real units."""
        real: NDArray[np.float64] = self.weight * self.weight_scale[:, None, None, None]
        return real.astype(np.float32)

    def bias_codes(self, source_scale: float) -> NDArray[np.float64]:
        """The bias on the accumulator's scale, rounded, for an input of that scale."""
        rounded: NDArray[np.float64] = np.floor(self.bias / (self.weight_scale * source_scale) + 0.5)
        return rounded


@dataclass(frozen=True)
class NetworkValues:
    """A convolution network's integer form.

    ``sums`` has each body convolution's own output, before its input is added, and ``totals`` what there is when it has been, before the
    activation.
    """

    first: ConvolutionValues
    body: tuple[ConvolutionValues, ...]
    sums: tuple[Codes, ...]
    totals: tuple[Codes, ...]
    last: ConvolutionValues


def network_values(network: IntegerNetwork, pictures: Sequence[NDArray[np.float32]] = ()) -> NetworkValues:
    """A convolution network's values; ``pictures`` (luma, (H, W) in [0, 1]) stand in for the built-in test chart."""
    source = Codes(1 / INPUT_STEPS, 0)
    layers = []
    for index, layer in enumerate((network.first, *network.body)):
        name = f"body.{index - 1}" if index else "first"
        layers.append(_values(name, layer, source))
        source = layers[-1].target
    return NetworkValues(layers[0], tuple(layers[1:]), *_sums(network, layers, pictures or (chart(),)), last_values(network))


def last_values(network: IntegerNetwork) -> ConvolutionValues:
    """The last layer's values; its input is the long residual's codes."""
    last, skip = network.last, Codes(network.skip.scale, 0)
    scale = last.multiplier.astype(np.float64)
    return ConvolutionValues("last", last.weight, scale / skip.scale, last.bias * scale, skip, Codes(1.0, 0))


def chart() -> NDArray[np.float32]:
    """Luma (SIDE, SIDE) with what strains a network: hard edges of all sizes and directions, noise, ramps."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    radius = np.hypot(row - 0.5, column - 0.5)
    zones = 0.5 + 0.5 * np.sign(np.cos(180 * radius**2))
    checks = (np.floor(row * 48) + np.floor(column * 24)) % 2
    noise = np.round(rng.random((SIDE, SIDE)))
    quarters = (2 * row).astype(int) * 2 + (2 * column).astype(int)
    picture = np.choose(quarters, [zones, checks, noise, 0.5 * row + 0.5 * column])
    clipped: NDArray[np.float32] = np.clip(picture, 16 / 255, 235 / 255).astype(np.float32)
    return clipped


def _values(name: str, layer: IntegerLayer, source: Codes) -> ConvolutionValues:
    """What a layer's fixed-point constants say in real units."""
    rescale, target = layer.rescale, Codes(layer.scale, layer.zero)
    unit = 2.0**-rescale.shift
    half = 0.5 if rescale.shift else 0.0
    weight_scale = rescale.multiplier.astype(np.float64) * (unit * target.scale / source.scale)
    zero, slope = (target.zero, None) if layer.slope is None else (0, layer.slope / SLOPE_ONE)
    bias = (rescale.bias.astype(np.float64) * unit - half - zero) * target.scale
    weight: Any = layer.weight
    return ConvolutionValues(name, weight, weight_scale, bias, source, target, slope)


def _sums(
    network: IntegerNetwork, layers: Sequence[ConvolutionValues], pictures: Sequence[NDArray[np.float32]]
) -> tuple[tuple[Codes, ...], tuple[Codes, ...]]:
    """`NetworkValues.sums` and ``totals``: the ranges seen on ``pictures``, and a margin."""
    ranges = np.zeros((2, len(network.body), 2))
    for picture in pictures:
        codes, zero = first_layer(network.first, input_codes(picture)), network.first.zero
        for index, (layer, values) in enumerate(zip(network.body, layers[1:], strict=True)):
            whole = codes.astype(np.int64) - zero
            own = convolve(whole, layer.weight) * (values.weight_scale * values.source.scale) + values.bias
            for seen, real in zip(ranges[:, index], (own, own + whole * values.source.scale), strict=True):
                seen[:] = min(seen[0], real.min()), max(seen[1], real.max())
            codes, zero = body_layer(layer, codes, zero), layer.zero
    sums, totals = ranges * MARGIN
    useful = tuple(_useful(low, high, values) for (low, high), values in zip(sums, layers[1:], strict=True))
    return useful, tuple(_codes(low, min(high, _highest(values))) for (low, high), values in zip(totals, layers[1:], strict=True))


def _highest(values: ConvolutionValues) -> float:
    """The highest real value that an output can be."""
    return values.target.scale * (255 - values.target.zero)


def _useful(low: float, high: float, values: ConvolutionValues) -> Codes:
    """Codes for [low, high], less what cannot matter: above, the sum with the input is clipped; below, with ReLU, it is negative."""
    if values.slope is None:
        low = max(low, -(255 - values.source.zero) * values.source.scale)
    return _codes(low, min(high, _highest(values) + values.source.zero * values.source.scale))


def _codes(low: float, high: float) -> Codes:
    scale = float(np.float32(max(high - low, 255e-6) / 255))
    return Codes(scale, int(np.clip(np.floor(-low / scale + 0.5), 0, 255)))
