"""The right back end is chosen, and where none fits every reason is told."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import reference
from engine.backends import choose
from engine.errors import BackendError
from engine.network import NetworkSpec
from engine.quantise import quantise
from tests.conftest import ROOT
from tests.networks import gentle_model, random_model

if TYPE_CHECKING:
    from engine.weights import Model

MODEL = random_model(NetworkSpec(2, 1, 4))


def with_int8(cost_db: Any) -> Model:
    """A model that has (the looks of) an int8 form, and a card that says what it costs."""
    return replace(MODEL, int8={"some": np.zeros(1, np.int8)}, about={"int8": {"cost_db": cost_db}})


PREAMBLE = """
import sys
sys.modules[{package!r}] = None
from engine.backends import choose
from engine.errors import BackendError
from engine.network import NetworkSpec
from tests.networks import random_model
model = random_model(NetworkSpec(2, 1, 4))
"""


def without(package: str, code: str) -> str:
    """What ``code`` prints in a fresh interpreter where ``package`` cannot be imported."""
    script = PREAMBLE.format(package=package) + code
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["auto", "native", "onnx", "torch"])
def test_what_is_made_upscales(name: str, rng: np.random.Generator) -> None:
    missing = {"native": "halide", "torch": "torch"}.get(name)
    if missing and find_spec(missing) is None:
        pytest.skip(f"{missing} is not installed")
    backend = choose.create(MODEL, name, threads=1)
    assert name in ("auto", backend.name)
    y = rng.random((9, 12), dtype=np.float32)
    np.testing.assert_allclose(backend.run(y), reference.run(MODEL, y), rtol=0, atol=1e-4)


def test_auto_prefers_the_native_engine() -> None:
    expected = "native" if find_spec("halide") else "onnx"
    assert choose.create(MODEL).name == expected


def test_without_halide_auto_is_onnx_runtime() -> None:
    assert without("halide", "print(choose.create(model).name)") == "onnx\n"


def test_without_halide_native_is_refused_with_the_reason() -> None:
    said = without("halide", "try:\n    choose.create(model, 'native')\nexcept BackendError as error:\n    print(error)")
    assert "native back end" in said
    assert "needs the halide package" in said


def test_without_torch_the_message_says_how_to_install_it() -> None:
    said = without("torch", "try:\n    choose.create(model, 'torch')\nexcept BackendError as error:\n    print(error)")
    assert said == "torch is not installed; install it with: pip install '.[train]'\n"


def test_found_without_torch() -> None:
    said = without("torch", "print([(info.name, info.problem) for info in choose.found() if info.problem])")
    assert "torch is not installed; install it with" in said


def test_found() -> None:
    found = choose.found()
    assert [info.name for info in found] == ["native", "onnx", "torch"]
    for info in found:
        assert (info.problem is None) == bool(info.devices)
        if info.problem is None:
            assert info.version
            assert info.devices[0] == "cpu"
    assert next(info for info in found if info.name == "onnx").problem is None


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"backend": "tensorflow"}, "no back end 'tensorflow'; choose one of auto, native, onnx, torch"),
        ({"precision": "fp16"}, "no precision 'fp16'; choose auto, fp32 or int8"),
        ({"precision": "int8"}, "sesr-m1f4-x2 has no int8 form; use --precision fp32"),
        ({"backend": "onnx", "device": "cuda:7"}, "no device 'cuda:7'"),
    ],
)
def test_what_does_not_exist(wanted: dict[str, str], says: str) -> None:
    with pytest.raises(BackendError, match=says):
        choose.create(MODEL, **wanted)


def test_a_device_that_no_back_end_has_tells_of_each() -> None:
    with pytest.raises(BackendError) as caught:
        choose.create(MODEL, device="toaster")
    assert "ONNX Runtime has no device 'toaster'" in str(caught.value)
    assert str(caught.value).count("; ") >= 2


@pytest.mark.parametrize(("cost_db", "allowed"), [(0.05, True), (0.1, True), (-0.01, True), (0.11, False), (None, False), ("low", False)])
def test_int8_is_taken_unasked_only_where_the_card_allows(cost_db: Any, allowed: bool) -> None:
    assert choose.int8_allowed(with_int8(cost_db)) is allowed


def test_int8_is_never_allowed_without_an_int8_form() -> None:
    assert not choose.int8_allowed(replace(MODEL, about={"int8": {"cost_db": 0}}))
    assert not choose.int8_allowed(replace(MODEL, about={"int8": 3}, int8={"some": np.zeros(1, np.int8)}))


@pytest.mark.skipif(find_spec("halide") is None, reason="halide is not installed")
class TestTheCalibrationDecides:
    """What ``auto`` stands for, by what was measured: nanoseconds a pixel of a back end at a precision."""

    @pytest.fixture
    def model(self) -> Model:
        made = gentle_model(NetworkSpec(2, 1, 8, activation="relu"))
        y = np.random.default_rng(0).random((24, 24), np.float32)
        return replace(made, int8=quantise(made, [y]), about={"int8": {"cost_db": 0.0}})

    @pytest.mark.parametrize(
        ("times", "backend", "precision"),
        [
            ({}, "native", "fp32"),
            ({("native", "fp32"): 9.0, ("native", "int8"): 5.0}, "native", "int8"),
            ({("native", "fp32"): 5.0, ("native", "int8"): 9.0}, "native", "fp32"),
            ({("native", "int8"): 5.0}, "native", "fp32"),
            ({("native", "fp32"): 9.0, ("onnx", "fp32"): 5.0}, "onnx", "fp32"),
            ({("native", "fp32"): 9.0, ("native", "int8"): 4.0, ("onnx", "fp32"): 5.0, ("onnx", "int8"): 6.0}, "native", "int8"),
            ({("onnx", "fp32"): 5.0}, "native", "fp32"),
        ],
    )
    def test_the_fastest_that_was_measured(self, model: Model, times: dict[tuple[str, str], float], backend: str, precision: str) -> None:
        made = choose.create(model, measured=lambda spec, *runs: times.get(runs) if spec == model.spec else None)
        assert (made.name, made.precision) == (backend, precision)

    def test_what_is_asked_for_is_taken_whatever_was_measured(self, model: Model) -> None:
        made = choose.create(model, "native", precision="fp32", measured=lambda _, backend, precision: 1.0 if backend == "onnx" else 9.0)
        assert (made.name, made.precision) == ("native", "fp32")
