"""Small pictures to train on, drawn here, and a small network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.training.drawings import draw, store

if TYPE_CHECKING:
    from pathlib import Path

TINY = {
    "preset": "m3",
    "m": 1,
    "int_features": 4,
    "feature_size": 8,
    "hr_patch": 32,
    "batch_size": 4,
    "steps": 12,
    "log_every": 1,
    "save_every": 4,
    "validate_every": 6,
    "learning_rate": 2e-3,
    "threads": 1,
    "device": "cpu",
}


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Such small networks gain nothing from more, and lose much where the machine is busy."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six training pictures, one of them grey and one with 16 bits."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(4):
        store(folder / f"{number}.png", draw(number))
    store(folder / "deeper" / "grey.png", draw(4)[..., 0])
    store(folder / "deeper" / "deep.png", draw(5).astype(np.uint16) * 257)
    return folder


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two validation pictures."""
    folder = tmp_path_factory.mktemp("held")
    for number in (10, 11):
        store(folder / f"{number}.png", draw(number))
    return folder


@pytest.fixture
def tiny(pictures: Path, held: Path) -> dict[str, object]:
    """Settings of a run that takes a moment."""
    return {**TINY, "data": str(pictures), "val": str(held)}
