"""The training page in a real window: set up, watched, paused, killed, gone on with, left, found again, put to use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from addersesr_app.run_desk import Runs
from addersesr_app.views.train_page import TrainPage
from engine import weights
from engine.network import NetworkSpec
from tests.app.training import LONG, PROGRAM, ROOT, TINY, click, kill, tiny, until
from tests.networks import random_model
from tests.windows import store_photo
from training import control
from training.folder import read_events

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
    assert all(figure.text != "–" for figure in setup.budget.figures.values()), "a step's time, the whole's, and memory"
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
    assert "steps of 2 patches of 16×16" in network.card().training, "its card says how it was trained"
    path = store_photo(tmp_path / "photo.png", 40, 30)
    second.open([path])
    until(qtbot, lambda: second.session.state == "done" and second.session.shown.network.model == "my-sesr-m3-x2")
    assert (second.session.after.levels[0].width(), second.session.after.levels[0].height()) == (80, 60)


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


def test_the_page_loads_neither_torch_nor_what_runs_networks():
    modules = "addersesr_app.training_room, addersesr_app.views.fit_panel"
    script = f"import sys, {modules}; print(*sorted(name for name in sys.modules if '.' not in name))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(ran.stdout.split())
    assert "pyqtgraph" in loaded
    assert not loaded & {"torch", "halide", "onnxruntime", "onnx", "cv2", "safetensors", "av"}


WINDOW = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from addersesr_app.app import Application
from addersesr_app.places import Places
from training.folder import RunFolder
from training.settings import resolve
import tomllib

home = Path(sys.argv[1])
app = QApplication(sys.argv[:1])
none = home / "none"
places = Places(none, home / "own" / "models", none, home / "queue.jsonl", none, home / "settings.toml")
application = Application(app, places)
application.start([], "train")
run = application.training.runs.add(resolve(tomllib.loads(sys.argv[2])))
run.told.connect(lambda: run.record.saved_step and print("saved", flush=True))
app.exec()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_window_leaves_its_run_alone_and_the_next_one_finds_it(window, qtbot, tmp_path, pictures):
    settings = tiny(*pictures, steps=LONG)
    words = [sys.executable, "-c", WINDOW, str(tmp_path), settings.to_toml()]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "saved\n"
        first.kill()
    page = window().training.page
    until(qtbot, lambda: page.run is not None and page.run.state == "running")
    step = page.run.record.step
    until(qtbot, lambda: page.run.record.step > step)
    told = [event["step"] for event in read_events(page.run.folder) if event["event"] == "step"]
    assert told == list(range(1, len(told) + 1)), "not one step is lost"
    click(qtbot, page.controls.buttons["stop"])
    until(qtbot, lambda: page.run.state == "stopped")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_closing_window_may_stay_or_stop_its_run(window, qtbot, pictures):
    application = window()
    run = application.training.runs.add(tiny(*pictures, steps=LONG))
    until(qtbot, lambda: run.state == "running" and run.record.saved_step > 0)
    application.window.close()
    click(qtbot, application.training.dialog.stay)
    assert application.window.isVisible()
    assert run.state == "running"
    application.window.close()
    assert run.name in application.training.dialog.findChildren(QLabel)[1].text()
    click(qtbot, application.training.dialog.stop)
    assert not application.window.isVisible()
    page = window().training.page
    until(qtbot, lambda: page.runs.clients[0].state == "stopped")
    assert page.runs.clients[0].model_file is not None, "what it has learnt is kept"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_runs_queue_and_are_started_in_turn_or_at_once(window, qtbot, pictures):
    page = window().training.page
    runs = [page.runs.add(tiny(*pictures, name, steps=LONG)) for name in ("one", "two", "three")]
    assert [run.state for run in runs] == ["starting", "queued", "queued"]
    assert [page.list.cards[run.name]._state.text() for run in runs] == ["starting", "waiting", "waiting"]
    page.show_run(runs[1])
    assert "Waits" in page.controls.sentence.text()
    page.show_run(runs[0])
    click(qtbot, page.controls.buttons["cancel"])
    until(qtbot, lambda: runs[1].state == "running")
    assert (runs[0].state, runs[2].state) == ("interrupted", "queued")
    assert "before its first step" in page.controls.sentence.text()
    page.show_run(runs[2])
    click(qtbot, page.controls.buttons["start"])
    until(qtbot, lambda: runs[2].state == "running" and runs[2].record.step)
    assert runs[1].state == "running", "out of its turn, beside the other"
    for run in runs[1:]:
        page.show_run(run)
        click(qtbot, page.controls.buttons["stop"])
        until(qtbot, lambda run=run: run.state == "stopped")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_paused_run_uses_no_processor_and_its_end_can_be_moved(window, qtbot, pictures):
    page = window().training.page
    run = page.runs.add(tiny(*pictures, steps=LONG))
    page.show_run(run)
    until(qtbot, lambda: run.state == "running" and run.record.saved_step > 0)
    click(qtbot, page.controls.buttons["pause"])
    until(qtbot, lambda: run.state == "paused")
    stat = Path(f"/proc/{json.loads((run.folder.path / control.FILE).read_text())['pid']}/stat")
    used, looks = processor_ticks(stat), run._looks
    until(qtbot, lambda: run._looks >= looks + 6)
    assert processor_ticks(stat) - used <= 3, "hundredths of a second, for the answers that it gives"
    click(qtbot, page.controls.buttons["change"])
    extend = page.controls.extend
    extend.steps.setValue(run.record.step + 12)
    extend.rate.setValue(7)
    click(qtbot, extend.apply)
    assert not extend.isVisible()
    click(qtbot, page.controls.buttons["resume"])
    until(qtbot, lambda: run.state == "done")
    assert run.settings.learning_rate == pytest.approx(7e-4)
    end = run.record.step
    click(qtbot, page.controls.buttons["change"])
    extend.steps.setValue(end + 8)
    click(qtbot, extend.apply)
    until(qtbot, lambda: run.state == "done" and run.record.step == end + 8)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_adder_network_that_imitates_obeys_before_its_first_step(window, qtbot, tmp_path, pictures):
    weights.write(random_model(NetworkSpec(2, 1, 4)), tmp_path / "twin.safetensors")
    page = window().training.page
    given = {"linear_block_type": "collapsed_adder", "start": str(tmp_path / "twin.safetensors"), "imitate": LONG}
    run = page.runs.add(tiny(*pictures, steps=LONG, **given))
    page.show_run(run)
    until(qtbot, lambda: f"of {LONG:,}" in page.controls.sentence.text())
    assert "adder layers learn" in page.controls.sentence.text()
    click(qtbot, page.controls.buttons["pause"])
    until(qtbot, lambda: run.state == "paused")
    done = run.record.imitated
    click(qtbot, page.controls.buttons["resume"])
    until(qtbot, lambda: run.state == "running" and run.record.imitated > done)
    click(qtbot, page.controls.buttons["stop"])
    until(qtbot, lambda: run.state == "stopped" and run.model_file is not None)


def test_an_adder_network_says_that_its_layers_are_still_turning(window, qtbot, pictures):
    page = window().training.page
    run = page.runs.add(tiny(*pictures, steps=LONG, linear_block_type="collapsed_adder"))
    page.show_run(run)
    until(qtbot, lambda: run.record.step > 0 and "turning from convolutions" in page.controls.sentence.text())
    assert f"{round(0.8 * LONG):,}" in page.controls.sentence.text()
    click(qtbot, page.controls.buttons["stop"])
    until(qtbot, lambda: run.state == "stopped")


def processor_ticks(stat):
    """User and system time of a process, in hundredths of a second."""
    return sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13]))
