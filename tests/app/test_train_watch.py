"""A run being watched in a real window: its curves, its sample, what it is compared with, what it is told to do."""

import json
import os

import numpy as np
import pytest
from PySide6.QtCore import QElapsedTimer, QEvent, Qt

from addersesr_app.run_client import RunClient
from addersesr_app.views.train_compare import differences
from addersesr_app.views.train_curves import PlainAxis
from addersesr_app.views.train_watch import targets
from engine import images
from engine.picture import Picture
from tests.app.training import PROGRAM, ROOT, stored_run, until
from training.folder import RunFolder


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
    loss = np.random.default_rng(0).uniform(0.01, 0.02, 999_000)
    record.at.add(np.arange(1001, 1_000_001))
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


def with_samples(path, steps):
    """Give a stored run its samples: each a shade of its own, the middle one the best."""
    run = RunFolder(path)
    (path / "samples").mkdir()
    shades = {"original": 10, "bicubic": 20} | {f"step-{step:08d}": 100 + step for step in steps}
    for name, shade in shades.items():
        images.write(Picture(np.full((64, 64), shade, np.uint8)), run.sample(name))
    best = steps[len(steps) // 2]
    with run.events.open("a") as file:
        for step in steps:
            psnr = 33.0 if step == best else 32.0
            file.write(json.dumps({"event": "validated", "step": step, "psnr": psnr, "ssim": 0.9, "best": step <= best}) + "\n")
            file.write(json.dumps({"event": "sample", "step": step, "file": f"samples/step-{step:08d}.png"}) + "\n")
    return path


def test_the_sample_is_scrubbed_through_time(window, qtbot, tmp_path):
    with_samples(stored_run(tmp_path / "own" / "runs", 50), [10, 20, 30, 40, 50])
    page = window().training.page
    until(qtbot, lambda: page.run is not None and len(page.run.record.shots) == 5)
    page.refresh()
    sample = page.watch.sample

    def shades():
        return {name: sample.pictures[name].image.pixelColor(3, 3).red() for name in sample.pictures}

    assert shades() == {"original": 10, "bicubic": 20, "step": 150, "best": 130}
    qtbot.keyClick(sample.slider, Qt.Key.Key_Home)
    assert shades()["step"] == 110
    assert sample.captions["step"].text() == "Step 10: 32.00 dB"
    qtbot.keyClick(sample.slider, Qt.Key.Key_Right)
    assert shades() == {"original": 10, "bicubic": 20, "step": 120, "best": 130}
    with RunFolder(page.run.folder.path).events.open("a") as file:
        file.write(json.dumps({"event": "sample", "step": 50, "file": "samples/step-00000050.png"}) + "\n")
    until(qtbot, lambda: sample.slider.maximum() == 5)
    assert shades()["step"] == 120, "who looks back is left where he looks"


@pytest.mark.parametrize(
    ("val", "texts"),
    [
        ("Set14/x2", ["bicubic 30.00", "M5 on Set14, published 32.84"]),
        ("mine", ["bicubic 30.00", "M5: +2.60 over bicubic, as published on Set14"]),
    ],
)
def test_published_targets_are_drawn(window, qtbot, tmp_path, val, texts):
    stored_run(tmp_path / "own" / "runs", 50, m=5, int_features=16, val=str(tmp_path / val))
    page = window().training.page
    until(qtbot, lambda: page.run is not None and page.run.record.validations)
    page.refresh()
    assert [line.label.format for line in page.watch.psnr._lines] == texts
    heights = [line.value() for line in page.watch.psnr._lines]
    assert heights == [30.0, 32.84] if val != "mine" else heights == [30.0, pytest.approx(32.6)]


def test_a_logarithmic_axis_names_some_ticks_but_not_too_many(qapp):
    axis = PlainAxis("left")
    decades = np.log10([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.2])
    assert [name for name in axis.logTickStrings(decades, 1, 1) if name] == ["0.01", "0.02", "0.05", "0.1", "0.2"]
    assert axis.logTickStrings(np.log10([6, 7, 8, 9]), 1, 1) == ["6", "7", "8", "9"]


def test_curves_are_shown_raw_or_smoothed_on_either_scale_and_zoomed(window, qtbot, tmp_path):
    stored_run(tmp_path / "own" / "runs", 300, loss="l1")
    stored_run(tmp_path / "own" / "runs", 30, "other", loss="psnr")
    page = window().training.page
    until(qtbot, lambda: all(run.record.validations for run in page.runs.clients))
    runs = {run.name: run for run in page.runs.clients}
    page.show_run(runs["other"])
    assert not page.watch.log.isChecked(), "a loss that is a logarithm needs no such scale"
    page.show_run(runs["mine"])
    watch = page.watch
    plot = watch.curves.getPlotItem()
    assert len(plot.listDataItems()) == 2
    watch.raw.click()
    (smooth,) = plot.listDataItems()
    assert np.ptp(smooth.yData) < np.ptp(page.run.record.loss.values)
    assert plot.getAxis("left").logMode
    watch.log.click()
    assert not plot.getAxis("left").logMode
    plot.vb.setXRange(100, 120)
    watch.curves.mouseDoubleClickEvent(QEvent(QEvent.Type.None_))
    watch.curves.grab()  # painted as it would be on a screen
    watch.curves.grab()
    assert plot.vb.viewRange()[0][1] >= 300
    for kind, values in (("rate", page.run.record.rate), ("speed", page.run.record.speed)):
        watch.kind.button(kind).click()
        (item,) = plot.listDataItems()
        np.testing.assert_array_equal(item.yData, values.values)
    assert "5 at step 150" in watch.curves.read_at(150)
