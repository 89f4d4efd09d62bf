from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from addersesr_app.app import Application
from tests.app.training import kill, store_pictures
from tests.commands import Command, store_model
from tests.windows import SERVE, end_application, make_application, places_in, store_models

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


@pytest.fixture
def window(needs_torch, qapp, tmp_path, window_models, monkeypatch):
    """Makes windows over one home, one after the other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of torch, which takes far longer with more on a busy machine
    models = Path(shutil.copytree(window_models, tmp_path / "own" / "models"))
    where = places_in(tmp_path)._replace(user_models=models)
    made = []

    def make():
        application = Application(qapp, where, "dark", [sys.executable, "-c", SERVE, str(models)])
        made.append(application)
        application.start([], "train")
        return application

    yield make
    for application in made:
        for run in application.training.runs.clients:
            kill(run)
            run.queue(wait=False)
        application.training.close()
        application.training.runs.rescan()
        end_application(qapp, application)


@pytest.fixture
def pictures(tmp_path):
    """Folders with pictures to train on, and to validate on."""
    return store_pictures(tmp_path / "data", 3), store_pictures(tmp_path / "val", 1, 10)


@pytest.fixture
def own_models(tmp_path, window_models):
    """A user's folder of models."""
    return Path(shutil.copytree(window_models, tmp_path / "own" / "models"))


@pytest.fixture
def own_application(qapp, tmp_path, own_models, monkeypatch):
    """A window whose models are all the user's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of torch, which takes far longer with more on a busy machine
    where = places_in(tmp_path)._replace(user_models=own_models)
    made = Application(qapp, where, "light", [sys.executable, "-c", SERVE, str(own_models)])
    made.start()
    yield made
    end_application(qapp, made)
