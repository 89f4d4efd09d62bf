"""The strength of a network with a plain twin, on a real window: shown where it applies, live, kept, and in what is made."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from addersesr_app import settings
from engine import images, provenance, strength, weights
from engine.backends import choose
from engine.catalogue import Catalogue
from engine.quantise import quantise
from engine.upscaler import Upscaler
from tests.windows import SPECS, WAIT_MS, end_application, make_application, mild, store_photo, until


@pytest.fixture
def models(tmp_path, random_model):
    """A plain network, what was fine-tuned from it, and one that has no twin."""
    folder = tmp_path / "models"
    folder.mkdir()
    plain = mild(random_model(SPECS["tiny-x2"]), "tiny-x2")
    tuned = replace(
        plain,
        id="tiny-x2-photo",
        about={"title": "tiny-x2-photo"},
        tensors={name: array * np.float32(1.5) for name, array in plain.tensors.items()},
        int8=quantise(plain, [np.random.default_rng(0).random((24, 24), np.float32)]),
    )
    for model in (plain, strength.with_plain(tuned, plain), mild(random_model(SPECS["adder-x2"]), "adder-x2")):
        weights.write(model, folder / f"{model.id}.safetensors")
    return folder


@pytest.fixture
def window(qapp, qtbot, tmp_path, models):
    made = make_application(qapp, tmp_path / "home", models)
    made.preferences.change("engine", at_once=False, suited=False, model="tiny-x2-photo")
    made.start()
    until(qtbot, lambda: made.upscale_page.network() is not None)
    yield made
    end_application(qapp, made)


def row_of(window):
    return window.upscale_page.inspector.network.strength


def made_by(models, source, share):
    """What the network at this strength makes of a picture, without a window."""
    catalogue = Catalogue([models])
    model = strength.at(catalogue.find("tiny-x2-photo"), share, catalogue.models)
    return Upscaler(choose.create(model, "auto")).upscale(images.read(source)).pixels


def test_it_is_shown_only_where_it_applies(window, qtbot):
    row, panel = row_of(window), window.upscale_page.inspector.network
    assert row.isVisible()
    assert "0 %: as tiny-x2 · 100 %: as tiny-x2-photo" in row.toolTip()
    row.set_value(0.5)
    assert window.upscale_page.network().strength == 0.5
    for other in ("tiny-x2", "adder-x2"):
        panel.pick(other)
        assert not row.isVisible()
        assert window.upscale_page.network().strength == 1
    panel.pick("tiny-x2-photo")
    assert row.isVisible()
    assert window.upscale_page.network().strength == 0.5


def test_between_two_networks_there_is_float32_alone_and_what_was_picked_comes_back(window):
    row, panel = row_of(window), window.upscale_page.inspector.network
    panel.precisions.button("int8").click()
    assert window.upscale_page.network().precision == "int8"
    row.set_value(0.5)
    row.moved.emit()
    assert (panel.precisions.value(), panel.precisions.isEnabled()) == ("fp32", False)
    assert "float32" in panel.precisions.toolTip()
    assert window.upscale_page.network().precision == "fp32"
    row.set_value(1.0)
    row.moved.emit()
    assert (panel.precisions.value(), panel.precisions.isEnabled(), panel.precisions.toolTip()) == ("int8", True, "")
    panel.pick("tiny-x2")
    assert window.upscale_page.network().precision == "fp32"
    panel.pick("tiny-x2-photo")
    assert window.upscale_page.network().precision == "int8"


def test_the_preview_follows_the_slider_and_the_result_is_of_that_strength(window, qtbot, tmp_path, models):
    source = store_photo(tmp_path / "photo.png", 120, 90)
    window.open([source])
    until(qtbot, lambda: window.session.patch is not None)
    shown = {}
    for share in (1.0, 0.0, 0.4):
        before = window.session.patch
        row_of(window).slider.setValue(round(20 * share))
        assert window.session.patch is not None, "what is seen stands until the next preview comes"
        if share < 1:
            until(qtbot, lambda before=before: window.session.patch is not before)
        shown[share] = window.session.patch.right
    assert len({image.constBits().tobytes() for image in shown.values()}) == 3
    assert "· 40 %" in window.upscale_page.view.comparison.right_name
    window.session.upscale()
    until(qtbot, lambda: window.session.state == "done")
    with qtbot.waitSignal(window.session.saved, timeout=WAIT_MS):
        window.upscale_page.save()
    result = images.read(tmp_path / "photo_x2.png")
    np.testing.assert_array_equal(result.pixels, made_by(models, source, 0.4))
    made = provenance.recorded(result.metadata)
    assert (made.model, made.strength) == ("tiny-x2-photo", 0.4)


def test_while_it_is_held_only_previews_are_made(window, qtbot, tmp_path):
    window.preferences.change("engine", at_once=True)
    window.open([store_photo(tmp_path / "photo.png", 120, 90)])
    until(qtbot, lambda: window.session.state == "done")
    slider = row_of(window).slider
    handle = QPoint(slider.width() - 8, slider.height() // 2)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=handle)
    qtbot.mouseMove(slider, QPoint(slider.width() // 2, slider.height() // 2))
    assert row_of(window).held
    assert 0.3 < window.session.network.strength < 0.7
    assert window.session.state == "open"
    until(qtbot, lambda: window.session.patch is not None)
    assert window.session.state == "open"
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, slider.height() // 2))
    until(qtbot, lambda: window.session.state == "done")


def test_it_has_keys_and_is_kept_with_settings_and_presets(window, qtbot, tmp_path):
    window.window.activateWindow()
    qtbot.waitUntil(window.window.isActiveWindow)
    window.open([store_photo(tmp_path / "photo.png", 60, 40)])
    until(qtbot, lambda: window.session.state == "open")
    view, presets = window.upscale_page.view, window.upscale_page.inspector.output.presets
    view.setFocus()
    for _ in range(3):
        qtbot.keyClick(view, Qt.Key.Key_BracketLeft)
    qtbot.keyClick(view, Qt.Key.Key_BracketRight)
    assert row_of(window).value() == 0.9
    window.preferences.save()
    assert settings.load(tmp_path / "home" / "settings.toml").engine.strength == 0.9
    presets.names.setEditText("mild")
    presets.keep.click()
    row_of(window).slider.setValue(4)
    presets.names.setCurrentIndex(presets.names.findText("mild"))
    presets.names.activated.emit(presets.names.currentIndex())
    assert row_of(window).value() == 0.9
    assert window.upscale_page.network().strength == window.session.network.strength == 0.9


def test_a_queued_job_keeps_the_strength_it_was_given(window, qtbot, tmp_path, models):
    row_of(window).slider.setValue(6)
    paths = [store_photo(tmp_path / f"{number}.png", 40, 30, number) for number in range(2)]
    window.open(paths)
    until(qtbot, lambda: len(window.queue.model.jobs) == 2)
    row_of(window).slider.setValue(20)
    with qtbot.waitSignal(window.queue.ended, timeout=WAIT_MS):
        window.queue.start()
    assert [job.network.strength for job in window.queue.model.jobs] == [0.3, 0.3]
    for path in paths:
        np.testing.assert_array_equal(images.read(path.with_stem(f"{path.stem}_x2")).pixels, made_by(models, path, 0.3))
