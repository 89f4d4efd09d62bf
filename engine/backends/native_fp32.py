"""A float network as steps of kernels: weights laid out as the kernels read them, channels padded to whole vectors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from engine.backends.native_strips import FOUR_SUMS, Plan, Step, body_register, grown, last_register, padded_channels
from engine.backends.native_windows import Tensor
from engine.errors import BackendError
from engine.kernels.buffers import View, constant
from engine.kernels.compile import Kernels, Shape
from engine.kernels.winograd import FIVE, THREE, TILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.network import Layer
    from engine.weights import Model

FOUR = 4
FILTERED_MOST = 32
"""Channels for which `last_f32` is taken: a tile of more does not fit on the stack."""
MOST_CHANNELS = 160
"""A single tile of more channels does not fit on the stack of `engine.kernels.convolution_f32`."""


def plan(model: Model, kernels: Kernels, threads: int = 1) -> Plan:
    """The steps of a float network: luma less a half, first, body, last (which adds the long residual)."""
    spec, get = model.spec, partial(kernels.get, threads=threads)
    first, *body, last = spec.layers
    channels = padded_channels(spec.f)
    if spec.block == "convolution" and channels > MOST_CHANNELS:
        raise BackendError(f"the native back end takes at most {MOST_CHANNELS} channels, and this network has {spec.f}")
    features, register = Tensor(np.float32, channels), body_register(channels, kernels.register)
    body_kernel = "adder_f32.build" if spec.block == "adder" else "convolution_f32.build"

    steps = [
        Step(get(Shape("ends_f32.luma", ())), (), (), 0, Tensor(np.float32, 0), reads_plane=True),
        Step(get(Shape("ends_f32.first", (channels, register))), (0,), _first(model, first, channels), 2, features),
    ]
    for layer in body:
        constants = (_adder if layer.adder else _convolution)(model, layer, channels)
        steps.append(Step(get(Shape(body_kernel, (channels, register))), (len(steps) - 1,), constants, 1, features))
    last_bytes = last_register(spec.scale, kernels.register)
    filtered = channels <= FILTERED_MOST
    sizes = channels, spec.scale
    kernel = get(Shape("last_f32.build", (*sizes, last_bytes)) if filtered else Shape("ends_f32.last", sizes))
    constants = _last_filtered(model, last, channels, last_bytes // FOUR_SUMS) if filtered else _last(model, last, channels)
    steps.append(Step(kernel, (len(steps) - 1, 1), constants, 2, None, reads_plane=True))
    return Plan(tuple(steps), spec.scale, TILE if filtered else 1)


def _first(model: Model, layer: Layer, channels: int) -> tuple[View, ...]:
    """Weights (5, 5, C), bias (C)."""
    weight = grown(model.tensors[f"{layer.name}.weight"][:, 0], (channels, 5, 5))
    return constant(weight.transpose(1, 2, 0)), constant(grown(model.tensors[f"{layer.name}.bias"], (channels,)))


def _convolution(model: Model, layer: Layer, channels: int) -> tuple[View, ...]:
    """Weights (6, 3, C inputs, C outputs), each row of three taps transformed, and table (2, C): bias, slope."""
    weight = model.tensors[f"{layer.name}.weight"]
    products_riow = np.einsum("pk,oirk->prio", THREE.taps, weight, dtype=np.float64).astype(np.float32)
    table = np.stack([model.tensors[f"{layer.name}.bias"], _slope(model, layer)])
    return constant(grown(products_riow, (*products_riow.shape[:2], channels, channels))), constant(grown(table, (2, channels)))


def _adder(model: Model, layer: Layer, channels: int) -> tuple[View, ...]:
    """Weights (3, 3, C inputs, C outputs), table (4, C): `engine.kernels.adder_f32`'s rows, one."""
    weight = model.tensors[f"{layer.name}.weight"]
    multiplier = model.tensors[f"{layer.name}.multiplier"].astype(np.float64)
    offset = model.tensors[f"{layer.name}.bias"] + multiplier * weight.sum((1, 2, 3), dtype=np.float64)
    table = np.stack([-2 * multiplier, multiplier, offset, _slope(model, layer)]).astype(np.float32)
    return _body_weight(weight, channels), constant(grown(table, (4, channels))), constant(np.ones(1, np.float32))


def _last(model: Model, layer: Layer, channels: int) -> tuple[View, ...]:
    """Weights (5, 5, s*s, C), bias (s*s)."""
    weight = grown(model.tensors[f"{layer.name}.weight"], (layer.outputs, channels, 5, 5)).transpose(2, 3, 0, 1)
    return constant(weight), constant(model.tensors[f"{layer.name}.bias"])


def _last_filtered(model: Model, layer: Layer, channels: int, pairs: int) -> tuple[View, ...]:
    """Weights (8, 5, s*s/4, C/P, 4, P): product, row, four outputs, ``pairs`` inputs, output, input of these; bias (s*s)."""
    fours = -(-layer.outputs // FOUR)
    weight = grown(model.tensors[f"{layer.name}.weight"], (fours * FOUR, channels, 5, 5))
    products_proi = np.einsum("pk,oirk->proi", FIVE.taps, weight, dtype=np.float64).astype(np.float32)
    ordered = products_proi.reshape(FIVE.products, 5, fours, FOUR, channels // pairs, pairs).transpose(0, 1, 2, 4, 3, 5)
    return constant(ordered), constant(model.tensors[f"{layer.name}.bias"])


def _body_weight(weight_oihw: NDArray[np.float32], channels: int) -> View:
    grown_oihw = grown(weight_oihw, (channels, channels, 3, 3))
    return constant(grown_oihw.transpose(2, 3, 1, 0))


def _slope(model: Model, layer: Layer) -> NDArray[np.float32]:
    return model.tensors.get(f"{layer.name}.slope", np.zeros(layer.outputs, np.float32))
