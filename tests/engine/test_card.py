from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine import card, figures, images, weights
from engine.catalogue import Catalogue
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


def test_a_card_says_how_the_network_does_through_jpeg(benchmarks: Path, random_model: Callable[[NetworkSpec], weights.Model]) -> None:
    files = [benchmarks / f"{name}.safetensors" for name in ("tiny-photo", "tiny")]
    for seed, file in enumerate(files):
        weights.write(dataclasses.replace(random_model(NetworkSpec(2, 1, 4), seed), id=file.stem), file)
    assert card.main([str(files[0]), "--data", str(benchmarks), "--plain", str(files[1])]) == 0
    found = weights.read(files[0]).about["jpeg"]["psnr"]
    assert list(found) == ["30", "50", "70", "90"]
    assert set(found["30"]) == {"this", "tiny", "bicubic"}
    for name in ("this", "tiny", "bicubic"):
        assert found["90"][name] != found["30"][name]
    assert found["90"]["this"] != found["90"]["tiny"] != found["90"]["bicubic"]
    table = figures.markdown(Catalogue([benchmarks]).entries())
    assert "4:2:0 JPEG of quality | 30 | 50 | 70 | 90 |" in table
    assert f"| bicubic | {found['30']['bicubic']:.2f} |" in table


def test_what_8_bits_lose_through_jpeg_counts(
    benchmarks: Path, random_model: Callable[[NetworkSpec], weights.Model], rng: np.random.Generator
) -> None:
    photo, plain = (dataclasses.replace(random_model(NetworkSpec(2, 1, 4), seed), id=name) for seed, name in enumerate(("photo", "tiny")))
    photo = card.measured(dataclasses.replace(photo, int8=quantise(photo, [rng.random((16, 16), dtype=np.float32)])), benchmarks)
    about = card.through_jpeg(photo, plain, benchmarks).about
    lost = max(psnr["this"] - psnr["int8"] for psnr in about["jpeg"]["psnr"].values())
    assert about["int8"]["cost_db"] == pytest.approx(max(photo.about["int8"]["cost_db"], lost), abs=2e-3)
    cheaper = photo.with_about(int8={**photo.about["int8"], "cost_db": -9.0})
    assert card.through_jpeg(cheaper, plain, benchmarks).about["int8"]["cost_db"] == pytest.approx(lost, abs=2e-3)
