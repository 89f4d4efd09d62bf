"""An integer network as steps of kernels: weights laid out as the kernels read them, channels padded to whole vectors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from engine.backends import native_planes
from engine.backends.native_strips import FOUR_SUMS, Plan, Step, body_register, grown, last_register, padded_channels
from engine.backends.native_windows import Tensor
from engine.kernels import filtering
from engine.kernels.buffers import View, constant
from engine.kernels.compile import TWICE, Kernels, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.integer import IntegerLayer, IntegerNetwork, LastLayer, Skip
    from engine.network import NetworkSpec

GROUP, FOUR, PAIR = 8, 4, 2
PACKED_TWICE = SUMS_IN_WORDS = 16
"""Channels for which `adder_u8_twice` and `adder_u8_words` are written."""
FILTERED_MOST = 48
"""Channels for which `last_s16` is taken: its doubled sums stay in 32 bits, and a tile of inputs on the stack."""


def plan(spec: NetworkSpec, network: IntegerNetwork, kernels: Kernels, threads: int = 1) -> Plan:
    """The steps of a checked integer network: luma codes, first, body (its last layer adds the long residual), last."""
    if kernels.fours and kernels.mapped and native_planes.fits(spec, network):
        return native_planes.plan(spec.scale, network, kernels)
    get = partial(kernels.get, threads=threads)
    channels = padded_channels(spec.f)
    adder = spec.block == "adder"
    in_bytes = adder or kernels.dots_bytes
    bits, dtype = (8, np.uint8) if in_bytes else (16, np.int16)
    register = body_register(channels, kernels.register)
    zeros = (*network.input_zeros(), network.body[-1].zero)
    outputs = [Tensor(dtype, channels, zero if in_bytes else 0) for zero in zeros]

    steps = [
        Step(get(Shape("ends_s16.luma", ())), (), (), 0, Tensor(np.int16, 0), reads_plane=True),
        Step(get(Shape("ends_s16.first", (channels, bits, register))), (0,), _first(network.first, channels), 2, outputs[0]),
    ]
    outputs[-1] = Tensor(np.int16, channels)
    for layer, zero, output in zip(network.body, zeros, outputs[1:], strict=False):
        constants = (_adder if adder else _convolution)(layer, zero, channels, kernels)
        reads: tuple[int, ...] = (len(steps) - 1,)
        skip = layer is network.body[-1]
        if skip:
            reads, constants = (*reads, 1), (*constants, _skip(network.skip, 0 if in_bytes else network.first.zero))
        steps.append(Step(get(_body(adder, channels, skip, layer.slope is not None, kernels)), reads, constants, 1, output))
    last_bytes = last_register(spec.scale, kernels.register)
    filtered = kernels.sums_bytes and channels <= FILTERED_MOST
    sizes = channels, spec.scale
    last = get(Shape("last_s16.build", (*sizes, last_bytes)) if filtered else Shape("ends_s16.last", sizes))
    constants = _last_filtered(network.last, channels, last_bytes // FOUR_SUMS) if filtered else _last(network.last, channels)
    steps.append(Step(last, (len(steps) - 1,), constants, 2, None, reads_plane=True))
    return Plan(tuple(steps), spec.scale, filtering.TILE if filtered else 1)


def _body(adder: bool, channels: int, skip: bool, prelu: bool, kernels: Kernels) -> Shape:
    """The kernel of a body layer for this processor."""
    if not adder:
        kind = "convolution_u8" if kernels.dots_bytes else "convolution_s16"
        return Shape(f"{kind}.build", (channels, skip, body_register(channels, kernels.register), prelu))
    if not kernels.sums_bytes:
        return Shape("adder_u8_lanes.build", (channels, skip, prelu))
    if kernels.packs_sums == TWICE and channels == PACKED_TWICE:
        return Shape("adder_u8_twice.build", (skip, prelu))
    if not kernels.packs_sums and channels == SUMS_IN_WORDS:
        return Shape("adder_u8_words.build", (skip, kernels.register, prelu))
    return Shape("adder_u8.build", (channels, skip, kernels.packs_sums > 0, prelu))


def _first(layer: IntegerLayer, channels: int) -> tuple[View, ...]:
    """Weights (5, 3, C, 2): kernel row, pair of columns, output, column of the pair; the sixth column is 0."""
    weight = grown(layer.weight[:, 0], (channels, 5, 6)).astype(np.int16)
    pairs = weight.reshape(channels, 5, 3, 2).transpose(1, 2, 0, 3)
    return constant(pairs), constant(_table(layer, channels))


def _adder(layer: IntegerLayer, zero: int, channels: int, kernels: Kernels) -> tuple[View, ...]:
    """Weights by row, column, then input group, output, input of the group; without groups, input, output.

    Where results are packed, outputs are in the order in which they are. Inputs that do not exist differ from their padding by 0.
    """
    weight = grown(layer.weight, (channels, channels, 3, 3), zero)
    table = constant(_table(layer, channels))
    if not kernels.sums_bytes:
        return constant(weight.transpose(2, 3, 1, 0)), table
    groups = channels // GROUP
    if kernels.packs_sums == TWICE and channels == PACKED_TWICE:
        ordered = weight.reshape(2, FOUR, 2, groups, GROUP, 3, 3).transpose(5, 6, 3, 1, 0, 2, 4)
        return constant(ordered.reshape(3, 3, groups, FOUR, FOUR, GROUP)), table
    if not kernels.packs_sums and channels == SUMS_IN_WORDS:
        lanes = kernels.register // GROUP
        ordered = weight.reshape(channels // (2 * lanes), lanes, 2, groups, GROUP, 3, 3).transpose(5, 6, 3, 0, 2, 1, 4)
        return constant(ordered.reshape(3, 3, groups, channels // lanes, lanes, GROUP)), table
    outputs = (0, 2, 1, 3) if kernels.packs_sums else (0, 1, 2, 3)
    ordered = weight.reshape(groups, 2, 2, 2, groups, GROUP, 3, 3).transpose(6, 7, 4, *outputs, 5)
    return constant(ordered.reshape(3, 3, groups, groups, 2, FOUR, GROUP)), table


def _convolution(layer: IntegerLayer, zero: int, channels: int, kernels: Kernels) -> tuple[View, ...]:
    """Weights (3, 3, C/2, C, 2) s16: row, column, pair of inputs, output, input of the pair; in bytes fours of inputs, and starts (C).

    ``zero`` is the input's zero point, which bytes keep: it is taken off where sums start and where the residual is added.
    """
    together = FOUR if kernels.dots_bytes else PAIR
    weight = grown(layer.weight, (channels, channels, 3, 3))
    ordered = weight.reshape(channels, channels // together, together, 3, 3).transpose(3, 4, 1, 0, 2)
    table = _table(layer, channels)
    if not kernels.dots_bytes:
        return constant(ordered.astype(np.int16)), constant(table)
    table[1] -= layer.rescale.residual * zero
    return constant(ordered), constant(-zero * weight.sum((1, 2, 3), dtype=np.int32)), constant(table)


def _skip(skip: Skip, zero: int) -> View:
    """The long residual's four numbers; ``zero`` is what the early map's codes have been lessened by."""
    return constant(np.array([skip.first, skip.body, skip.bias + zero * skip.first, skip.shift], np.int32))


def _last(layer: LastLayer, channels: int) -> tuple[View, ...]:
    """Weights (5, 5, s*s, C) s16: row, column, output, input."""
    outputs = len(layer.weight)
    weight = grown(layer.weight, (outputs, channels, 5, 5)).astype(np.int16).transpose(2, 3, 0, 1)
    return constant(weight), constant(layer.bias), constant(layer.multiplier)


def _last_filtered(layer: LastLayer, channels: int, pairs: int) -> tuple[View, ...]:
    """Weights (11, 5, s*s/4, C/2P, 4, P, 2) s16: product, row, four outputs, inputs of ``pairs``, output, pair, input of the pair."""
    fours = -(-len(layer.weight) // FOUR)
    weight = grown(layer.weight, (fours * FOUR, channels, 5, 5)).astype(np.int16)
    products_poir = np.stack(filtering.taps_of(list(np.moveaxis(weight, 3, 0))))
    ordered = products_poir.reshape(filtering.PRODUCTS, fours, FOUR, channels // (2 * pairs), pairs, 2, 5).transpose(0, 6, 1, 3, 2, 4, 5)
    return constant(ordered), constant(layer.bias), constant(layer.multiplier)


def _table(layer: IntegerLayer, channels: int) -> NDArray[np.int32]:
    """`engine.kernels.define`'s table (6, C). Channels that do not exist come out as the zero point whatever their sum."""
    rescale = layer.rescale
    table = np.zeros((6, channels), np.int32)
    table[1], table[4] = layer.zero if layer.slope is None else 0, layer.zero
    existing = table[:, : len(rescale.multiplier)]
    existing[0], existing[1], existing[2], existing[3] = rescale.multiplier, rescale.bias, rescale.residual, rescale.shift
    if layer.slope is not None:
        existing[5] = layer.slope
    return table
