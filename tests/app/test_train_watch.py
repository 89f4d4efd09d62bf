"""A run being watched in a real window: its curves, its sample, what it is compared with, what it is told to do."""

import os

import numpy as np
import pytest
from PySide6.QtCore import QElapsedTimer

from addersesr_app.run_client import RunClient
from addersesr_app.views.train_compare import differences
from addersesr_app.views.train_watch import targets
from tests.app.training import PROGRAM, ROOT, stored_run, until


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
