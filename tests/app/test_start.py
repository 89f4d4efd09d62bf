"""The first moment: a painted window, then everything else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addersesr_app import glance
from addersesr_app.glance import Glance
from addersesr_app.start import make_front
from tests.windows import WAIT_MS, end_application, make_application, places_in

ROOT = Path(__file__).parent.parent.parent


def test_the_window_is_painted_before_the_pages_are_loaded():
    script = """
import json, sys
from PySide6.QtCore import QTimer
from addersesr_app import start
start_timer = lambda action: QTimer.singleShot(0, action)
told = []
class Window(start.MainWindow):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seen.connect(self.tell)
    def tell(self):
        told.append(self.grab().toImage().pixelColor(400, 60).name())
        told.append([name for name in ("addersesr_app.app", "engine.serve.protocol", "tomllib") if name in sys.modules])
    def furnish(self, makers):
        super().furnish(makers)
        told.append(self.page)
        start_timer(self.close)
start.MainWindow = Window
start.main(theme="dark", page="settings")
print(json.dumps(told))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    colour, loaded, page = json.loads(done.stdout)
    assert colour == "#14171c"
    assert loaded == []
    assert page == "settings"


def test_what_is_seen_first_stays(qapp, qtbot, tmp_path, window_models):
    front = make_front(qapp, places_in(tmp_path / "home"), "light")
    with qtbot.waitSignal(front.window.seen, timeout=WAIT_MS):
        front.window.show()
    assert front.window.empty.isVisible()
    front.window.show_page("models")
    assert not front.window.empty.isVisible()
    made = make_application(qapp, tmp_path / "home", window_models, front)
    made.start()
    assert made.window is front.window
    made.window.show_page("upscale")
    assert made.window.empty.isVisible()
    assert made.window.empty.window() is made.window
    end_application(qapp, made)


def test_a_window_looks_as_it_did(qapp, tmp_path, window_models):
    made = make_application(qapp, tmp_path / "home", window_models)
    made.start()
    made.preferences.change("look", theme="light")
    made.window.resize(1100, 710)
    end_application(qapp, made)
    front = make_front(qapp, places_in(tmp_path / "home"))
    assert (front.window.width(), front.window.height(), front.theme.is_dark) == (1100, 710, False)
    front.window.deleteLater()


@settings(max_examples=30)
@given(st.sampled_from(["light", "dark", "auto"]), st.integers(100, 20_000), st.integers(100, 20_000))
def test_a_glance_is_kept(tmp_path_factory, theme, width, height):
    path = tmp_path_factory.mktemp("new") / "folder" / "window.txt"
    glance.save(Glance(theme, width, height), path)
    assert glance.load(path) == Glance(theme, width, height)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"dark", b"dark 900", b"pink 900 600", b"dark 9 600", b"dark 900 1e9", b"dark a b"])
def test_a_damaged_glance_is_as_none(tmp_path, damage):
    (tmp_path / "window.txt").write_bytes(damage)
    assert glance.load(tmp_path / "window.txt") == Glance()
    glance.save(Glance("dark"), tmp_path / "window.txt" / "below a file")
