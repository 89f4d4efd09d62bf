"""ONNX graphs that other programs can trust: valid, standard, described, the right size, and int8 where it says int8."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest

from engine import integer, quantise, reference_integer
from engine.backends.onnx import OnnxBackend
from engine.errors import ModelError
from engine.export.onnx import INPUT, OUTPUT, graph
from engine.export.onnx_output import blocked_last
from engine.network import NetworkSpec
from tests.networks import random_model

if TYPE_CHECKING:
    from pathlib import Path

    from engine.weights import Model

RELU = NetworkSpec(2, 5, 16, "convolution", "relu")
CONVOLUTIONS = [RELU, NetworkSpec(3, 1, 4, "convolution", "relu"), NetworkSpec(4, 2, 32, "convolution", "relu"), NetworkSpec(2, 5, 16)]
ADDERS = [replace(spec, block="adder") for spec in CONVOLUTIONS]


def with_int8(spec: NetworkSpec) -> Model:
    """A random network with an integer form, calibrated on noise."""
    model = random_model(spec)
    if spec.block == "adder":  # weights where the activations are, or every distance is alike
        model = replace(model, tensors={name: value * (0.1 if "body" in name else 1) for name, value in model.tensors.items()})
    pictures = [np.random.default_rng(seed).random((40, 40), dtype=np.float32) for seed in range(2)]
    tensors = {name: value.astype(np.float32) for name, value in model.tensors.items()}
    model = replace(model, tensors=tensors)
    return replace(model, int8=quantise.quantise(model, pictures))


def optimised(model: onnx.ModelProto, folder: Path) -> Counter[str]:
    """The operators that ONNX Runtime is left with."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)


@pytest.mark.parametrize("block", ["convolution", "adder"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_shape_and_description(block: Any, scale: int) -> None:
    model = graph(random_model(NetworkSpec(scale, 2, 8, block)))
    onnx.checker.check_model(model, full_check=True)
    (entry,), (end,) = model.graph.input, model.graph.output
    assert (entry.name, end.name) == (INPUT, OUTPUT) == ("y", "upscaled")
    sizes = [[d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in (entry, end)]
    assert sizes == [[1, 1, "H", "W"], [1, 1, f"{scale}*H", f"{scale}*W"]]
    assert {opset.domain for opset in model.opset_import} == {""}, "standard operators alone"
    properties = {item.key: item.value for item in model.metadata_props}
    assert properties["id"] == model.graph.name
    assert properties["licence"] == "Apache-2.0"
    assert (properties["spec.block"], properties["spec.scale"], properties["precision"]) == (block, str(scale), "fp32")


def test_the_same_model_gives_the_same_graph() -> None:
    model = random_model(NetworkSpec(2, 2, 8, "adder"))
    assert graph(model).SerializeToString(deterministic=True) == graph(model).SerializeToString(deterministic=True)


def test_prelu_and_relu_stay_in_the_runtimes_blocked_layout(tmp_path: Path) -> None:
    for activation in ("prelu", "relu"):
        operators = optimised(graph(random_model(NetworkSpec(2, 5, 16, "convolution", activation))), tmp_path)
        assert operators["PRelu"] == operators["Relu"] == operators["ReorderInput"] == 0, operators
        assert operators["ReorderOutput"] <= 1


@pytest.mark.parametrize(("scale", "block"), [(2, 2), (3, 2), (2, 1), (2, 3)])
def test_the_last_layer_for_several_pixels_at_once(scale: int, block: int, rng: np.random.Generator) -> None:
    weight, bias = rng.normal(size=(scale**2, 3, 5, 5)), rng.normal(size=scale**2)
    wide, biases = blocked_last(weight, bias, scale, block)
    x = rng.normal(size=(3, 5 + block - 1, 5 + block - 1))
    by_block = (np.einsum("oiyx,iyx->o", wide, x) + biases).reshape(block, scale, block, scale)
    for row, column in np.ndindex(block, block):
        by_pixel = np.einsum("oiyx,iyx->o", weight, x[:, row : row + 5, column : column + 5]) + bias
        np.testing.assert_allclose(by_block[row, :, column, :].ravel(), by_pixel)


@pytest.mark.parametrize("spec", ADDERS, ids=str)
def test_int8_of_adder_networks_is_the_integer_reference(spec: NetworkSpec, rng: np.random.Generator) -> None:
    model = with_int8(spec)
    backend, form = OnnxBackend(model, "int8"), integer.parse(spec, model.int8, model.id)
    assert backend.precision == "int8"
    for height, width in [(1, 1), (1, 9), (7, 1), (30, 41)]:
        y = rng.random((height, width), dtype=np.float32)
        np.testing.assert_allclose(backend.run(y), reference_integer.run(form, y), rtol=0, atol=1e-5)


@pytest.mark.parametrize("spec", CONVOLUTIONS, ids=str)
def test_int8_of_convolution_networks_is_near_the_integer_reference(spec: NetworkSpec, rng: np.random.Generator) -> None:
    model = with_int8(spec)
    form = integer.parse(spec, model.int8, model.id)
    y = rng.random((30, 41), dtype=np.float32)
    exact = reference_integer.run(form, y)
    identities: tuple[tuple[Any, float], ...] = (("added", 1.25), ("folded", 2.0))
    for identity, most in identities:
        session = onnxruntime.InferenceSession(graph(model, "int8", identity).SerializeToString(), providers=["CPUExecutionProvider"])
        upscaled = session.run(None, {INPUT: y[None, None]})[0][0, 0]
        assert np.sqrt(np.square(255 * (upscaled - exact)).mean()) < most, identity


@pytest.mark.parametrize(("identity", "additions"), [("added", 5), ("folded", 0)])
def test_the_runtime_fuses_every_body_layer(identity: Any, additions: int, tmp_path: Path) -> None:
    operators = optimised(graph(with_int8(RELU), "int8", identity), tmp_path)
    assert (operators["QLinearConv"], operators["QLinearAdd"]) == (RELU.m, additions), operators
    assert operators["Conv"] <= 3


def test_no_int8_form() -> None:
    with pytest.raises(ModelError, match="no int8 form"):
        graph(random_model(RELU), "int8")
