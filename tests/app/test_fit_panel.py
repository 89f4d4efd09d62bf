"""A network fitted to somebody's own pictures and clips, in a real window: begun, watched, kept, discarded."""

import shutil

import pytest
from PySide6.QtCore import Qt

from engine import weights
from tests.app.training import click, until
from tests.clips import store_walk
from tests.windows import store_photo

pytestmark = pytest.mark.usefixtures("needs_torch")
BUDGET = ("--steps", "20")


@pytest.fixture
def application(own_application):
    return own_application


@pytest.fixture
def models(own_models):
    return own_models


def test_a_network_is_fitted_to_the_open_picture_and_kept(application, qtbot, tmp_path, models):
    application.open([store_photo(tmp_path / "photo.png", 200, 160)])
    until(qtbot, lambda: application.fit is not None and application.fit.begin.isVisible() and application.fit.begin.isEnabled())
    application.fit.budget = BUDGET
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
    fit.budget = BUDGET
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


def test_a_fit_is_discarded(application, qtbot, tmp_path, models):
    before = sorted(models.iterdir())
    application.open([store_photo(tmp_path / "photo.png", 200, 160)])
    until(qtbot, lambda: application.fit is not None and application.fit.begin.isVisible() and application.fit.begin.isEnabled())
    fit = application.fit
    fit.budget = BUDGET
    click(qtbot, fit.begin)
    until(qtbot, fit.discard.isVisible)
    made = fit._file
    assert made.is_file()
    click(qtbot, fit.discard)
    assert not made.exists()
    assert sorted(models.iterdir()) == before
    assert application.upscale_page.inspector.network.card().id == "tiny-x2", "the network that was chosen stays"
    assert fit.begin.isVisible(), "and can be fitted again"
    assert not fit.text.isVisible()
    assert not fit.busy


def test_a_network_is_fitted_to_a_clip(application, qtbot, tmp_path, models):
    clip = store_walk(tmp_path / "walk.mkv", 8)
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.queue.add([str(clip)], application.upscale_page.network(), application.upscale_page.inspector.output.rules())
    entry(application, "Fit").trigger()
    fit = application.fit
    fit.stop()
    fit.budget = BUDGET
    entry(application, "Fit").trigger()
    until(qtbot, fit.keep.isVisible)
    assert "walk.mkv" in fit.text.text()
    click(qtbot, fit.keep)
    until(qtbot, lambda: application.queue.model.jobs[0].network.model == "tiny-x2-walk")
    assert (models / "tiny-x2-walk.safetensors").is_file()
