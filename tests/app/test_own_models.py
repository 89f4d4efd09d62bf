"""Models of one's own in a real window: imported, renamed, exported, compared, deleted; every model's card."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtWidgets import QLabel

from addersesr_app.views import plots
from addersesr_app.views.models_page import ModelsPage
from addersesr_app.views.plots import ANCHORS, anchors
from engine import weights
from tests import foreign
from tests.app.training import WAIT_MS, until
from tests.windows import pixels_of, store_photo


@pytest.fixture
def page(own_application, qtbot):
    """The page of models, shown."""
    until(qtbot, lambda: own_application.upscale_page.network() is not None)
    own_application.window.show_page("models")
    return own_application.window.findChild(ModelsPage)


def listed(application):
    return {card.id: card for card in application._models}


def menu_of(page, card):
    """The entries of a model's menu, sub-menus by their names."""
    actions = page.tools.menu(card, page).actions()
    return {action.text(): action.menu() or action for action in actions if action.text()}


def test_models_are_imported_renamed_exported_and_deleted(own_application, page, qtbot, tmp_path, own_models, random_model):
    tools, application, models = page.tools, own_application, own_models
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
    menu = menu_of(page, listed(application)["found"])
    assert {"Rename…", "Delete…", "Export as ONNX…"} <= menu.keys()
    assert not any("int8" in text for text in menu), "what the model does not have is not offered"
    with qtbot.waitSignal(tools.said, timeout=WAIT_MS):
        tools.export_to(listed(application)["found"], "onnx", "fp32", tmp_path / "found.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "found.onnx"))
    tools.delete(listed(application)["found"])
    until(qtbot, lambda: "found" not in listed(application))


def test_somebody_elses_onnx_file_is_imported_and_used(own_application, page, qtbot, tmp_path, own_models):
    foreign.saved(foreign.model(*foreign.nodes(1, 2)), tmp_path / "wrong.onnx")
    with qtbot.waitSignal(page.tools.failed, timeout=WAIT_MS) as failed:
        page.tools.take_in(tmp_path / "wrong.onnx")
    assert "cannot be run" in failed.args[0]
    foreign.saved(foreign.network(), tmp_path / "theirs.onnx")
    with qtbot.waitSignal(page.tools.said, timeout=WAIT_MS):
        page.tools.take_in(tmp_path / "theirs.onnx")
    until(qtbot, lambda: "theirs" in listed(own_application))
    assert (own_models / "theirs.onnx").is_file()
    page.use_wanted.emit("theirs")
    own_application.open([store_photo(tmp_path / "photo.png", 40, 30)])
    until(qtbot, lambda: own_application.session.state == "done" and own_application.session.shown.network.model == "theirs")
    assert (own_application.session.after.levels[0].width(), own_application.session.after.levels[0].height()) == (80, 60)
    page.tools.delete(listed(own_application)["theirs"])
    until(qtbot, lambda: "theirs" not in listed(own_application))


def test_any_two_models_are_compared_on_the_open_picture(own_application, page, qtbot, tmp_path):
    own_application.open([store_photo(tmp_path / "photo.png", 60, 40)])
    until(qtbot, lambda: own_application.session.patch is not None)
    choices = menu_of(page, listed(own_application)["adder-x2"])["Compare with"]
    assert [action.text() for action in choices.actions()] == ["tiny-x2", "other-x3", "slow-x2"]
    next(action for action in choices.actions() if action.text() == "slow-x2").trigger()
    upscale = own_application.upscale_page
    assert own_application.window.page == "upscale"
    assert (upscale.inspector.network.card().id, upscale.bar.left.currentData()) == ("adder-x2", "slow-x2")

    def compared():
        sight, patch = own_application.session._sight, own_application.session.patch
        return sight is not None and sight.left == "slow-x2" and patch is not None and own_application.session.state == "done"

    until(qtbot, compared)
    patch = own_application.session.patch
    assert not np.array_equal(pixels_of(patch.left), pixels_of(patch.right))


def test_a_card_says_what_there_is_to_know(own_application, page, qtbot, own_models):
    model = weights.read(own_models / "tiny-x2.safetensors")
    about = {
        "licence": "CC0-1.0",
        "training": "pictures of mine; 40 steps",
        "psnr": {"Set5": 36.5},
        "summary": "For tests.",
        "title": "Mine",
    }
    weights.write(replace(model, id="mine", about=about), own_models / "mine.safetensors")
    page.tools.changed.emit()
    until(qtbot, lambda: "mine" in listed(own_application))
    card = page._cards[list(listed(own_application)).index("mine")]
    shown = [text.text() for text in card.findChildren(QLabel)]
    for text in ("Mine", "CC0-1.0", "Trained on pictures of mine; 40 steps", "36.50 dB", "For tests.", "2×"):
        assert text in shown
    assert any(text.endswith("J") for text in shown), "its energy"
    until(qtbot, lambda: page.times["mine"].text().split()[-1] in {"ms", "s"})


def test_a_network_for_compressed_pictures_shows_how_it_does_on_such(own_application, page, qtbot, own_models):
    model = weights.read(own_models / "tiny-x2.safetensors")
    psnr = {"30": {"this": 28.02, "tiny-x2": 27.16, "bicubic": 27.47}, "50": {"this": 29.0, "tiny-x2": 28.11, "bicubic": 28.23}}
    about = {"title": "For photos", "psnr": {"Set5": 36.5}, "jpeg": {"set": "Set14", "plain": "tiny-x2", "psnr": psnr}}
    weights.write(replace(model, id="photo", about=about), own_models / "photo.safetensors")
    page.tools.changed.emit()
    until(qtbot, lambda: "photo" in listed(own_application))
    card = page._cards[list(listed(own_application)).index("photo")]
    shown = [text.text() for text in card.findChildren(QLabel)]
    for text in ("PSNR on Set14 through JPEG, dB", "This network", "28.02", "29.00", "28.11", "27.47", "Set5, clean pictures"):
        assert text in shown
    assert [dot.name for dot in page.plots._dots if dot.spoilt] == ["For photos"]
    network = own_application.upscale_page.inspector.network
    network.pick("photo")
    until(qtbot, lambda: any("Set14 through JPEG 30: 28.02 dB" in text.text() for text in network.findChildren(QLabel)))


def test_names_are_placed_for_the_widths_that_plots_end_up_with(own_application, qtbot, monkeypatch):
    rightmost = [0.0]

    def placed(points, sizes, shown):
        rightmost[0] = max(point.x() for point in points)
        return anchors(points, sizes, shown)

    monkeypatch.setattr(plots, "anchors", placed)
    shown = plots.Plots(own_application.theme)
    qtbot.addWidget(shown)
    shown.show_models([], "")
    shown.resize(900, 340)
    shown.show()
    until(qtbot, lambda: rightmost[0] == pytest.approx((shown.energy.width() - plots.AXIS) / 1.28))


def test_names_in_the_plots_keep_off_one_another():
    size, points = QSize(60, 14), [QPointF(100, 100), QPointF(104, 122), QPointF(300, 100)]
    chosen = anchors(points, [size] * 3, QRectF(0, 0, 400, 200))
    assert chosen[0] != ANCHORS[0], "below there is another dot"
    assert chosen[2] == ANCHORS[0], "where there is room the name stands below"
    boxes = []
    for point, anchor in zip(points, chosen, strict=True):
        left, top = point.x() - anchor[0] * 68, point.y() - anchor[1] * 18
        boxes.append((left, top, left + 68, top + 18))
    for number, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_names_in_the_plots_are_not_cut_off():
    size, shown = QSize(90, 14), QRectF(0, 0, 300, 200)
    points = [QPointF(20, 100), QPointF(280, 60), QPointF(150, 196), QPointF(150, 4)]
    for point, anchor in zip(points, anchors(points, [size] * 4, shown), strict=True):
        assert shown.contains(QRectF(point.x() - anchor[0] * 98, point.y() - anchor[1] * 18, 98, 18))
