"""The training page in a real window: set up, watched, paused, killed, gone on with, left, found again, put to use."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from addersesr_app.run_desk import Runs
from addersesr_app.views.train_page import TrainPage
from engine import images
from engine.picture import Picture
from tests.app.training import LONG, PROGRAM, ROOT, TINY, click, kill, until
from tests.commands import photo
from tests.windows import store_photo

FURTHER = "\n".join(
    f"{name} = {json.dumps(value)}" for name, value in TINY.items() if name in {"m", "int_features", "feature_size", "hr_patch", "threads"}
)


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
