from __future__ import annotations

import pytest

from tests.commands import store_model


@pytest.fixture(scope="session")
def film_model(tmp_path_factory):
    """The file of a small ×2 network."""
    return store_model(tmp_path_factory.mktemp("model") / "small.safetensors")
