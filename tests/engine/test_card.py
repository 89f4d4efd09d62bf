from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine import card, images, weights
from engine.errors import ModelError
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.quantise import quantise
from engine.resize import imresize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def benchmarks(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A picture pair in each benchmark's folder."""
    for name in ("Set5", "Set14"):
        folder = tmp_path / name / "x2"
        folder.mkdir(parents=True)
        high = imresize(rng.integers(0, 256, (12, 14), dtype=np.uint8), 48, 56)
        images.write(Picture(high), folder / "1_HR.png")
        images.write(Picture(imresize(high, 24, 28)), folder / "1_LR.png")
    return tmp_path


def test_a_card_says_what_was_measured_for_both_precisions(
    benchmarks: Path, random_model: Callable[[NetworkSpec], weights.Model], rng: np.random.Generator
) -> None:
    relu = dataclasses.replace(random_model(NetworkSpec(2, 1, 4, activation="relu")), id="tiny")
    trained = dataclasses.replace(relu, int8=quantise(relu, [rng.random((16, 16), dtype=np.float32)]))
    plain, other = benchmarks / "tiny.safetensors", benchmarks / "trained.safetensors"
    weights.write(relu, plain)
    weights.write(trained, other)
    assert card.main([str(plain), "--data", str(benchmarks), "--int8", str(other)]) == 0
    about = weights.read(plain).about
    assert set(about["psnr"]) == set(about["int8"]["psnr"]) == {"Set5", "Set14"}
    lost = max(about["psnr"][name] - about["int8"]["psnr"][name] for name in about["psnr"])
    assert about["int8"]["cost_db"] == pytest.approx(lost, abs=2e-3)
    assert weights.read(plain).precisions == ("fp32", "int8")


def test_an_int8_form_of_another_network_is_refused(random_model: Callable[[NetworkSpec], weights.Model]) -> None:
    with pytest.raises(ModelError, match="no int8 form"):
        card.with_int8(random_model(NetworkSpec(2, 1, 4)), random_model(NetworkSpec(2, 2, 4)))
