"""What a run has made, in a real window: measured, looked at, exported, used."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PySide6.QtGui import QImage

from engine import weights
from engine.backends import choose
from engine.evaluate import evaluate
from engine.network import NetworkSpec
from engine.quantise import quantise
from tests.app.training import WAIT_MS, click, stored_run, until
from tests.commands import photo
from tests.windows import mild, store_photo
from training.folder import RunFolder


@pytest.fixture
def model(random_model):
    """A network as training for 8 bits leaves it: with both forms, and what collapsing changed."""
    made = mild(random_model(NetworkSpec(2, 1, 8, activation="relu"), 3), "mine")
    luma = photo(64, 64)[..., 0].astype(np.float32) / 255
    return replace(made, int8=quantise(made, [luma])).with_about(collapse_error=2e-6)


@pytest.fixture
def opened(window, qtbot, tmp_path, model):
    """A window that shows what a stopped run has made."""
    path = stored_run(tmp_path / "own" / "runs", 40, m=1, int_features=8, quant_W=True, quant_A=True)
    weights.write(model, path / "mine.safetensors")
    with RunFolder(path).events.open("a") as file:
        file.write(json.dumps({"event": "saved", "step": 40, "file": "mine.safetensors"}) + "\n")
    application = window()
    page = application.training.page
    until(qtbot, lambda: application._models and page.run is not None and page.views.button("result").isEnabled())
    page.show_view("result")
    return application


def rows(table):
    return [[table.item(row, column).text() for column in range(table.columnCount())] for row in range(table.rowCount())]


def seconds(text):
    value, unit = text.split()
    return float(value) * {"ms": 1e-3, "s": 1.0, "µs": 1e-6}[unit]


def test_float_int8_and_adder_are_measured_and_seen_side_by_side(opened, qtbot, pictures, model):
    measured = opened.training.page.result.measured
    assert not measured.side.isVisible()
    measured.measure_on(str(pictures[0]))
    until(qtbot, lambda: not measured.trial.going)
    lines = rows(measured.table)
    assert [line[:3] for line in lines] == [
        ["mine", "fp32", "convolution"],
        ["mine", "int8", "convolution"],
        ["adder-x2", "fp32", "adder"],
        ["tiny-x2", "fp32", "convolution"],
        ["slow-x2", "fp32", "convolution"],
        ["Bicubic", "fp32", "–"],
    ]
    for line, precision in zip(lines[:2], ("fp32", "int8"), strict=True):
        expected = evaluate(choose.create(model, "auto", "auto", precision), pictures[0], "mine")
        assert line[3:5] == [f"{expected.psnr:.3f} dB", f"{expected.ssim:.4f}"]
    assert all(line[5] != "–" for line in lines)
    slow, small = (next(line[5] for line in lines if line[0] == name) for name in ("slow-x2", "mine"))
    assert seconds(slow) > 2 * seconds(small), "each network's own time"
    assert len({line[6] for line in lines[:5]}) == 5, "each network's own energy"
    side = measured.side
    assert side.isVisible()
    assert [caption._whole for caption in side.captions] == ["Original", "mine, fp32", "mine, int8", "adder-x2, fp32", "tiny-x2, fp32"]
    assert side.slider.maximum() == 2
    whole = QImage(str(pictures[0] / "0.png"))
    assert side.pictures[0].image.size() == whole.size()
    seen = side.pictures[3].image
    assert seen != side.pictures[1].image, "the adder network's own picture"
    assert not side.differences[2].image.allGray(), "a heat map"
    side.slider.setValue(1)
    assert side.pictures[3].image != seen, "another picture"
    crops = measured.trial.crops(0)
    opened.training.page.show_setup()
    opened.training.close()
    assert not crops.exists(), "what was made to be looked at goes with the window"


def test_what_collapsing_changed_is_said_where_it_was_measured(opened, model):
    page = opened.training.page
    assert page.result.measured.collapse.isVisible()
    assert "0.00051 of 255" in page.result.measured.collapse.text()
    weights.write(replace(model, about={}), page.run.model_file)
    page.refresh()
    assert not page.result.measured.collapse.isVisible(), "what was not measured is not claimed"


def test_a_network_is_exported_in_every_format(opened, qtbot, tmp_path):
    result = opened.training.page.result
    offered = {result.format.itemText(place): result.format.itemData(place) for place in range(result.format.count())}
    assert list(offered) == ["ONNX", "ONNX, int8", "TFLite, int8", "Safetensors"]
    files = {}
    for form, precision, ending in offered.values():
        files[form, precision] = tmp_path / f"out{ending}"
        with qtbot.waitSignal(result.said, timeout=WAIT_MS):
            result.export_to(form, precision, tmp_path / f"out{ending}")
    for precision in ("fp32", "int8"):
        onnx.checker.check_model(onnx.load(files["onnx", precision]))
    assert files["tflite", "int8"].read_bytes()[4:8] == b"TFL3"
    assert weights.read(files["safetensors", "fp32"]).precisions == ("fp32", "int8")


def test_the_difference_is_shown_on_the_upscale_page(opened, qtbot):
    click(qtbot, opened.training.page.result.difference)
    upscale = opened.upscale_page
    until(qtbot, lambda: upscale.inspector.network.card().id == "mine" and upscale.bar.left.currentData() == "adder-x2")
    until(qtbot, lambda: opened.session.patch is not None and opened.session.patch.heat is not None)
    assert opened.preferences.settings.look.mode == "heat"


def test_a_network_is_used_at_once(opened, qtbot, tmp_path):
    click(qtbot, opened.training.page.result.use)
    network = opened.upscale_page.inspector.network
    until(qtbot, lambda: opened.window.page == "upscale" and network.card() is not None and network.card().id == "mine")
    opened.open([store_photo(tmp_path / "photo.png", 40, 30)])
    until(qtbot, lambda: opened.session.state == "done" and opened.session.shown.network.model == "mine")
    assert (opened.session.after.levels[0].width(), opened.session.after.levels[0].height()) == (80, 60)
