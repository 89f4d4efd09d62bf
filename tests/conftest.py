"""What every test may use. The published test pictures are not part of this repository: tests that need them say so."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

import training  # noqa: F401 - before anything imports torch: it says how torch's threads wait
from engine.weights import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.network import NetworkSpec

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("ADDERSESR_DATA", ROOT.parent / "shared" / "data"))
settings.register_profile("any machine", deadline=None)  # a slow machine is no fault; pytest-timeout ends what hangs
settings.load_profile("any machine")
HAS_TORCH = find_spec("torch") is not None
collect_ignore = [] if HAS_TORCH else ["training"]  # the trainer is nothing without torch; its conftest.py needs it too


def pytest_report_header() -> str | None:
    """A line at the top of the report."""
    return None if HAS_TORCH else "torch is not installed: the trainer's tests are left out"


@pytest.fixture(scope="session")
def needs_torch() -> None:
    """Skips tests that train, where torch is not installed."""
    if not HAS_TORCH:
        pytest.skip("torch is not installed")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with Set5, Set14 and train (ADDERSESR_DATA, or ../shared/data); the test is skipped without it."""
    if not (DATA / "Set5").is_dir():
        pytest.skip(f"no test pictures at {DATA}: set ADDERSESR_DATA")
    return DATA


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator, the same for every test."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def random_model() -> Callable[[NetworkSpec, int], Model]:
    """``random_model(spec, seed)``: seeded random weights of a size that keeps activations lively and outputs inside (0, 1)."""

    def make(spec: NetworkSpec, seed: int = 0) -> Model:
        draw = np.random.default_rng(seed)
        tensors = {}
        for name, shape in spec.tensor_shapes().items():
            kind = name.rsplit(".", 1)[1]
            adder = kind == "weight" and name.startswith("body.") and spec.block == "adder"
            spread = 0.1 if adder else np.sqrt(1 / np.prod(shape[1:])) if kind == "weight" else 0.05
            tensors[name] = (draw.normal(0, spread, shape) + {"slope": 0.25, "multiplier": 0.05}.get(kind, 0)).astype(np.float32)
        tensors["last.weight"] *= np.float32(0.3)
        return Model("random", spec, tensors)

    return make
