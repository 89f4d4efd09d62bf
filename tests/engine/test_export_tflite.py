"""TFLite files, run by the LiteRT interpreter."""

from dataclasses import replace

import numpy as np
import pytest

from engine import quantise, reference_integer
from engine.errors import ModelError
from engine.export import files
from engine.integer import parse
from engine.network import NetworkSpec
from engine.weights import Model

Interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is an extra").Interpreter
torch = pytest.importorskip("torch")
network = pytest.importorskip("training.network")
FakeQuantised = pytest.importorskip("training.quantise").FakeQuantised

RELU = [NetworkSpec(2, 3, 16, activation="relu"), NetworkSpec(3, 1, 8, activation="relu"), NetworkSpec(4, 2, 16, activation="relu")]
PRELU = NetworkSpec(2, 3, 16)
SPECS = [*RELU, PRELU]


def scene(seed, height, width):
    """Soft ramps and hard edges, luma (H, W) float32."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.random((height // 8 + 1, width // 8 + 1)), np.ones((8, 8)))[:height, :width]
    return (0.7 * blocks + 0.3 * np.linspace(0, 1, width)).astype(np.float32)


def lively_model(spec, seed=0):
    """Random weights that change a picture by a few per cent, with an integer form."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in spec.layers:
        weight = rng.standard_normal(layer.weight_shape) / np.sqrt(layer.kernel**2 * layer.inputs)
        if layer.name.startswith("body"):
            weight = 0.5 * weight + np.pad(np.eye(layer.outputs)[:, :, None, None], [(0, 0), (0, 0), (1, 1), (1, 1)])
        if layer.name == "last":
            weight *= 0.1
        tensors[f"{layer.name}.weight"] = weight.astype(np.float32)
        tensors[f"{layer.name}.bias"] = (0.05 * rng.standard_normal(layer.outputs)).astype(np.float32)
        if f"{layer.name}.slope" in spec.tensor_shapes():
            tensors[f"{layer.name}.slope"] = rng.uniform(-0.5, 0.9, layer.outputs).astype(np.float32)
    model = Model("test", spec, tensors)
    return replace(model, int8=quantise.quantise(model, [scene(1, 40, 48), scene(2, 40, 48)]))


def interpret(content, y_hw):
    """The picture that LiteRT makes of luma (H, W)."""
    interpreter = Interpreter(model_content=content, num_threads=2)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], y_hw[None, :, :, None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0, :, :, 0]


def db(picture, reference):
    return -10 * np.log10(np.mean((np.asarray(picture, np.float64) - reference) ** 2))


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("size", [(40, 32), (31, 17)], ids=str)
def test_the_interpreter_does_what_the_integer_form_does(spec, size):
    model, y = lively_model(spec), scene(3, size[1], size[0])
    made = interpret(files.to_bytes(model, "tflite", "int8", size), y)
    expected = reference_integer.run(parse(spec, model.int8, "test"), y)
    change = db(np.kron(y, np.ones((spec.scale, spec.scale))), expected)
    assert made.shape == expected.shape
    assert made.dtype == np.float32
    assert db(made, expected) > max(40, change + 15)
    np.testing.assert_allclose(made * 255, np.round(made * 255), atol=1e-3)


@pytest.mark.parametrize("spec", [SPECS[0], PRELU], ids=["relu", "prelu"])
def test_a_trained_network_scores_as_its_fake_quantised_twin(spec):
    torch.manual_seed(0)
    pairs = [(torch.from_numpy(scene(seed, 64, 80)[None, None]),) for seed in range(4)]
    pairs = [(torch.nn.functional.interpolate(high, scale_factor=0.5, mode="area"), high) for (high,) in pairs]
    trained = _trained(network.build(spec, expansion=32), pairs, 60, 3e-3)
    fake = _trained(FakeQuantised(trained, batches=[low for low, _ in pairs]), pairs, 20, 5e-4).eval()
    content = files.to_bytes(network.collapse_to_model(fake, "test", {}), "tflite", "int8", (40, 32))
    scores = []
    with torch.no_grad():
        for low, high in pairs:
            y, reference = low[0, 0].numpy(), high[0, 0].numpy()
            rounded = np.round(fake(low)[0, 0].clamp(0, 1).numpy() * 255) / 255
            scores.append((db(interpret(content, y), reference), db(rounded, reference)))
    made, expected = np.mean(scores, 0)
    assert expected > 25, "a network that learnt nothing proves nothing"
    assert abs(made - expected) < 0.05


def _trained(module, pairs, steps, rate):
    optimiser = torch.optim.Adam(module.parameters(), lr=rate)
    for step in range(steps):
        low, high = pairs[step % len(pairs)]
        optimiser.zero_grad()
        (module(low) - high).abs().mean().backward()
        optimiser.step()
    return module


def test_the_file_is_for_full_hd_unless_told_otherwise():
    interpreter = Interpreter(model_content=files.to_bytes(lively_model(SPECS[1]), "tflite", "int8"))
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 1080, 1920, 1]
    assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 3240, 5760, 1]


def test_everything_between_the_ends_is_whole_numbers():
    interpreter = Interpreter(model_content=files.to_bytes(lively_model(SPECS[0]), "tflite", "int8", (16, 16)))
    floats = {detail["name"] for detail in interpreter.get_tensor_details() if detail["dtype"] == np.float32}
    assert floats == {"y", "centred", "centred.constant", "upscaled"}
    kernels = [detail for detail in interpreter.get_tensor_details() if detail["name"].endswith(".weight")]
    assert len(kernels) == 5
    assert all(detail["dtype"] == np.int8 for detail in kernels)


def test_what_tflite_cannot_hold_is_refused():
    model = lively_model(SPECS[0])
    with pytest.raises(ModelError, match="int8"):
        files.to_bytes(model, "tflite", "fp32", (16, 16))
    with pytest.raises(ModelError, match="no int8 form"):
        files.to_bytes(replace(model, int8={}), "tflite", "int8", (16, 16))


def test_adder_networks_are_refused(random_model):
    with pytest.raises(ModelError, match="absolute differences"):
        files.to_bytes(random_model(NetworkSpec(2, 1, 16, "adder", "relu"), 0), "tflite", "int8", (16, 16))
