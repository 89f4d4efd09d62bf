"""Torch gives what the reference gives."""

from __future__ import annotations

import numpy as np
import pytest

from engine import reference
from engine.backends.torch import TorchBackend, devices
from engine.errors import BackendError
from engine.network import NetworkSpec
from tests.networks import random_model

torch = pytest.importorskip("torch")
SIZES = [(1, 1), (1, 7), (9, 1), (13, 21)]
SPECS = [
    NetworkSpec(scale, m, f, block, activation)
    for block in ("convolution", "adder")
    for scale, m, f, activation in [(2, 5, 16, "prelu"), (3, 1, 4, "relu"), (4, 2, 32, "prelu")]
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("device", devices())
def test_gives_what_the_reference_gives(spec: NetworkSpec, device: str, rng: np.random.Generator) -> None:
    model = random_model(spec)
    backend = TorchBackend(model, device=device)
    assert (backend.name, backend.device, backend.precision, backend.spec) == ("torch", device, "fp32", spec)
    for height, width in SIZES:
        y = rng.random((height, width), dtype=np.float32)
        upscaled = backend.run(y)
        assert upscaled.dtype == np.float32
        np.testing.assert_allclose(upscaled, reference.run(model, y), rtol=0, atol=1e-4)


def test_an_adder_layer_in_strips(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.torch.ADDER_BYTES", 4 * 17 * 36 * 3)  # three lines at a time
    model = random_model(NetworkSpec(2, 2, 4, "adder"))
    y = rng.random((10, 17), dtype=np.float32)
    np.testing.assert_allclose(TorchBackend(model, device="cpu").run(y), reference.run(model, y), rtol=0, atol=1e-4)


def test_input_is_left_alone(rng: np.random.Generator) -> None:
    y = rng.random((6, 6), dtype=np.float32)
    y.flags.writeable = False
    backend = TorchBackend(random_model(NetworkSpec(2, 1, 4)), device="cpu")
    np.testing.assert_array_equal(backend.run(y), backend.run(y[::1].copy()))


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(BackendError, match=r"torch has no device 'cuda:99' here; it has cpu"):
        TorchBackend(random_model(NetworkSpec(2, 1, 4)), device="cuda:99")


def test_no_int8() -> None:
    with pytest.raises(BackendError, match="no int8"):
        TorchBackend(random_model(NetworkSpec(2, 1, 4)), "int8")
