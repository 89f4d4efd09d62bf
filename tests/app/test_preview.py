"""Before the run: the visible part is upscaled live, as it will be."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent

from addersesr_app.app import SAMPLE
from engine import images, weights
from engine.backends import choose
from engine.resize import imresize
from engine.upscaler import Upscaler
from tests.windows import SPECS, pixels_of, store_photo, until


@pytest.fixture
def opened(application, qtbot, tmp_path):
    """A window with a picture of which nothing but previews is made."""
    application.preferences.change("engine", at_once=False)
    path = store_photo(tmp_path / "photo.png", 900, 700)
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.open([path])
    until(qtbot, lambda: application.session.patch is not None)
    application.upscale_page.view.set_names("", "")
    return application


def expected(window_models, identity, path):
    model = weights.read(window_models / f"{identity}.safetensors")
    return Upscaler(choose.create(model, "auto")).upscale(images.read(path)).pixels


def look_at(application, qtbot, x, y):
    """Go to a place of the result at 1:1 and wait until its preview covers what is seen."""
    view = application.upscale_page.view
    view.zoom_to(1.0)
    viewport = view.viewport
    view.pan((viewport.x - x), (viewport.y - y))
    scale = application.session.card.scale

    def covered():
        region, patch = view.visible_region(scale), application.session.patch
        if patch is None or patch.scale != scale or patch.left.width() != patch.region.width * scale:
            return False
        inside = patch.region.x <= region.x and patch.region.y <= region.y
        return inside and (
            patch.region.x + patch.region.width >= region.x + region.width
            and patch.region.y + patch.region.height >= region.y + region.height
        )

    until(qtbot, covered)


def seen(application):
    """What the view shows, and the slice of the result that it should be."""
    view = application.upscale_page.view
    view.set_names("", "")
    shown = pixels_of(view.grab().toImage())
    left, top = (round(value) for value in view.viewport.origin)
    rows = slice(max(-top, 0), min(view.height() - top, view.viewport.height))
    columns = slice(max(-left, 0), min(view.width() - left, view.viewport.width))
    return shown[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left], (rows, columns)


def test_what_is_previewed_is_what_upscale_writes(opened, qtbot, window_models, rng):
    view = opened.upscale_page.view
    opened.upscale_page.bar.mode_wanted.emit("hold")
    pictures = []
    for identity in ("tiny-x2", "other-x3"):
        opened.upscale_page.inspector.network.pick(identity)
        scale, whole = SPECS[identity].scale, expected(window_models, identity, opened.session.path)
        for _ in range(5):
            look_at(opened, qtbot, int(rng.integers(0, 900 * scale)), int(rng.integers(0, 700 * scale)))
            shown, place = seen(opened)
            np.testing.assert_array_equal(shown, whole[place])
        pictures.append(shown)
        assert opened.session.after is None, "the whole was made"
    assert view.viewport.width == 2700
    assert pictures[0].shape != pictures[1].shape or not np.array_equal(*pictures)


def test_the_left_side_is_matlabs_bicubic(opened, qtbot):
    opened.upscale_page.bar.mode_wanted.emit("hold")
    opened.upscale_page.view.set_held(True)
    look_at(opened, qtbot, 700, 500)
    shown, place = seen(opened)
    whole = imresize(images.read(Path(opened.session.path)).pixels, 1400, 1800)
    np.testing.assert_array_equal(shown, whole[place])


@pytest.mark.parametrize("left", ["nearest", "lanczos", "adder-x2"])
def test_the_left_side_can_be_chosen(opened, qtbot, left, window_models):
    bar = opened.upscale_page.bar
    look_at(opened, qtbot, 700, 500)
    before = opened.session.patch
    bar.left.setCurrentIndex(bar.left.findData(left))
    bar.left_wanted.emit(left)
    until(qtbot, lambda: opened.session.patch is not before or bool(opened.upscale_page.banner.text()))
    assert opened.upscale_page.banner.text() == ""
    assert opened.session.patch.left != before.left
    assert opened.session.patch.right == before.right
    assert opened.upscale_page.view.comparison.left_name == bar.left.currentText()


def test_the_difference_is_dark_where_both_are_the_same(opened, qtbot):
    bar = opened.upscale_page.bar
    bar.left_wanted.emit("tiny-x2")
    bar.mode_wanted.emit("heat")
    look_at(opened, qtbot, 700, 500)
    until(qtbot, lambda: opened.session.patch.heat is not None and opened.session.patch.left == opened.session.patch.right)
    assert pixels_of(opened.session.patch.heat).max() <= 16
    bar.left_wanted.emit("nearest")
    until(qtbot, lambda: opened.session.patch.left != opened.session.patch.right)
    assert pixels_of(opened.session.patch.heat).max() > 100


def test_a_large_picture_is_previewed_at_the_screens_size_and_refined_at_rest(opened, qtbot):
    view = opened.upscale_page.view
    view.fit()
    assert view.reduction() >= 2
    until(qtbot, lambda: opened.session.patch.right.width() <= view.width() * 2)
    first = opened.session.patch
    until(qtbot, lambda: opened.session.patch is not first)
    assert opened.session.patch.right.size() == first.right.size()


def test_side_by_side_shows_the_same_place_twice(opened, qtbot):
    view = opened.upscale_page.view
    opened.upscale_page.bar.left_wanted.emit("tiny-x2")
    opened.upscale_page.bar.mode_wanted.emit("side")
    look_at(opened, qtbot, 700, 500)
    until(qtbot, lambda: opened.session.patch.left == opened.session.patch.right)
    view.set_names("", "")
    shown = pixels_of(view.grab().toImage())
    half = (view.width() - 1) // 2
    np.testing.assert_array_equal(shown[:, : half - 1], shown[:, view.width() - half : view.width() - 1])


def test_the_wheel_zooms_at_the_pointer_and_keys_do_the_rest(opened, qtbot):
    view = opened.upscale_page.view
    before = view.viewport.zoom
    where = QPointF(100, 100)
    event = QWheelEvent(
        where,
        view.mapToGlobal(where),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    view.wheelEvent(event)
    assert view.viewport.zoom == pytest.approx(before * 1.25**2)
    opened.window.activateWindow()
    qtbot.waitUntil(opened.window.isActiveWindow)
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_1)
    assert view.viewport.zoom == 1
    x = view.viewport.x
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.viewport.x > x
    qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.comparison.split == pytest.approx(0.52)
    qtbot.keyPress(view, Qt.Key.Key_Space)
    assert view.comparison.held
    qtbot.keyRelease(view, Qt.Key.Key_Space)
    assert not view.comparison.held
    for key, mode in ((Qt.Key.Key_B, "side"), (Qt.Key.Key_H, "hold"), (Qt.Key.Key_X, "heat"), (Qt.Key.Key_D, "split")):
        qtbot.keyClick(view, key)
        assert view.comparison.mode == mode
    qtbot.keyClick(view, Qt.Key.Key_0)
    assert view.viewport.fitted


def test_the_sample_previews_without_being_upscaled(opened, qtbot):
    opened.open([SAMPLE])
    until(qtbot, lambda: opened.session.path == str(SAMPLE) and opened.session.patch is not None)
    assert opened.session.state == "open"


def test_the_loupe_shows_what_is_under_the_pointer_four_times_larger(opened, qtbot):
    opened.upscale_page.bar.mode_wanted.emit("hold")
    look_at(opened, qtbot, 700, 500)
    view = opened.upscale_page.view
    view.set_names("", "")
    plain = pixels_of(view.grab().toImage())
    opened.window.activateWindow()
    qtbot.waitUntil(opened.window.isActiveWindow)
    qtbot.keyClick(view, Qt.Key.Key_L)
    assert opened.upscale_page.bar.loupe.isChecked()
    at = QPoint(view.width() // 3, view.height() // 3)
    qtbot.mouseMove(view, at)
    seen_through = pixels_of(view.grab().toImage())
    for dx, dy in ((0, 0), (10, -7), (-12, 5)):
        pixel = plain[at.y() + dy, at.x() + dx]
        np.testing.assert_array_equal(seen_through[at.y() + 4 * dy + 2, at.x() + 4 * dx + 2], pixel)
    np.testing.assert_array_equal(seen_through[:20], plain[:20])
    qtbot.keyClick(view, Qt.Key.Key_L)
    np.testing.assert_array_equal(pixels_of(view.grab().toImage()), plain)
