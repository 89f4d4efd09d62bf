"""A network as data: its layers, shapes, counts and names follow from five numbers; wrong ones are refused."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.network import PRESETS, NetworkSpec, model_id

SPECS = st.builds(
    NetworkSpec,
    st.sampled_from((2, 3, 4)),
    st.integers(1, 64),
    st.integers(1, 256),
    st.sampled_from(("convolution", "adder")),
    st.sampled_from(("prelu", "relu")),
)


def test_m5() -> None:
    spec = NetworkSpec(2, 5, 16)
    assert [layer.name for layer in spec.layers] == ["first", "body.0", "body.1", "body.2", "body.3", "body.4", "last"]
    assert [layer.weight_shape for layer in spec.layers] == [(16, 1, 5, 5), *[(16, 16, 3, 3)] * 5, (4, 16, 5, 5)]
    assert (spec.parameters, spec.receptive_radius) == (13_520, 9)


@pytest.mark.parametrize(
    ("name", "parameters", "radius"), [("m3", 8_912, 7), ("m5", 13_520, 9), ("m7", 18_128, 11), ("m11", 27_344, 15), ("xl", 105_376, 15)]
)
def test_published_sizes(name: str, parameters: int, radius: int) -> None:
    spec = NetworkSpec(2, *PRESETS[name])
    assert (spec.parameters, spec.receptive_radius) == (parameters, radius)


@given(SPECS)
def test_shapes_and_counts_agree(spec: NetworkSpec) -> None:
    shapes = spec.tensor_shapes()
    assert sum(prod(shape) for name, shape in shapes.items() if name.endswith(".weight")) == spec.parameters
    assert spec.receptive_radius == spec.m + 4
    assert len(spec.layers) == spec.m + 2
    per_body = 2 + (spec.block == "adder") + (spec.activation == "prelu")
    assert len(shapes) == 4 + spec.m * per_body
    outputs = [layer.outputs for layer in spec.layers]
    assert [layer.inputs for layer in spec.layers[1:]] == outputs[:-1]
    assert outputs[-1] == spec.scale**2
    assert [layer.adder for layer in spec.layers] == [False, *[spec.block == "adder"] * spec.m, False]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scale": 1}, "scale"),
        ({"scale": 5}, "scale"),
        ({"scale": "2"}, "scale"),
        ({"m": 0}, "m must"),
        ({"m": 65}, "m must"),
        ({"m": 5.0}, "m must"),
        ({"m": True}, "m must"),
        ({"f": 0}, "f must"),
        ({"f": 257}, "f must"),
        ({"f": None}, "f must"),
        ({"block": "transformer"}, "block"),
        ({"block": ["adder"]}, "block"),
        ({"activation": "gelu"}, "activation"),
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        NetworkSpec(**{"scale": 2, "m": 5, "f": 16, **wrong})


def test_names() -> None:
    assert model_id(NetworkSpec(2, 5, 16)) == "sesr-m5-x2"
    assert model_id(NetworkSpec(4, 11, 16, "adder")) == "addersesr-m11-x4"
    assert model_id(NetworkSpec(3, 11, 32)) == "sesr-xl-x3"
    assert model_id(NetworkSpec(2, 6, 20)) == "sesr-m6f20-x2"
