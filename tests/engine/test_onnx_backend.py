"""ONNX Runtime gives what the reference gives."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from engine import reference
from engine.backends.onnx import OnnxBackend, devices
from engine.errors import BackendError, ModelError
from engine.network import NetworkSpec
from tests.conftest import ROOT
from tests.networks import random_model

TOLERANCE = 1e-4
SIZES = [(1, 1), (1, 7), (9, 1), (2, 2), (13, 21), (24, 32)]
SPECS = [
    NetworkSpec(scale, m, f, block, activation)
    for block in ("convolution", "adder")
    for scale, m, f, activation in [(2, 5, 16, "prelu"), (3, 1, 4, "relu"), (4, 2, 3, "prelu"), (2, 2, 32, "relu")]
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_gives_what_the_reference_gives(spec: NetworkSpec, rng: np.random.Generator) -> None:
    model = random_model(spec)
    backend = OnnxBackend(model, threads=1)
    assert (backend.name, backend.device, backend.precision, backend.spec) == ("onnx", "cpu", "fp32", spec)
    for height, width in SIZES:
        y = rng.random((height, width), dtype=np.float32)
        upscaled = backend.run(y)
        assert upscaled.dtype == np.float32
        assert upscaled.shape == (height * spec.scale, width * spec.scale)
        np.testing.assert_allclose(upscaled, reference.run(model, y), rtol=0, atol=TOLERANCE)


def test_an_adder_layer_over_many_runs_of_pixels(rng: np.random.Generator) -> None:
    model = random_model(NetworkSpec(2, 1, 16, "adder"))
    y = rng.random((131, 97), dtype=np.float32)  # three runs and a part of a fourth
    np.testing.assert_allclose(OnnxBackend(model).run(y), reference.run(model, y), rtol=0, atol=TOLERANCE)


def test_slopes_over_one(rng: np.random.Generator) -> None:
    model = random_model(NetworkSpec(2, 2, 8))
    for name in ("body.0.slope", "body.1.slope"):
        model.tensors[name][:] = np.linspace(-2, 3, 8)
    y = rng.random((8, 11), dtype=np.float32)
    np.testing.assert_allclose(OnnxBackend(model).run(y), reference.run(model, y), rtol=0, atol=TOLERANCE)


def test_far_weights_of_an_adder_layer(rng: np.random.Generator) -> None:
    model = random_model(NetworkSpec(2, 2, 8, "adder"))
    model.tensors["body.0.weight"][:, ::2] *= 40
    y = rng.random((8, 11), dtype=np.float32)
    np.testing.assert_allclose(OnnxBackend(model).run(y), reference.run(model, y), rtol=0, atol=TOLERANCE)


def test_input_that_is_not_contiguous(rng: np.random.Generator) -> None:
    backend = OnnxBackend(random_model(NetworkSpec(2, 1, 4)))
    y = rng.random((20, 30), dtype=np.float32)
    np.testing.assert_array_equal(backend.run(y[::2, ::3]), backend.run(y[::2, ::3].copy()))


def test_the_cpu_is_always_there() -> None:
    assert devices()[0] == "cpu"


@pytest.mark.parametrize("device", ["cuda:99x", "cpu:1", "toaster", "directml:-1"])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(BackendError, match=r"has no device .* it has cpu"):
        OnnxBackend(random_model(NetworkSpec(2, 1, 4)), device=device)


def test_int8_of_a_model_without() -> None:
    with pytest.raises(ModelError, match="no int8 form"):
        OnnxBackend(random_model(NetworkSpec(2, 1, 4)), "int8")


STARVED = """
import resource
import numpy as np
from engine.backends.onnx import OnnxBackend
from engine.errors import BackendError
from engine.footprint import peak_bytes
from engine.network import NetworkSpec
from tests.networks import random_model
backend = OnnxBackend(random_model(NetworkSpec(2, 2, 64)), threads=1)
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
try:
    backend.run(np.zeros((4000, 4000), np.float32))
except BackendError as error:
    print(error)
print(backend.run(np.zeros((5, 5), np.float32)).shape)
"""


def python(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints; it must not complain."""
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
def test_out_of_memory_is_one_clear_error_and_not_the_end() -> None:
    error, shape = python(STARVED).splitlines()
    assert error.startswith("ONNX Runtime failed on 4000x4000 pixels:")
    assert error.endswith("try smaller tiles")
    assert shape == "(10, 10)"


MEMORY = """
import sys
import numpy as np
from engine.backends.onnx import OnnxBackend
from engine.footprint import peak_bytes
from engine.network import NetworkSpec
from tests.networks import random_model
backend = OnnxBackend(random_model(NetworkSpec(2, 5, 16, sys.argv[1])), threads=2)
before = peak_bytes()
backend.run(np.zeros((360, 640), np.float32))
print(peak_bytes() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is not there")
def test_adder_layers_take_at_most_twice_the_memory_of_convolutions() -> None:
    assert int(python(MEMORY, "adder")) <= 2 * int(python(MEMORY, "convolution"))
