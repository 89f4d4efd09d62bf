"""Setting a training up in a real window: its pictures, its network, its length."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel

from addersesr_app import numbers_shown, published
from engine import cost, images, weights
from engine.network import PRESETS, NetworkSpec
from engine.picture import Picture
from tests.app.training import store_pictures, until
from tests.commands import photo
from tests.networks import random_model
from tests.windows import store_photo


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
    until(qtbot, lambda: all(not report.files.item(row).icon().isNull() for row in range(3)))
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


def test_a_dropped_div2k_is_understood(window, qtbot, tmp_path):
    folder = tmp_path / "DIV2K"
    folder.mkdir()
    store_pictures(folder / "DIV2K_train_HR", 3)
    store_pictures(folder / "DIV2K_valid_HR", 2, 20)
    data = window().training.page.setup.data
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(folder))])
    left = Qt.MouseButton.LeftButton
    data.dropEvent(QDropEvent(QPoint(5, 5), Qt.DropAction.CopyAction, dropped, left, Qt.KeyboardModifier.NoModifier))
    until(qtbot, lambda: data.ready)
    assert data.data.path == str(folder)
    assert [figure.text for figure in data.report.figures] == ["3", "2", "0"]
    assert data.report.verdict.text() == "Good to train on."


@pytest.mark.parametrize("scale", [2, 4])
def test_cards_tell_what_a_network_costs_and_reaches(window, scale):
    network = window().training.page.setup.network
    network.scale.button(str(scale)).click()
    for kind, block in (("collapsed", "convolution"), ("collapsed_adder", "adder")):
        network.blocks[kind].picked.emit(kind)
        for preset, card in network.presets.items():
            shown = [text.text() for text in card.findChildren(QLabel) if not text.isHidden()]
            one = cost.cost(NetworkSpec(scale, *PRESETS[preset], block), 640, 360)
            assert f"{numbers_shown.count(one.parameters)} parameters" in shown
            assert numbers_shown.energy(one.energy_mj) in shown
            figure = published.psnr(preset, scale, "Set14")
            assert (f"{figure:.2f} dB published" in shown) if figure else not any("published" in text for text in shown)


def test_a_network_is_chosen_with_its_start(window, qtbot, tmp_path):
    base = replace(random_model(NetworkSpec(2, *PRESETS["m3"])), id="base", about={"title": "My base"})
    application = window()
    weights.write(base, tmp_path / "own" / "models" / "base.safetensors")
    application._use_trained("tiny-x2")
    network = application.training.page.setup.network
    network.presets["m3"].picked.emit("m3")
    until(qtbot, lambda: network.start.findText("My base") >= 0)
    network.start.setCurrentIndex(network.start.findText("My base"))
    network.blocks["collapsed_adder"].picked.emit("collapsed_adder")
    network.quantised.setChecked(True)
    assert network.settings() == {
        "preset": "m3",
        "linear_block_type": "collapsed_adder",
        "scale": 2,
        "quant_W": True,
        "quant_A": True,
        "start": str(tmp_path / "own" / "models" / "base.safetensors"),
    }
    network.presets["m5"].picked.emit("m5")
    assert network.start.findText("My base") < 0, "an adder network cannot grow"
    assert "start" not in network.settings()
    network.quantised.setChecked(False)
    network.blocks["collapsed"].picked.emit("collapsed")
    assert network.start.findText("My base") >= 0, "the larger network grows from it"
    network.quantised.setChecked(True)
    network.blocks["expanded"].picked.emit("expanded")
    assert not network.settings()["quant_W"], "expanded blocks have no kernel to round"


def test_by_the_clock_a_run_has_the_steps_that_there_is_time_for(window, qtbot, pictures):
    setup = window().training.page.setup
    setup.data.give(pictures[0])
    until(qtbot, lambda: setup.data.ready)
    setup.budget.more.setPlainText("m = 1\nint_features = 4\nfeature_size = 8\nhr_patch = 32\nthreads = 1")
    setup.show_step("run")
    setup.budget.kind.button("time").click()
    setup.budget.minutes.setValue(2)
    assert not setup.start.isEnabled(), "not before it is known how long a step takes"
    until(qtbot, lambda: setup.budget.step_seconds and setup.start.isEnabled())
    assert setup.budget.total_steps == round(120 / setup.budget.step_seconds)
    assert setup.budget.settings()["steps"] == setup.budget.total_steps
    assert setup.budget.figures["step"].text == numbers_shown.duration(setup.budget.step_seconds)
    assert setup.budget.figures["total"].text.split()[-1] in {"min", "s"}
    assert setup.budget.figures["memory"].text.endswith("MiB")
    assert [setup.budget.device.itemData(place) for place in range(2)] == ["auto", "cpu"]
