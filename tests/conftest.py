"""What every test may use. The published test pictures are not part of this repository: tests that need them say so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("ADDERSESR_DATA", ROOT.parent / "shared" / "data"))


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
