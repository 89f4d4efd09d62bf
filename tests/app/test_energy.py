"""The three kinds of energy in a real window, with a recorded RAPL tree whose counter runs; the budget; where the numbers come from."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from addersesr_app import numbers_shown
from addersesr_app.app import Application
from addersesr_app.energies import added, labels, total, words
from engine import cost, weights
from engine.events import Energy
from engine.quantise import quantise
from engine.serve.protocol import Network
from tests.windows import SPECS, end_application, make_application, mild, places_in, store_photo, until

METERED = """
import sys, threading, time
from pathlib import Path
from engine.bench import Calibration, machine
from engine.catalogue import Catalogue
from engine.jobs import Tools
from engine.power import RaplMeter
from engine.serve.server import Server
zone = Path(sys.argv[2]) / "class/powercap/intel-rapl:0"
def run_on():
    for count in range(1, 10**9):
        aside = zone / "aside"
        aside.write_text(str(count * 5000))
        aside.replace(zone / "energy_uj")
        time.sleep(0.002)
meter = RaplMeter(Path(sys.argv[2]))
threading.Thread(target=run_on, daemon=True).start()
tools = Tools(Catalogue([Path(sys.argv[1])]), Calibration(machine(), (), 20.0), (meter,), ("no battery",))
Server(tools, sys.stdout.buffer).run(sys.stdin.buffer)
"""


@pytest.fixture
def metered(qapp, qtbot, tmp_path, window_models):
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in {"name": "package-0", "energy_uj": "0", "max_energy_range_uj": "999999999999"}.items():
        (zone / name).write_text(text)
    command = [sys.executable, "-c", METERED, str(window_models), str(tmp_path / "sys")]
    made = Application(qapp, places_in(tmp_path / "home"), "dark", command)
    made.start()
    until(qtbot, lambda: made.upscale_page.network() is not None)
    yield made
    end_application(qapp, made)


@pytest.fixture
def judged(qapp, qtbot, tmp_path, random_model):
    """A window whose networks' cards say how good they are."""
    folder = tmp_path / "models"
    folder.mkdir()
    for identity, figure in (("tiny-x2", 36.0), ("slow-x2", 38.0), ("adder-x2", 37.0)):
        model = mild(random_model(SPECS[identity]), identity)
        weights.write(model.with_about(psnr={"Set5": figure}), folder / f"{identity}.safetensors")
    made = make_application(qapp, tmp_path / "home", folder)
    made.preferences.change("engine", at_once=False)
    made.start()
    until(qtbot, lambda: made.upscale_page.network() is not None)
    yield made
    end_application(qapp, made)


def test_energy_runs_along_and_is_measured_in_the_end(metered, qtbot, tmp_path):
    panel = metered.upscale_page.inspector.energy
    metered.upscale_page.inspector.network.pick("slow-x2")
    metered.open([store_photo(tmp_path / "photo.png", 1600, 1200)])
    until(qtbot, lambda: all("so far" in cell.text() for cell in panel.kinds.values()))
    assert "MP/s" in metered.upscale_page.inspector.status.text()
    until(qtbot, lambda: metered.session.state == "done")
    shown = metered.session.shown
    assert shown.measured_mj > 0
    assert panel.kinds["measured_mj"].text() == numbers_shown.energy(shown.measured_mj)
    assert panel.kinds["estimated_mj"].text() == numbers_shown.energy(20_000 * shown.seconds)
    texts = [text.text() for text in panel.findChildren(QLabel)]
    assert {"arithmetic, 45 nm", "Energy, estimated on this machine", "Energy, measured"} <= set(texts)


def test_the_queue_tells_measured_joules(metered, qtbot, tmp_path):
    metered.open([store_photo(tmp_path / f"{number}.png", 60, 40) for number in range(2)])
    metered.queue.start()
    until(qtbot, lambda: not metered.queue.running)
    for job in metered.queue.model.jobs:
        assert job.energies[0].measured_mj > 0
        assert "measured" in metered.queue.model.describe(job)
        assert "arithmetic" not in metered.queue.model.describe(job)


def test_without_a_meter_it_says_so_and_a_persons_own_figure_counts(judged, qtbot, tmp_path):
    panel = judged.upscale_page.inspector.energy
    judged.open([store_photo(tmp_path / "photo.png", 80, 60)])
    until(qtbot, lambda: panel.cells["time", "this"].text() != "–")
    assert panel.kinds["estimated_mj"].text() == "–"
    assert "power" in panel.kinds["estimated_mj"].toolTip()
    judged.preferences.change("engine", watts=50.0)
    seconds = judged.speeds.predict(judged.upscale_page.network(), 80 * 60)
    assert panel.kinds["estimated_mj"].text() == numbers_shown.energy(50_000 * seconds)


def test_sources_and_constants_are_one_key_away_and_counting_can_be_exact(judged, qtbot, tmp_path):
    judged.open([store_photo(tmp_path / "photo.png", 80, 60)])
    until(qtbot, lambda: judged.session.state == "open")
    judged.window.activateWindow()
    qtbot.waitUntil(judged.window.isActiveWindow)
    qtbot.keyClick(judged.upscale_page.view, Qt.Key.Key_E)
    dialog = judged.upscale_page.costs.dialog
    assert dialog.isVisible()
    said = " ".join(text.text() for text in dialog.findChildren(QLabel))
    for word in ("Horowitz", "3.7 pJ", "0.9 pJ", "0.03 pJ", *labels().values()):
        assert word in said
    lines = cost.table(80, 60, 2)
    assert dialog.table.rowCount() == len(lines)
    published = [dialog.table.item(row, 3).text() for row in range(len(lines))]
    assert published == [numbers_shown.count(line.cost.macs) for line in lines]
    qtbot.mouseClick(dialog.accounting.button("exact"), Qt.MouseButton.LeftButton)
    exact = cost.cost(SPECS["tiny-x2"], 80, 60, accounting="exact")
    assert judged.preferences.settings.look.accounting == "exact"
    assert judged.upscale_page.inspector.energy.cells["additions", "this"].text() == numbers_shown.count(exact.additions)
    assert dialog.plots.macs.isVisible()
    assert dialog.plots.energy.isVisible()
    dialog.accept()


def test_the_best_network_within_a_budget_is_chosen(judged, qtbot, tmp_path):
    judged.open([store_photo(tmp_path / "photo.png", 80, 60)])
    until(qtbot, lambda: judged.session.state == "open")
    panel, network = judged.upscale_page.budget, judged.upscale_page.inspector.network
    panel.limit.setText("1 h")
    qtbot.mouseClick(panel.choose, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: network.card().id == "slow-x2")
    assert "slow-x2" in panel.note.text()
    panel.limit.setText("0.001 ms")
    qtbot.keyClick(panel.limit, Qt.Key.Key_Return)
    assert "No network stays within that. The least is" in panel.note.text()
    panel.limit.setText("5 Wh")
    qtbot.keyClick(panel.limit, Qt.Key.Key_Return)
    assert "not known" in panel.note.text()
    judged.preferences.change("engine", watts=50.0)
    qtbot.keyClick(panel.limit, Qt.Key.Key_Return)
    assert "estimated on this machine" in panel.note.text()
    panel.limit.setText("soon")
    qtbot.keyClick(panel.limit, Qt.Key.Key_Return)
    assert "not a budget" in panel.note.text()


def test_a_budget_weighs_both_precisions_of_a_network(qapp, qtbot, tmp_path, random_model):
    """As the command line does: each form by its own figure and its own time."""
    folder = tmp_path / "models"
    folder.mkdir()
    model = mild(random_model(replace(SPECS["tiny-x2"], activation="relu")), "tiny-x2")
    both = replace(model, int8=quantise(model, [np.random.default_rng(0).random((24, 24), np.float32)]))
    both = both.with_about(psnr={"Set5": 37.0}, int8={"psnr": {"Set5": 36.9}, "cost_db": 0.1})
    weights.write(both, folder / "tiny-x2.safetensors")
    weights.write(mild(random_model(SPECS["slow-x2"]), "slow-x2").with_about(psnr={"Set5": 36.5}), folder / "slow-x2.safetensors")
    window = make_application(qapp, tmp_path / "home", folder)
    window.preferences.change("engine", at_once=False)
    window.start()
    until(qtbot, lambda: window.upscale_page.network() is not None)
    window.open([store_photo(tmp_path / "photo.png", 80, 60)])
    until(qtbot, lambda: window.session.state == "open")
    panel, chosen = window.upscale_page.budget, window.upscale_page.inspector.network
    for model_id, form, seconds in (("tiny-x2", "fp32", 60.0), ("tiny-x2", "int8", 2.0), ("slow-x2", "fp32", 1.0)):
        window.speeds.note(Network(model_id, precision=form), 80 * 60, seconds)
    for limit, form, said in (("2 min", "fp32", "tiny-x2 fp32"), ("5 s", "int8", "tiny-x2 int8")):
        panel.limit.setText(limit)
        qtbot.mouseClick(panel.choose, Qt.MouseButton.LeftButton)
        assert (chosen.card().id, chosen.precision(), window.session.network.precision) == ("tiny-x2", form, form)
        assert panel.note.text().startswith(said)
    end_application(qapp, window)


def test_kinds_are_never_mixed():
    whole = total([Energy(1.0, 10.0, None), Energy(2.0, 20.0, 30.0)])
    assert whole == Energy(3.0, 30.0, None)
    assert words(whole) == "30.0 mJ estimated on this machine"
    assert words(Energy(1.0)) == "1.00 mJ arithmetic, 45 nm"
    assert words(added(Energy(None), Energy(1.0, 2.0, 3.0))) == ""
