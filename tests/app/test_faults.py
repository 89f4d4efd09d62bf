"""What breaks is shown with a log to copy; what ends is told outside the window."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from addersesr_app.notifier import Notifier
from tests.windows import WAIT_MS, store_photo, until

ROOT = Path(__file__).parent.parent.parent

FAULTY = """
import json, sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from addersesr_app.app import Application
from addersesr_app.start import make_app
from tests.windows import places_in, SERVE
home = Path(sys.argv[1])
app = make_app()
made = Application(app, places_in(home), "dark", [sys.executable, "-c", SERVE, str(home)])
made.start()
def fail():
    QTimer.singleShot(0, look)
    raise RuntimeError("a fault of ours")
def look():
    dialog = made.crashes.dialog
    dialog.copy.click()
    told = [dialog.isVisible(), made.window.isVisible(), QGuiApplication.clipboard().text(), (home / "log").read_text()]
    dialog.accept()
    print(json.dumps(told), flush=True)
    QTimer.singleShot(0, made.window.close)
QTimer.singleShot(0, fail)
app.exec()
"""


def test_a_fault_of_the_window_is_shown_with_a_log_to_copy_and_it_goes_on(tmp_path):
    ran = subprocess.run([sys.executable, "-c", FAULTY, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    dialog_seen, window_seen, copied, log = json.loads(ran.stdout)
    assert dialog_seen
    assert window_seen
    for text in (copied, log):
        assert "RuntimeError: a fault of ours" in text
        assert "in fail" in text
    assert copied.startswith("AdderSESR ")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_a_killed_engine_wrote_is_one_click_away(application, qtbot):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    with qtbot.waitSignal(application.client.went_down, timeout=WAIT_MS):
        os.kill(application.client.process_id, signal.SIGKILL)
    banner = application.upscale_page.banner
    assert banner.action.isVisible()
    qtbot.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    dialog = application.crashes.dialog
    assert dialog.isVisible()
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == dialog.log.toPlainText()
    dialog.accept()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="freedesktop's notifications")
def test_the_queues_end_is_notified_where_the_window_is_not_looked_at(application, qtbot, tmp_path, monkeypatch):
    tool = tmp_path / "bin" / "notify-send"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/aside" && mv "{tmp_path}/aside" "{tmp_path}/told"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.open([store_photo(tmp_path / f"{number}.png", 40, 30) for number in range(2)])
    application.window.showMinimized()
    application.queue.start()
    until(qtbot, (tmp_path / "told").exists)
    assert (tmp_path / "told").read_text().splitlines()[-1] == "The queue is through: 2 done."


def test_without_anything_to_notify_with_nothing_happens(application, monkeypatch):
    monkeypatch.setenv("PATH", "")
    Notifier(application.theme.icon("addersesr"), application).tell("AdderSESR", "done")
