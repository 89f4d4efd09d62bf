"""What the engine warns of is seen in a real window; a result is made again from there; what is too large waits in the queue."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFileDialog

from engine import images
from engine.picture import Metadata, Picture
from engine.serve.protocol import Output
from tests.windows import WAIT_MS, store_photo, until


def ready(application, qtbot, model="tiny-x2"):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick(model)


def opened(application, qtbot, path):
    application.open([path])
    until(qtbot, lambda: application.session.facts is not None and application.session.path == str(path))


def entries(application):
    job = application.queue.model.jobs[0]
    return {action.text(): action for action in application.queue_view.menu([job]).actions()}


def test_a_row_says_what_its_format_dropped(application, qtbot, tmp_path):
    ready(application, qtbot)
    images.write(Picture(np.full((20, 30, 3), 90, np.uint8), np.full((20, 30), 200, np.uint8)), tmp_path / "clear.png")
    application.queue.add([str(tmp_path / "clear.png")], application.upscale_page.network(), Output(extension=".bmp"))
    with qtbot.waitSignal(application.queue.ended, timeout=WAIT_MS):
        application.queue.start()
    job = application.queue.model.jobs[0]
    assert job.warnings == ["BMP does not keep everything: transparency (put on white)"]
    assert job.warnings[0] in application.queue.model.describe(job)
    assert "Copy notes" in entries(application)


def test_saving_says_what_the_format_dropped(application, qtbot, tmp_path):
    ready(application, qtbot)
    about = Metadata(xmp=b"<x:xmpmeta/>")
    images.write(Picture(np.full((20, 30, 3), 90, np.uint8), metadata=about), tmp_path / "photo.png")
    opened(application, qtbot, tmp_path / "photo.png")
    for shown in (False, True):
        if shown:
            application.session.upscale()
            until(qtbot, lambda: application.session.state == "done")
        application.upscale_page.banner.clear()
        with qtbot.waitSignals([application.session.saved, application.session.warned], timeout=WAIT_MS):
            application.session.save(Output(extension=".bmp"))
        assert application.upscale_page.banner.text() == "BMP does not keep everything: XMP"


def test_a_queued_result_is_made_again_by_its_row(application, qtbot, tmp_path):
    ready(application, qtbot, "adder-x2")
    source = store_photo(tmp_path / "photo.png", 40, 30)
    application.queue.add([str(source)], application.upscale_page.network(), Output())
    with qtbot.waitSignal(application.queue.ended, timeout=WAIT_MS):
        application.queue.start()
    application.upscale_page.inspector.network.pick("tiny-x2")
    with qtbot.waitSignal(application.queue.ended, timeout=WAIT_MS):
        entries(application)["Make again exactly"].trigger()
    first, second = application.queue.model.jobs
    assert second.warnings == [f"pixel for pixel the same as {first.result}"]
    np.testing.assert_array_equal(images.read(tmp_path / "photo_x2-1.png").pixels, images.read(tmp_path / "photo_x2.png").pixels)


@pytest.mark.parametrize("shown", [True, False])
def test_a_saved_result_that_is_opened_offers_to_be_made_again(application, qtbot, tmp_path, monkeypatch, shown):
    ready(application, qtbot)
    source = store_photo(tmp_path / "photo.png", 40, 30)
    opened(application, qtbot, source)
    assert application.upscale_page.banner.action.isHidden()
    if shown:
        application.session.upscale()
        until(qtbot, lambda: application.session.state == "done")
    with qtbot.waitSignal(application.session.saved, timeout=WAIT_MS) as saved_as:
        application.session.save(Output())
    result = tmp_path / "photo_x2.png"
    assert saved_as.args == [str(result)]
    opened(application, qtbot, result)
    banner = application.upscale_page.banner
    assert banner.text() == "This picture was made with tiny-x2."
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(source), ""))
    with qtbot.waitSignal(application.queue.ended, timeout=WAIT_MS):
        qtbot.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    [job] = application.queue.model.jobs
    assert job.warnings == [f"pixel for pixel the same as {result}"]
    assert (tmp_path / "photo_x2-1.png").read_bytes() == result.read_bytes()


@pytest.mark.parametrize("shown", [True, False])
def test_a_result_says_nothing_of_itself_where_a_person_does_not_want_it_to(application, qtbot, tmp_path, shown):
    ready(application, qtbot)
    application.window.show_page("settings")
    [box] = [box for box in application.window.findChildren(QCheckBox) if box.text().startswith("Note in a result how")]
    assert box.isChecked(), "it is a choice, on by default"
    box.setChecked(False)
    application.window.show_page("upscale")
    opened(application, qtbot, store_photo(tmp_path / "photo.png", 40, 30))
    if shown:
        application.session.upscale()
        until(qtbot, lambda: application.session.state == "done")
    with qtbot.waitSignal(application.session.saved, timeout=WAIT_MS):
        application.upscale_page.save()
    assert images.read(tmp_path / "photo_x2.png").metadata.xmp is None


def test_all_pages_are_saved_though_one_is_shown(application, qtbot, tmp_path):
    ready(application, qtbot)
    first, *rest = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (40, 120, 200)]
    first.save(tmp_path / "film.webp", save_all=True, append_images=rest, duration=70, lossless=True)
    opened(application, qtbot, tmp_path / "film.webp")
    assert application.upscale_page.banner.text() == "only the first of its 3 pages is shown; all are saved"
    application.session.upscale()
    until(qtbot, lambda: application.session.state == "done")
    with qtbot.waitSignal(application.session.saved, timeout=WAIT_MS):
        application.session.save(Output())
    with Image.open(tmp_path / "film_x2.webp") as made:
        assert (made.n_frames, made.size) == (3, (60, 40))


def header_only(path, width, height):
    """A PNG file that says that it is this large; nobody may get further than that."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * 4))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def test_what_is_too_large_to_be_shown_waits_in_the_queue(application, qtbot, tmp_path):
    ready(application, qtbot)
    application.open([header_only(tmp_path / "huge.png", 20_000, 10_000)])
    until(qtbot, lambda: application.queue.model.jobs)
    said = application.upscale_page.banner.text()
    assert "20000×10000 pixels are too many to be shown (200 megapixels, at most 100)" in said
    assert said.endswith("It waits in the queue.")
    [job] = application.queue.model.jobs
    assert (job.state, job.name) == ("waiting", "huge.png")
    assert application.session.state == "empty"


def test_a_result_that_is_too_large_to_be_shown_says_so_and_previews_go_on(application, qtbot, tmp_path):
    ready(application, qtbot)
    images.write(Picture(np.full((5001, 5001), 90, np.uint8)), tmp_path / "large.png")
    with qtbot.waitSignals([application.session.failed, application.session.patch_changed], timeout=WAIT_MS):
        application.open([tmp_path / "large.png"])
    assert "its result's 10002×10002 pixels are too many to be shown" in application.upscale_page.banner.text()
    assert application.session.state == "open"
    assert application.session.patch is not None
