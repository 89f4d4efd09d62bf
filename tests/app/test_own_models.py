"""Models of one's own in a real window: fitted to a picture, imported, renamed, exported, compared, deleted."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from addersesr_app.app import Application
from addersesr_app.views.models_page import ModelsPage
from engine import weights
from tests.windows import SERVE, end_application, places_in, store_photo

WAIT_MS = 90_000


@pytest.fixture
def models(tmp_path, window_models):
    return Path(shutil.copytree(window_models, tmp_path / "own" / "models"))


@pytest.fixture
def application(qapp, tmp_path, models, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    where = replace(places_in(tmp_path), user_models=models)
    made = Application(qapp, where, "light", [sys.executable, "-c", SERVE, str(models)])
    made.start()
    yield made
    end_application(qapp, made)


def until(qtbot, reached):
    qtbot.waitUntil(lambda: bool(reached()), timeout=WAIT_MS)


def listed(application):
    return {card.id: card for card in application._models}


@pytest.mark.usefixtures("needs_torch")
def test_a_network_is_fitted_to_the_open_picture_and_kept(application, qtbot, tmp_path, models):
    application.open([store_photo(tmp_path / "photo.png", 200, 160)])
    until(qtbot, lambda: application.fit is not None and application.fit.begin.isVisible() and application.fit.begin.isEnabled())
    application.fit.minutes = 0.4
    qtbot.mouseClick(application.fit.begin, Qt.MouseButton.LeftButton)
    assert application.fit.progress.isVisible()
    until(qtbot, application.fit.keep.isVisible)
    assert "held out" in application.fit.text.text()
    assert application.fit.text.text().startswith("+")
    qtbot.mouseClick(application.fit.keep, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: application.upscale_page.inspector.network.card().id == "tiny-x2-photo")
    assert weights.read(models / "tiny-x2-photo.safetensors").about["fitted"]["from"] == "tiny-x2"
    assert application.fit.begin.isVisible()


def entry(application, text):
    """The entry of the first job's menu that starts with a text, None where it is not offered."""
    job = application.queue.model.jobs[0]
    return next((action for action in application.queue_view.menu([job]).actions() if action.text().startswith(text)), None)


@pytest.mark.usefixtures("needs_torch")
def test_a_network_is_fitted_to_a_folder_in_the_queue_and_kept(application, qtbot, tmp_path, models):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(5):
        store_photo(folder / f"{number}.png", 120, 96)
    application.open([folder])
    until(qtbot, lambda: application.queue.model.jobs)
    entry(application, "Fit").trigger()
    fit = application.fit
    until(qtbot, fit.progress.isVisible)
    assert not fit.begin.isVisible(), "no picture is open"
    qtbot.mouseClick(fit.cancel, Qt.MouseButton.LeftButton)
    assert not fit.busy
    fit.minutes = 0.4
    entry(application, "Fit").trigger()
    until(qtbot, fit.keep.isVisible)
    assert "scans" in fit.text.text()
    entry(application, "Fit").trigger()
    assert fit.keep.isVisible(), "what waits for a decision is not thrown away"
    qtbot.mouseClick(fit.keep, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: application.upscale_page.inspector.network.card().id == "tiny-x2-scans")
    assert weights.read(models / "tiny-x2-scans.safetensors").about["fitted"]["from"] == "tiny-x2"
    assert application.queue.model.jobs[0].network.model == "tiny-x2-scans", "the folder is to be done with it"
    application.queue.start()
    until(qtbot, lambda: not application.queue.running)
    assert application.queue.model.jobs[0].state == "done"
    shutil.rmtree(folder)
    assert entry(application, "Fit") is None, "there is nothing to fit to any more"


def test_models_are_imported_renamed_exported_compared_and_deleted(application, qtbot, tmp_path, models, random_model):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.window.show_page("models")
    tools = application.window.findChild(ModelsPage).tools
    stray = replace(random_model(weights.read(models / "tiny-x2.safetensors").spec), id="stray")
    weights.write(stray, tmp_path / "stray.safetensors")
    with qtbot.waitSignal(tools.said, timeout=WAIT_MS):
        tools.take_in(tmp_path / "stray.safetensors")
    until(qtbot, lambda: "stray" in listed(application))
    (tmp_path / "bad.safetensors").write_text("no model")
    with qtbot.waitSignal(tools.failed, timeout=WAIT_MS) as failed:
        tools.take_in(tmp_path / "bad.safetensors")
    assert "bad.safetensors" in failed.args[0]
    assert not (models / "bad.safetensors").exists()
    with qtbot.waitSignal(tools.said, timeout=WAIT_MS):
        tools.rename(listed(application)["stray"], "found")
    until(qtbot, lambda: "found" in listed(application) and "stray" not in listed(application))
    assert not (models / "stray.safetensors").exists()
    menu = [action.text() for action in tools.menu(listed(application)["found"], application.window).actions()]
    assert "Rename…" in menu
    assert not any("int8" in text for text in menu), "what the model does not have is not offered"
    tools.compare_wanted.emit("found")
    assert application.window.page == "upscale"
    assert application.upscale_page.bar.left.currentData() == "found"
    tools.delete(listed(application)["found"])
    until(qtbot, lambda: "found" not in listed(application))
