from __future__ import annotations

import os

import pytest

from tests.commands import Command, store_model
from tests.windows import end_application, make_application, store_models

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def command(tmp_path_factory):
    return Command(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    return store_model(tmp_path_factory.mktemp("model") / "small.safetensors")


@pytest.fixture(scope="session")
def window_models(tmp_path_factory, random_model):
    """A folder with small networks of random weights, in the order of `tests.windows.SPECS`."""
    return store_models(tmp_path_factory.mktemp("models"), random_model)


@pytest.fixture
def application(qapp, tmp_path, window_models):
    """A window that is shown, with its engine's process."""
    made = make_application(qapp, tmp_path / "home", window_models)
    made.start()
    yield made
    end_application(qapp, made)
