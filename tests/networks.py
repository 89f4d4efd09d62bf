"""Networks with random weights, for tests."""

from __future__ import annotations

import numpy as np

from engine.network import NetworkSpec, model_id
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
            tensors[name] = values.astype(np.float32)
    return Model(model_id(spec), spec, tensors, about={"licence": "Apache-2.0"})
