"""Networks with random weights, for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.network import NetworkSpec, model_id
from engine.quantise import quantise
from engine.weights import Model

SPREADS = {"weight": 1.0, "multiplier": 0.02, "bias": 0.1, "slope": 0.4}
"""Standard deviation of each kind of tensor; a convolution's weights are scaled by the square root of its inputs as well."""


def random_model(spec: NetworkSpec, seed: int = 0) -> Model:
    """A model of this shape whose features keep a size like a trained network's; multipliers and slopes of both signs."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in spec.layers:
        for name, shape in spec.tensor_shapes().items():
            if not name.startswith(f"{layer.name}."):
                continue
            values = rng.standard_normal(shape) * SPREADS[name.rsplit(".", 1)[1]]
            if name.endswith("weight") and not layer.adder:
                values *= (layer.taps / layer.outputs) ** -0.5
            tensors[name] = (np.clip(values, -0.95, 0.95) if name.endswith("slope") else values).astype(np.float32)
    return Model(model_id(spec), spec, tensors, about={"licence": "Apache-2.0"})


def gentle_model(spec: NetworkSpec, seed: int = 0) -> Model:
    """A model of this shape with features of unit size in every layer and outputs mostly inside (0, 1), adder layers included."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in spec.layers:
        weight = rng.standard_normal(layer.weight_shape) * (0.25 / np.sqrt(layer.kernel**2 * layer.inputs))
        bias = rng.uniform(-0.1, 0.2, layer.outputs)
        if layer.name == "first":
            weight *= 20
        elif layer.adder:
            weight = rng.standard_normal(layer.weight_shape)
            tensors[f"{layer.name}.multiplier"] = rng.uniform(-0.002, 0.012, layer.outputs) * 16 / layer.inputs
            bias += 0.8 * tensors[f"{layer.name}.multiplier"] * layer.inputs * layer.kernel**2
        elif layer.name.startswith("body"):
            weight[np.arange(layer.outputs), np.arange(layer.inputs), 1, 1] += 1
        if layer.name.startswith("body") and spec.activation == "prelu":
            tensors[f"{layer.name}.slope"] = rng.uniform(-0.5, 0.9, layer.outputs)
        tensors |= {f"{layer.name}.weight": weight, f"{layer.name}.bias": bias}
    tensors["last.weight"] *= 0.3
    tensors["last.bias"] *= 0.1
    return Model(model_id(spec), spec, {name: array.astype(np.float32) for name, array in tensors.items()})


def quantised(spec: NetworkSpec, rng: np.random.Generator) -> Model:
    """A `gentle_model` with its int8 form, for a picture of noise."""
    model = gentle_model(spec)
    return replace(model, int8=quantise(model, [rng.uniform(0, 1, (24, 24)).astype(np.float32)]))


def with_largest_sums(model: Model, code: int) -> Model:
    """An int8 adder network of 16 channels whose first layer gives ``code``, 0 or 255, to weights in the body that are the other."""
    first = {"first.multiplier": np.zeros(16, np.int32), "first.bias": np.full(16, code << model.int8["first.shift"][0], np.int32)}
    body = {
        "body.0.weight": np.full((16, 16, 3, 3), 255 - code, np.uint8),
        "body.0.multiplier": np.arange(-8, 8, dtype=np.int32),
        "body.0.bias": np.full(16, 300_000, np.int32),
        "body.0.shift": np.array([12], np.int32),
        "body.0.residual": np.array([3], np.int32),
    }
    return replace(model, int8={**model.int8, **first, **body})
