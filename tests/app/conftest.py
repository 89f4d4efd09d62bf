from __future__ import annotations

import pytest

from tests.commands import Command, store_model


@pytest.fixture
def command(tmp_path_factory):
    return Command(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    return store_model(tmp_path_factory.mktemp("model") / "small.safetensors")
