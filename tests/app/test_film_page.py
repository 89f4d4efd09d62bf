"""A film in the window: any frame of it before and after, a part chosen, what it will take, and its way through the queue."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from addersesr_app import film_words
from engine import weights
from engine.backends import choose
from engine.events import Energy, Finished, Planned, Prediction
from engine.serve.protocol import Region
from engine.serve.sights import upscale_region
from engine.serve.video_stills import frame_at
from engine.upscaler import Upscaler
from tests.clips import frames_of, store_walk, times_of
from tests.tv import moments, store, woven
from tests.windows import pixels_of, store_photo, until


@pytest.fixture
def clip(tmp_path):
    return store_walk(tmp_path / "clip.mp4", 75, size=(160, 96), options={"preset": "veryfast", "g": "25"}, sound=True)


@pytest.fixture
def opened(application, qtbot, clip):
    """A window with a film of 3 s."""
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick("tiny-x2")
    application.open([clip])
    until(qtbot, lambda: application.session.film is not None and application.session.patch is not None)
    return application


def test_a_film_opens_with_its_bar_and_panel_and_a_picture_without(opened, qtbot, tmp_path):
    bar, panel = opened.films.bar, opened.films.panel
    assert bar.isVisible()
    assert panel.isVisible()
    assert bar.line.maximum() == 74
    opened.open([store_photo(tmp_path / "photo.png", 64, 48)])
    until(qtbot, lambda: opened.session.film is None)
    assert not bar.isVisible()
    assert not panel.isVisible()


def test_the_dialog_for_files_offers_films_and_every_kind_of_picture(application):
    offered = application.window.file_filter().split(";;")[0]
    for ending in ("mp4", "mkv", "heic", "gif", "pfm", "jpeg"):
        assert f"*.{ending}" in offered.replace(")", " ").split(" ")


def test_any_frame_is_shown_and_compared_as_the_film_will_be(opened, qtbot, clip, window_models):
    view, session = opened.upscale_page.view, opened.session
    view.zoom_to(1.0)
    zoom = view.viewport.zoom
    model = weights.read(window_models / "tiny-x2.safetensors")
    upscaler = Upscaler(choose.create(model, "auto"))
    for number in (60, 3, 74):
        opened.films.bar.line.setValue(number)
        until(qtbot, lambda number=number: round(session.film.at_s * 25) == number and session.patch is not None)
        still = frame_at(clip, number / 25)
        np.testing.assert_array_equal(pixels_of(session.before.levels[0]), still.pixels)
        region = session.patch.region
        expected = upscale_region(upscaler, still, Region(region.x, region.y, region.width, region.height), lambda: False)
        assert np.abs(pixels_of(session.patch.right).astype(int) - expected.pixels).max() <= 1
        assert view.viewport.zoom == zoom, "scrubbing stays where it is"


def test_scrubbing_fast_ends_at_the_last_place(opened, qtbot):
    line = opened.films.bar.line
    for number in range(0, 70, 3):
        line.setValue(number)
    until(qtbot, lambda: round(opened.session.film.at_s * 25) == 69)
    qtbot.keyClick(opened.upscale_page, Qt.Key.Key_Comma)
    until(qtbot, lambda: round(opened.session.film.at_s * 25) == 68)


def test_a_part_is_chosen_planned_and_upscaled_in_the_queue(opened, qtbot, clip):
    films, queue = opened.films, opened.queue
    films.bar.line.setValue(25)
    qtbot.mouseClick(films.bar.begin, Qt.MouseButton.LeftButton)
    films.bar.line.setValue(49)
    qtbot.mouseClick(films.bar.end, Qt.MouseButton.LeftButton)
    assert (films.bar.start_s, films.bar.end_s) == (1.0, 2.0)
    until(qtbot, lambda: "25 frames" in films.panel.told())
    assert "about" in films.panel.told()
    qtbot.mouseClick(opened.upscale_page.inspector.upscale, Qt.MouseButton.LeftButton)
    [job] = queue.model.jobs
    until(qtbot, lambda: job.state == "done")
    output = clip.with_name("clip_x2_1s-2s.mp4")
    assert job.result == str(output)
    assert len(frames_of(output)) == 25
    assert times_of(output)[0] == 0
    assert "frames/s" in queue.model.describe(job)
    assert job.picture is not None


def test_what_is_chosen_for_a_film_is_what_it_becomes(opened, qtbot, clip):
    panel = opened.films.panel
    for box, value in ((panel.container, ".mkv"), (panel.codec, "ffv1")):
        box.setCurrentIndex(box.findData(value))
        box.activated.emit(box.currentIndex())
    opened.films.bar.line.setValue(4)
    qtbot.mouseClick(opened.films.bar.end, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(opened.upscale_page.inspector.upscale, Qt.MouseButton.LeftButton)
    [job] = opened.queue.model.jobs
    until(qtbot, lambda: job.state == "done")
    assert job.result.endswith("clip_x2_0s-0.2s.mkv")
    assert len(frames_of(clip.with_name("clip_x2_0s-0.2s.mkv"))) == 5


def test_a_film_that_waits_in_the_queue_tells_its_size(application, qtbot, clip, tmp_path):
    other = clip.with_name("other.mp4")
    other.write_bytes(clip.read_bytes())
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.open([clip, other])
    jobs = application.queue.model.jobs
    until(qtbot, lambda: len(jobs) == 2 and all(job.plan is not None and job.picture is not None for job in jobs))
    assert "Waiting · about" in application.queue.model.describe(jobs[0])
    assert jobs[0].plan.predicted.least_bytes < jobs[0].plan.predicted.bytes < jobs[0].plan.predicted.most_bytes
    told = []
    application.queue.model.dataChanged.connect(lambda *_: told.append(application.queue.model.describe(jobs[0])))
    application.queue.start()
    until(qtbot, lambda: jobs[1].state == "done")
    assert any("so far" in text and "B so far" in text for text in told), "bytes so far are told"
    assert any("arithmetic" in text and "so far" in text for text in told), "so is energy, by its kind"


def test_fields_that_a_film_does_not_tell_of_are_found_said_and_may_be_left(application, qtbot, tmp_path):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick("tiny-x2")
    application.open([store(tmp_path / "tv.mkv", woven(moments()))])
    until(qtbot, lambda: application.films is not None and "40 frames" in application.films.panel.told())
    panel, session = application.films.panel, application.session
    source = tmp_path / "tv.mkv"
    until(qtbot, lambda: session.film.deinterlaced and session.patch is not None)
    np.testing.assert_array_equal(pixels_of(session.before.levels[0]), frame_at(source, 0, deinterlaced=True).pixels)
    assert "This film is interlaced (top field first, seen in 40 of its frames" in panel.notes()
    qtbot.mouseClick(panel.interlaced, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: "40 frames" in panel.told() and not panel.notes())
    assert panel.output(application.films.output()).keep_interlaced
    until(qtbot, lambda: not session.film.deinterlaced and session.patch is not None)
    np.testing.assert_array_equal(pixels_of(session.before.levels[0]), frame_at(source, 0).pixels)
    application.open([store(tmp_path / "film.mkv", moments())])
    until(qtbot, lambda: application.session.path.endswith("film.mkv") and "40 frames" in panel.told())
    assert not panel.interlaced.isVisible()


def test_words_for_what_was_predicted_and_what_came():
    predicted = Prediction(20.0, Energy(5.0), 4_000_000, 3_000_000, 6_000_000)
    assert film_words.planned(Planned("a", "b", 1, 1, "m", 500, predicted)) == ["about 4.0 MB (3.0 MB to 6.0 MB)", "about 20 s"]
    end = Finished("a", "b", 25.0, "m", "onnx", "fp32", Energy(5.0), 1, 1, 500, 4_400_000, predicted)
    assert film_words.ended(end) == ["20.0 frames/s (predicted 25.0)", "4.4 MB (predicted 4.0 MB)"]
    assert film_words.moment(3723.4) == "1:02:03.40"
