"""Which back ends and devices there are is shown on the settings page, and one can be chosen."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QComboBox, QLabel

from addersesr_app.preferences import Preferences
from addersesr_app.settings import Engine, Settings
from addersesr_app.theme import Theme
from addersesr_app.views.settings_page import SettingsPage
from engine.serve.protocol import BackendCard
from tests.windows import WAIT_MS

CARDS = (
    BackendCard("native", True, "21.0.0", ("cpu",), ""),
    BackendCard("onnx", True, "1.31.1 (onnxruntime-gpu)", ("cpu", "cuda"), "", "two packages are installed over one another"),
    BackendCard("torch", False, "", (), "torch is not installed; install it with: pip install '.[train]'"),
)


def devices(page) -> QComboBox:
    return next(box for box in page.findChildren(QComboBox) if box.accessibleName() == "Device")


@pytest.fixture
def page(qapp, qtbot, tmp_path):
    preferences = Preferences(Settings(engine=Engine(device="rocm")), tmp_path / "settings.toml")
    made = SettingsPage(Theme(qapp), preferences)
    made.preferences = preferences
    qtbot.addWidget(made)
    return made


def test_what_was_found_and_why_not_and_what_is_wrong(page):
    page.show_backends(CARDS)
    [text] = [label.text() for label in page.findChildren(QLabel) if "Looking" in label.text() or "native" in label.text()]
    assert "onnx 1.31.1 (onnxruntime-gpu) on cpu, cuda" in text
    assert "torch: not available (torch is not installed; install it with" in text
    assert "installed over one another" in text


def test_a_device_is_chosen_and_one_that_is_gone_is_still_shown(page):
    page.show_backends(CARDS)
    box = devices(page)
    assert [box.itemData(index) for index in range(box.count())] == ["auto", "cpu", "cuda", "rocm"]
    assert (box.currentData(), box.currentText()) == ("rocm", "rocm (not found)")
    box.setCurrentIndex(2)
    box.activated.emit(2)
    assert page.preferences.settings.engine.device == "cuda"
    page.show_backends(CARDS)
    assert [box.itemData(index) for index in range(box.count())] == ["auto", "cpu", "cuda"]
    assert box.currentData() == "cuda"


def test_the_window_offers_what_its_engine_found(application, qtbot):
    application.window.show_page("settings")
    box = devices(application.window)
    qtbot.waitUntil(lambda: box.findData("cpu") > 0, timeout=WAIT_MS)
    assert box.currentData() == "auto"
