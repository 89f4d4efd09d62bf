"""The training page in a real window: set up, watched, paused, killed, gone on with, left, found again, put to use."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QElapsedTimer, Qt
from PySide6.QtGui import QGuiApplication

from addersesr_app.app import Application
from addersesr_app.run_client import RunClient
from addersesr_app.run_desk import Runs
from addersesr_app.views.train_compare import differences
from addersesr_app.views.train_page import TrainPage
from addersesr_app.views.train_watch import targets
from engine import images, weights
from engine.backends import choose
from engine.evaluate import evaluate
from engine.network import NetworkSpec
from engine.picture import Picture
from tests.app.training import LONG, PROGRAM, ROOT, TINY, store_pictures, tiny
from tests.commands import photo
from tests.windows import SERVE, end_application, mild, places_in, store_photo
from training import control
from training.folder import RunFolder

WAIT_MS = 90_000
FURTHER = "\n".join(
    f"{name} = {json.dumps(value)}" for name, value in TINY.items() if name in {"m", "int_features", "feature_size", "hr_patch", "threads"}
)


@pytest.fixture
def window(needs_torch, qapp, tmp_path, window_models, monkeypatch):
    """Makes windows over one home, one after the other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    models = Path(shutil.copytree(window_models, tmp_path / "own" / "models"))
    where = replace(places_in(tmp_path), user_models=models)
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
    return store_pictures(tmp_path / "data", 3), store_pictures(tmp_path / "val", 1, 10)


def kill(run):
    contact = run.folder.path / control.FILE
    if run.going and contact.exists():
        os.kill(json.loads(contact.read_text())["pid"], signal.SIGKILL)


def click(qtbot, button):
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def until(qtbot, reached):
    qtbot.waitUntil(lambda: bool(reached()), timeout=WAIT_MS)


def stored_run(folder, count, name="mine", **changes):
    """A run's folder as a trainer that was switched off at its last step leaves it."""
    path = folder / name
    path.mkdir(parents=True)
    RunFolder(path).store(tiny(Path("data"), Path("val"), name, **changes))
    begun = {
        "event": "begun",
        "model": name,
        "step": 0,
        "steps": count,
        "pictures": 3,
        "parameters": 1,
        "device": "cpu",
        "bicubic_db": 30.0,
    }
    losses = np.random.default_rng(0).uniform(0.01, 0.02, count).round(5).tolist()
    energy = {"arithmetic_mj": 1.0, "estimated_mj": 2000.0, "measured_mj": None}
    step = {"event": "step", "steps": count, "rate": 1e-3, "steps_per_second": 5.0, "eta_s": 1.0, "seconds": 1.0, "energy": energy}
    with RunFolder(path).events.open("w") as file:
        file.write(json.dumps(begun) + "\n")
        rest = json.dumps(step)[1:]
        file.writelines(f'{{"step": {number}, "loss": {loss}, {rest}\n' for number, loss in enumerate(losses, 1))
        file.write(json.dumps({"event": "validated", "step": count, "psnr": 31.5, "ssim": 0.9, "best": True}) + "\n")
        file.write(json.dumps({"event": "saved", "step": count - 2, "file": "checkpoints/last.pt"}) + "\n")
    return path


def set_up(qtbot, page, pictures):
    """Go through the three steps as a person does; the run."""
    setup = page.setup
    setup.data.validation.set_path(pictures[1])
    setup.data.sample.set_path(next(pictures[1].iterdir()))
    setup.data.give(pictures[0])
    until(qtbot, lambda: setup.data.ready)
    click(qtbot, setup.next)
    setup.network.presets["m3"].picked.emit("m3")
    assert setup.network.presets["m3"].chosen
    assert not setup.network.presets["m5"].chosen
    click(qtbot, setup.next)
    setup.budget.steps.setValue(LONG)
    setup.budget.batch.setValue(2)
    setup.budget.more.setPlainText(FURTHER + "\nsave_every = 10\nvalidate_every = 20\nlog_every = 1")
    until(qtbot, lambda: setup.budget.step_seconds)
    assert setup.budget.figures["total"].text != "–"
    assert setup.budget.name.text() == "my-sesr-m3-x2"
    click(qtbot, setup.start)
    return page.run


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_from_a_folder_of_pictures_to_a_network_in_use(window, qtbot, tmp_path, pictures):
    first = window()
    page = first.training.page
    until(qtbot, page.setup.isVisible)
    run = set_up(qtbot, page, pictures)
    buttons = page.controls.buttons
    until(qtbot, lambda: run.state == "running" and run.record.saved_step > 0 and len(run.record.shots) > 1)
    assert (run.folder.path / "sample.png").exists()
    until(qtbot, lambda: page.watch.sample.pictures["best"].image.width() > 0 and page.watch.figures["psnr"].text != "–")
    click(qtbot, buttons["pause"])
    until(qtbot, lambda: run.state == "paused" and buttons["resume"].isVisible())
    click(qtbot, buttons["resume"])
    until(qtbot, lambda: run.state == "running")
    kill(run)
    until(qtbot, lambda: run.state == "interrupted" and buttons["go_on"].isVisible())
    assert "killed" in page.controls.sentence.text()
    assert f"step {run.record.saved_step}" in page.controls.sentence.text().replace(",", "")
    click(qtbot, buttons["go_on"])
    until(qtbot, lambda: run.state == "running")
    steps = run.record.step
    first.window.close()
    dialog = first.training.dialog
    assert first.window.isVisible()
    click(qtbot, dialog.finish)
    assert not first.window.isVisible()

    second = window()
    page = second.training.page
    until(qtbot, lambda: page.run is not None and page.run.state == "running" and page.run.record.step > steps)
    click(qtbot, page.controls.buttons["stop"])
    until(qtbot, lambda: page.run.state == "stopped" and page.views.button("result").isEnabled())
    page.show_view("result")
    assert page.result.isEnabled()
    click(qtbot, page.result.use)
    network = second.upscale_page.inspector.network
    until(qtbot, lambda: second.window.page == "upscale" and network.card() is not None and network.card().id == "my-sesr-m3-x2")
    path = store_photo(tmp_path / "photo.png", 40, 30)
    second.open([path])
    until(qtbot, lambda: second.session.state == "done" and second.session.shown.network.model == "my-sesr-m3-x2")
    assert (second.session.after.levels[0].width(), second.session.after.levels[0].height()) == (80, 60)


def test_what_is_left_out_of_the_data_is_shown_with_its_reason(window, qtbot, pictures):
    (pictures[0] / "broken.png").write_text("no picture")
    images.write(Picture(photo(20, 20, 3)), pictures[0] / "small.png")
    shutil.copy(pictures[0] / "0.png", pictures[0] / "copy.png")
    setup = window().training.page.setup
    assert not setup.next.isEnabled()
    setup.data.give(pictures[0])
    until(qtbot, lambda: setup.data.ready)
    report = setup.data.report
    assert [figure.text for figure in report.figures] == ["3", "0", "3"]
    names = {report.files.item(row).text().split("\n")[0]: report.files.item(row).text() for row in range(report.files.count())}
    assert names.keys() == {"broken.png", "small.png", "copy.png"}
    assert "20×20" in names["small.png"]
    assert setup.next.isEnabled()
    setup.data.give(pictures[0] / "nowhere" / "deeper")
    until(qtbot, lambda: "no such folder" in report.verdict.text())
    assert not setup.next.isEnabled()


def test_wrong_settings_are_said_and_cannot_be_started(window, qtbot, pictures):
    setup = window().training.page.setup
    setup.data.give(pictures[0])
    until(qtbot, lambda: setup.data.ready)
    setup.show_step("run")
    setup.budget.more.setPlainText("learning_rat = 1")
    assert "did you mean learning_rate" in setup.budget.complaint.text()
    assert not setup.start.isEnabled()
    setup.budget.more.setPlainText("")
    assert setup.start.isEnabled()
    setup.budget.name.setText("tiny-x2")
    until(qtbot, lambda: not setup.start.isEnabled())
    assert "already" in setup.budget.complaint.text()


def test_without_torch_the_page_says_how_to_add_it(qapp, qtbot, tmp_path):
    from addersesr_app.theme import Theme  # noqa: PLC0415

    there = []
    page = TrainPage(Theme(qapp, "light"), Runs(tmp_path / "runs", PROGRAM, str(ROOT)), tmp_path, lambda: bool(there))
    qtbot.addWidget(page)
    page.show()
    assert page.missing.isVisible()
    click(qtbot, page.missing.copy)
    assert QGuiApplication.clipboard().text() == f'"{sys.executable}" -m pip install "torch>=2.11"'
    there.append(True)
    page.missing.again.emit()
    assert page.setup.isVisible()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_run_whose_computer_was_switched_off_says_so(window, qtbot, tmp_path):
    stored_run(tmp_path / "own" / "runs", 50)
    page = window().training.page
    until(qtbot, lambda: page.run is not None and page.run.state == "interrupted")
    assert "last checkpoint is of step 48, so 2 steps are lost" in page.controls.sentence.text()
    assert page.controls.buttons["go_on"].isVisible()
    assert page.watch.figures["gain"].text == "+1.50 dB"
    assert page.watch.figures["energy"].text == "2.00 J"
    assert [target.text for target in targets(page.run)] == ["bicubic 30.00"]


def test_a_million_points_are_drawn_and_moved_smoothly(window, qtbot, tmp_path):
    stored_run(tmp_path / "own" / "runs", 1_000)
    page = window().training.page
    until(qtbot, lambda: page.run is not None and page.run.record.validations)
    record = page.run.record
    for step, loss in enumerate(np.random.default_rng(0).uniform(0.01, 0.02, 999_000).tolist(), 1001):
        record.at.add(step)
        record.loss.add(loss)
        record.smooth.add(loss)
    page.refresh()
    assert [item.xData.size for item in page.watch.curves.getPlotItem().listDataItems()] == [1_000_000] * 2
    curves, view = page.watch.curves, page.watch.curves.getPlotItem().vb
    clock, times = QElapsedTimer(), []
    for left in range(0, 500_000, 50_000):
        clock.start()
        view.setXRange(left, left + 400_000)
        curves.grab()
        times.append(clock.elapsed())
    assert sorted(times)[5] < 500, times
    assert "at step 400000" in curves.read_at(400_000.2)


def test_runs_are_drawn_over_one_another_and_their_settings_compared(window, qtbot, tmp_path):
    runs = tmp_path / "own" / "runs"
    stored_run(runs, 40)
    stored_run(runs, 60, "other", learning_rate=1e-3, loss="l2")
    page = window().training.page
    until(qtbot, lambda: page.run is not None and all(run.state == "interrupted" for run in page.runs.clients))
    page.show_run(next(run for run in page.runs.clients if run.name == "mine"))
    page.show_view("compare")
    page.compare.boxes["other"].setChecked(True)
    rows = {page.compare.table.item(row, 0).text(): page.compare.table.item(row, 2).text() for row in range(page.compare.table.rowCount())}
    assert rows == {"best PSNR": "31.500 dB", "steps taken": "60", "loss": "l2", "learning_rate": "0.001"}
    page.show_view("watch")
    assert "mine" in page.watch.curves.read_at(50)
    assert "other" in page.watch.curves.read_at(50)


def test_only_settings_that_differ_are_listed(qapp, tmp_path):
    runs = [RunClient(stored_run(tmp_path, 3, name, batch_size=size), PROGRAM, str(ROOT)) for name, size in (("a", 2), ("b", 2), ("c", 4))]
    assert differences(runs[:2]) == []
    assert differences(runs) == [("batch_size", ["2", "2", "4"])]


def test_a_network_is_measured_beside_its_relatives_and_exported(window, qtbot, tmp_path, random_model, pictures):
    path = stored_run(tmp_path / "own" / "runs", 40, m=2, int_features=8)
    model = mild(random_model(NetworkSpec(2, 2, 8), 3), "mine")
    weights.write(model.with_about(collapse_error=2e-6), path / "mine.safetensors")
    with RunFolder(path).events.open("a") as file:
        file.write(json.dumps({"event": "saved", "step": 40, "file": "mine.safetensors"}) + "\n")
    application = window()
    page = application.training.page
    until(qtbot, lambda: application._models and page.run is not None and page.views.button("result").isEnabled())
    page.show_view("result")
    assert page.result.collapse.isVisible()
    assert "0.00051 of 255" in page.result.collapse.text()
    weights.write(model, path / "mine.safetensors")
    page.refresh()
    assert not page.result.collapse.isVisible(), "what was not measured is not claimed"
    page.result.measure_on(str(pictures[1]))
    assert page.result.table.rowCount() == 2, "the model that ships has the same size, and is measured too"
    until(qtbot, lambda: not page.result.trial.going)
    rows = [[page.result.table.item(row, column).text() for column in range(6)] for row in range(2)]
    assert [row[0] for row in rows] == ["mine", "tiny-x2"]
    expected = evaluate(choose.create(model, "auto"), pictures[1], "mine")
    assert rows[0][2] == f"{expected.psnr:.3f} dB"
    assert rows[0][3] == f"{expected.ssim:.4f}"
    assert all(row[4] not in {"", "–"} for row in rows)
    with qtbot.waitSignal(page.result.said, timeout=WAIT_MS):
        page.result.export_to("onnx", "fp32", tmp_path / "mine.onnx")
    assert (tmp_path / "mine.onnx").stat().st_size > 1000
    click(qtbot, page.result.difference)
    upscale = application.upscale_page
    until(qtbot, lambda: upscale.inspector.network.card().id == "mine" and upscale.bar.left.currentData() == "tiny-x2")
    until(qtbot, lambda: application.session.patch is not None and application.session.patch.heat is not None)
    assert application.preferences.settings.look.mode == "heat"


def test_the_sample_is_the_part_that_was_chosen(window, qtbot, tmp_path):
    picture = store_photo(tmp_path / "big.png", 700, 500)
    data = window().training.page.setup.data
    data.choose_sample(picture)
    crop = data.dialog.crop
    qtbot.keyClick(crop, Qt.Key.Key_Left)
    qtbot.keyClick(crop, Qt.Key.Key_Up)
    with qtbot.waitSignal(data.dialog.chosen):
        data.dialog.use.click()
    square = crop.square
    assert (square.width(), square.height()) == (256, 256)
    assert square.left() < 350 - 128
    cut = images.read(Path(data.settings()["sample"])).pixels
    whole = images.read(picture).pixels
    np.testing.assert_array_equal(cut, whole[square.top() : square.top() + 256, square.left() : square.left() + 256])


def test_the_page_loads_neither_torch_nor_what_runs_networks():
    modules = "addersesr_app.training_room, addersesr_app.views.fit_panel"
    script = f"import sys, {modules}; print(*sorted(name for name in sys.modules if '.' not in name))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(ran.stdout.split())
    assert "pyqtgraph" in loaded
    assert not loaded & {"torch", "halide", "onnxruntime", "onnx", "cv2", "safetensors", "av"}
