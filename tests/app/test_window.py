import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QElapsedTimer, QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage

from addersesr_app import numbers_shown
from addersesr_app.app import SAMPLE
from engine import cost, images, weights
from engine.backends import choose
from engine.picture import Picture
from engine.upscaler import Upscaler
from tests.windows import SERVE, SPECS, WAIT_MS, pixels_of, store_photo, until

ROOT = Path(__file__).parent.parent.parent


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where = QPointF(window.rect().center())
    event = QDropEvent(where, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(event)


def done(application, path=None):
    session = application.session
    return lambda: session.state == "done" and (path is None or session.path == str(path))


def expected(window_models, identity, path):
    model = weights.read(window_models / f"{identity}.safetensors")
    return Upscaler(choose.create(model, "auto")).upscale(images.read(path)).pixels


def cells(application, column="this"):
    energy = application.upscale_page.inspector.energy
    return tuple(energy.cells[row, column].text() for row in ("macs", "multiplies", "additions", "energy"))


def counted(one):
    return (*map(numbers_shown.count, (one.macs, one.multiplies, one.additions)), numbers_shown.energy(one.energy_mj))


def test_a_dropped_picture_is_upscaled_and_what_is_seen_is_what_is_saved(application, qtbot, tmp_path, window_models):
    path = store_photo(tmp_path / "phöto.png", 150, 100)
    drop(application.window, path)
    until(qtbot, done(application, path))
    view = application.upscale_page.view
    assert (view.viewport.width, view.viewport.height, view.viewport.zoom) == (300, 200, 1)
    view.set_split(0)
    view.set_names("", "")
    left, top = (int(value) for value in view.viewport.origin)
    seen = pixels_of(view.grab().toImage())[top : top + 200, left : left + 300]
    with qtbot.waitSignal(application.session.saved, timeout=WAIT_MS) as saved:
        qtbot.mouseClick(application.upscale_page.inspector.save, Qt.MouseButton.LeftButton)
    assert saved.args == [str(tmp_path / "phöto_x2.png")]
    written = images.read(Path(saved.args[0])).pixels
    np.testing.assert_array_equal(written, expected(window_models, "tiny-x2", path))
    handle = np.s_[:, :20]  # the split line and its handle lie over the left edge
    different = np.any(seen != written, axis=2)
    different[handle] = False
    assert not different.any()


def test_another_network_changes_pixels_and_numbers(application, qtbot, tmp_path, window_models):
    path = store_photo(tmp_path / "photo.png", 90, 60)
    drop(application.window, path)
    until(qtbot, done(application, path))
    panel = application.upscale_page.inspector.network
    for identity, spec in SPECS.items():
        if identity == "slow-x2":
            continue
        panel.pick(identity)
        until(qtbot, lambda identity=identity: done(application)() and application.session.shown.network.model == identity)
        assert cells(application) == counted(cost.cost(spec, 90, 60))
        assert cells(application, "fsrcnn") == counted(cost.fsrcnn(spec.scale, 90, 60))
        assert cells(application, "vdsr") == counted(cost.vdsr(spec.scale, 90, 60))
        whole = pixels_of(application.session.after.levels[0].copy())
        np.testing.assert_array_equal(whole, expected(window_models, identity, path))
        view = application.upscale_page.view.viewport
        assert (view.width, view.height) == (90 * spec.scale, 60 * spec.scale)


def test_another_picture_size_changes_the_numbers(application, qtbot, tmp_path):
    seen = set()
    for width, height in ((64, 48), (48, 64), (128, 48)):
        path = store_photo(tmp_path / f"{width}x{height}.png", width, height)
        drop(application.window, path)
        until(qtbot, done(application, path))
        assert cells(application) == counted(cost.cost(SPECS["tiny-x2"], width, height))
        seen.add(cells(application))
    assert len(seen) == 2


def test_the_time_is_predicted_and_then_taken(application, qtbot, tmp_path):
    application.preferences.change("engine", at_once=False)
    drop(application.window, store_photo(tmp_path / "photo.png", 80, 60))
    cell = application.upscale_page.inspector.energy.cells["time", "this"]
    until(qtbot, lambda: application.session.state == "open" and cell.text() != "–")
    assert application.session.shown is None
    qtbot.mouseClick(application.upscale_page.inspector.upscale, Qt.MouseButton.LeftButton)
    until(qtbot, done(application))
    assert cell.text() == numbers_shown.short_duration(application.session.shown.seconds)


def test_upscaling_can_be_cancelled_and_begun_again(application, qtbot, tmp_path):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick("slow-x2")
    drop(application.window, store_photo(tmp_path / "photo.png", 800, 500))
    inspector = application.upscale_page.inspector
    until(qtbot, lambda: inspector.progress.value() > 0)
    assert inspector.progress.maximum() > 1
    assert inspector.cancel.isVisible()
    process = application.client.process_id
    qtbot.mouseClick(inspector.cancel, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: application.session.state == "open")
    assert application.client.process_id == process, "it was killed instead of cancelled"
    application.upscale_page.inspector.network.pick("tiny-x2")
    until(qtbot, done(application))


def test_the_window_stays_responsive(application, qtbot, tmp_path):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick("slow-x2")
    clock, gaps = QElapsedTimer(), []
    timer = QTimer(application)
    timer.timeout.connect(lambda: gaps.append(clock.restart()))
    drop(application.window, store_photo(tmp_path / "photo.png", 500, 400))
    clock.start()
    timer.start(5)
    until(qtbot, done(application))
    assert len(gaps) > 20
    assert max(gaps) < 400, f"the window was blocked for {max(gaps)} ms"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_engine_that_is_killed_comes_back_and_finishes(application, qtbot, tmp_path):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick("slow-x2")
    path = store_photo(tmp_path / "photo.png", 800, 400)
    drop(application.window, path)
    until(qtbot, lambda: application.upscale_page.inspector.progress.value() > 0)
    process = application.client.process_id
    with qtbot.waitSignal(application.client.went_down, timeout=WAIT_MS):
        os.kill(process, signal.SIGKILL)
    assert "started again" in application.upscale_page.banner.text()
    until(qtbot, done(application, path))
    assert application.client.process_id not in (0, process)


def test_what_is_no_picture_is_said_where_it_was_dropped(application, qtbot, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    drop(application.window, tmp_path / "text.png")
    until(qtbot, lambda: "text.png" in application.upscale_page.banner.text())
    assert application.session.state == "empty"
    path = store_photo(tmp_path / "photo.png", 40, 30)
    drop(application.window, path)
    until(qtbot, done(application, path))
    assert application.upscale_page.banner.text() == ""
    drop(application.window, tmp_path / "text.png")
    until(qtbot, lambda: "text.png" in application.upscale_page.banner.text())
    assert application.session.path == str(path), "the picture that was there is still there"


def test_a_pasted_picture_is_opened(application, qtbot):
    image = QImage(60, 40, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.darkCyan)
    QGuiApplication.clipboard().setImage(image)
    application.window.show_page("models")
    application.window.paste()
    until(qtbot, done(application))
    assert application.window.page == "upscale"
    assert application.session.facts.width == 60


def test_the_sample_is_one_click_away(application, qtbot):
    application.upscale_page.sample_wanted.emit()
    until(qtbot, done(application, SAMPLE))


def test_every_page_has_its_key(application, qtbot):
    application.window.activateWindow()
    qtbot.waitUntil(application.window.isActiveWindow)
    for number, name in enumerate(("upscale", "train", "models", "settings"), 1):
        qtbot.keyClick(application.window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda name=name: application.window.page == name)


def test_the_split_line_is_dragged_and_the_picture_panned(application, qtbot, tmp_path):
    drop(application.window, store_photo(tmp_path / "photo.png", 700, 500))
    until(qtbot, done(application))
    view = application.upscale_page.view
    middle = QPoint(view.width() // 2, view.height() // 2)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(view, QPoint(view.width() // 4, view.height() // 2))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton)
    assert view.comparison.split == pytest.approx(0.25, abs=0.01)
    view.zoom_to(2.0)
    before = view.viewport
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(view, middle + QPoint(30, -20))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton)
    assert (view.viewport.x, view.viewport.y) == (before.x - 15, before.y + 10)
    assert view.comparison.split == pytest.approx(0.25, abs=0.01)


def test_the_window_never_loads_the_engine(tmp_path, window_models):
    """Neither the back ends nor what decodes pictures; pyqtgraph and numpy only where a page needs them."""
    photo = store_photo(tmp_path / "photo.png", 64, 48)
    script = f"""
import json, sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from addersesr_app.app import Application
sys.path.insert(0, {str(ROOT)!r})
from addersesr_app.places import Places
app = QApplication([])
home = Path({str(tmp_path)!r})
where = Places(home, home, home / "c", home / "j", home / "l", home / "s.toml")
window = Application(app, where, "light", [sys.executable, "-c", {SERVE!r}, {str(window_models)!r}])
window.session.state_changed.connect(lambda: window.session.state == "done" and window.window.close())
window.start([Path({str(photo)!r})])
app.exec()
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(ran.stdout))
    assert "PySide6" in loaded
    assert not loaded & {"halide", "onnxruntime", "onnx", "torch", "cv2", "numpy", "safetensors", "pyqtgraph"}


def test_transparent_pictures_are_shown_over_squares(application, qtbot, tmp_path, rng):
    alpha = np.zeros((40, 60), np.uint8)
    alpha[10:30, 20:40] = 255
    images.write(Picture(rng.integers(0, 256, (40, 60, 3), np.uint8), alpha), tmp_path / "clear.png")
    drop(application.window, tmp_path / "clear.png")
    until(qtbot, done(application))
    assert application.session.after.levels[0].hasAlphaChannel()
    assert len(np.unique(pixels_of(application.upscale_page.view.grab().toImage()).reshape(-1, 3), axis=0)) > 50
