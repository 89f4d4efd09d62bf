"""Everything that the first page offers can be done without a mouse."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from tests.windows import WAIT_MS, store_photo, until

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def active(application, qtbot):
    application.preferences.change("engine", at_once=False)
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.window.activateWindow()
    qtbot.waitUntil(application.window.isActiveWindow)
    return application


def test_a_picture_is_compared_upscaled_and_saved_by_keys_alone(active, qtbot, tmp_path):
    active.open([store_photo(tmp_path / "photo.png", 60, 40)])
    until(qtbot, lambda: active.session.state == "open")
    page = active.upscale_page
    view, network = page.view, page.inspector.network
    before = page.bar.left.currentText()
    qtbot.keyClick(view, Qt.Key.Key_N)
    assert page.bar.left.currentText() != before
    assert active.preferences.settings.look.left == page.bar.left.currentData()
    qtbot.keyClick(view, Qt.Key.Key_M)
    assert network.card().id == "adder-x2"
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert network.card().scale == 3
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert network.card().scale == 2
    qtbot.keyClick(view, Qt.Key.Key_B, CONTROL)
    assert page.budget.limit.hasFocus()
    qtbot.keyClicks(page.budget.limit, "2 min")
    assert page.budget.limit.text() == "2 min", "letters typed there are no keys of the page"
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Return, CONTROL)
    until(qtbot, lambda: active.session.state == "done")
    with qtbot.waitSignal(active.session.saved, timeout=WAIT_MS):
        qtbot.keyClick(view, Qt.Key.Key_S, CONTROL)


def test_the_queue_is_worked_by_keys_alone(active, qtbot, tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    active.open([store_photo(tmp_path / "good.png", 40, 30), tmp_path / "bad.png"])
    until(qtbot, lambda: len(active.queue.model.jobs) == 2)
    page, jobs = active.upscale_page, active.queue.model.jobs
    page.setFocus()
    qtbot.keyClick(page, Qt.Key.Key_R, CONTROL)
    until(qtbot, lambda: not active.queue.running and jobs[1].state == "failed")
    qtbot.keyClick(page, Qt.Key.Key_L, CONTROL)
    assert active.queue_view.list.hasFocus()
    active.queue_view.list.setCurrentIndex(active.queue.model.index(1))
    qtbot.keyClick(active.queue_view.list, Qt.Key.Key_C)
    assert "bad.png" in QGuiApplication.clipboard().text()
    (tmp_path / "bad.png").write_bytes((tmp_path / "good.png").read_bytes())
    qtbot.keyClick(page, Qt.Key.Key_R, CONTROL | SHIFT)
    until(qtbot, lambda: jobs[1].state == "done")
    qtbot.keyClick(page, Qt.Key.Key_Delete, CONTROL | SHIFT)
    assert jobs == []


def test_f1_shows_the_keys(active, qtbot):
    qtbot.keyClick(active.upscale_page, Qt.Key.Key_F1)
    dialog = active.upscale_page.keys
    assert dialog.isVisible()
    texts = [text.text() for text in dialog.findChildren(QLabel)]
    for word in ("Loupe", "Next network", "Best network within…", "Start or pause", "Copy error", "Ctrl+Return", "F1"):
        assert word in texts
    dialog.accept()
