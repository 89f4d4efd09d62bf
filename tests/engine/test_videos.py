from __future__ import annotations

import shutil
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from engine import video_segments
from engine.errors import Cancelled
from engine.events import Failed, Finished, Progress, Summary, Warned
from engine.reference import run as reference
from engine.weights import read
from tests.clips import frames_of, luma_of, store_clip, times_of
from tests.commands import tree
from tests.films import output_of, upscaled


def test_the_film_is_the_network_on_its_luma(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mkv", 5, codec="ffv1", size=(31, 17))
    output = output_of(upscaled(film_model, source, codec="ffv1"))
    network = read(film_model)
    for before, after in zip(frames_of(source), frames_of(output), strict=True):
        expected = reference(network, luma_of(before).astype(np.float32) / 255) * 255
        assert (after.width, after.height) == (62, 34)
        assert np.abs(luma_of(after) - expected).max() < 0.51


def test_several_pieces_are_one_film(tmp_path, film_model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 7)
    source = store_clip(tmp_path / "clip.mp4", 23, options={"bf": "2"})
    output = output_of(upscaled(film_model, source))
    assert times_of(output) == times_of(source)
    assert [path for path in tree(tmp_path) if "addersesr" in path] == [], "the pieces are gone"


def test_a_cancelled_film_goes_on_and_is_the_same(tmp_path, film_model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 5)
    whole = store_clip(tmp_path / "whole.mp4", 23, options={"bf": "2"}, moments=[i // 3 for i in range(23)])
    part = tmp_path / "part.mp4"
    shutil.copy(whole, part)
    expected = output_of(upscaled(film_model, whole, grade="lossless"))  # lossy, x264 with AVX-512 does not give the same bytes twice
    asked = iter([False] * 14)
    with pytest.raises(Cancelled):
        upscaled(film_model, part, lambda: next(asked, True), grade="lossless")
    assert not (tmp_path / "part_x2.mp4").exists()
    events = upscaled(film_model, part, grade="lossless")
    assert any("going on after frame" in event.message for event in events if isinstance(event, Warned))
    first = next(event for event in events if isinstance(event, Progress))
    assert first.done > 5
    again = frames_of(output_of(events))
    for one, other in zip(frames_of(expected), again, strict=True):
        assert one.pts == other.pts
        np.testing.assert_array_equal(luma_of(one), luma_of(other))


def test_pieces_of_another_job_are_not_taken(tmp_path, film_model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 4)
    source = store_clip(tmp_path / "clip.mp4", 12)
    asked = iter([False] * 10)
    with pytest.raises(Cancelled):
        upscaled(film_model, source, lambda: next(asked, True))
    output = output_of(upscaled(film_model, source, quality=30))
    with av.open(str(output)) as container:
        assert len(list(container.decode(video=0))) == 12


def test_what_does_not_change_is_not_computed_again(tmp_path, film_model):
    still = store_clip(tmp_path / "still.mkv", 20, codec="ffv1", moments=[0] * 20)
    moving = store_clip(tmp_path / "moving.mkv", 20, codec="ffv1")
    spared, full = upscaled(film_model, still, codec="ffv1"), upscaled(film_model, moving, codec="ffv1")
    message = next(event.message for event in spared if isinstance(event, Warned))
    assert message.startswith("95 % of the work was spared")
    assert not [event for event in full if isinstance(event, Warned)]
    energy = [event.energy.arithmetic_mj for events in (spared, full) for event in events if isinstance(event, Finished)]
    assert energy[0] == pytest.approx(energy[1] / 20)
    frames = frames_of(output_of(spared))
    assert all(np.array_equal(luma_of(made), luma_of(frames[0])) for made in frames)


def test_a_small_change_is_computed_alone_and_gives_the_same(tmp_path, film_model):
    def dot(made):
        x = 5 + 2 * (made.pts // 512)
        view = np.frombuffer(memoryview(made.planes[0]), np.uint8).reshape(made.planes[0].height, -1)
        view[10:13, x : x + 3] = 255

    source = store_clip(tmp_path / "dot.mkv", 8, codec="ffv1", size=(96, 64), moments=[0] * 8, edit=dot)
    events = upscaled(film_model, source, codec="ffv1")
    assert any("spared" in event.message for event in events if isinstance(event, Warned))
    network = read(film_model)
    for before, after in zip(frames_of(source), frames_of(output_of(events)), strict=True):
        expected = reference(network, luma_of(before).astype(np.float32) / 255) * 255
        assert np.abs(luma_of(after) - expected).max() < 0.51


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.ts"])
def test_a_damaged_stretch_is_told_and_the_rest_is_done(tmp_path, film_model, name):
    source = store_clip(tmp_path / name, 60, options={"g": "10", "bf": "0"}, size=(64, 48))
    assert not [event for event in upscaled(film_model, source) if isinstance(event, Warned)]
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = b"\x55" * 600
    source.write_bytes(data)
    events = upscaled(film_model, source, existing="overwrite")
    assert any("damaged at 0:00:0" in event.message for event in events if isinstance(event, Warned))
    shown = times_of(output_of(events))
    assert len(shown) >= 40
    assert shown == sorted(set(shown))
    assert shown[-1] - shown[0] == Fraction(59, 25), "what is left is shown when it was"


def test_a_file_that_is_no_video_fails_alone(tmp_path, film_model):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    events = upscaled(film_model, bad)
    assert [type(event) for event in events][1:] == [Failed, Summary]
    assert events[1].error == "VideoError"
    assert str(bad) in events[1].message


def test_a_pause_uses_no_processor_and_is_waited_for_by_one(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mkv", 60, size=(96, 64), codec="ffv1")
    paused, go, asking = threading.Event(), threading.Event(), []

    def cancelled():
        asking.append(1)
        if len(asking) > 20 and not go.is_set():
            paused.set()
            waiting.append(1)
            go.wait()
        return False

    waiting, events = [], []
    thread = threading.Thread(target=lambda: events.extend(upscaled(film_model, source, cancelled, threads=2)))
    thread.start()
    assert paused.wait(30)
    interval = threading.Event()
    for _ in range(50):  # frames that were begun are finished first
        before = time.process_time()
        interval.wait(0.2)
        used = time.process_time() - before
        if used < 0.01:
            break
    assert used < 0.01
    assert len(waiting) == 1, "a stopwatch around the pause would count it more than once"
    go.set()
    thread.join(60)
    assert len(frames_of(output_of(events))) == 60


def test_small_frames_side_by_side_come_out_in_their_order(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mkv", 40, codec="ffv1")
    one, four = (
        frames_of(output_of(upscaled(film_model, source, codec="ffv1", threads=threads, existing="overwrite"))) for threads in (1, 4)
    )
    for alone, together in zip(one, four, strict=True):
        np.testing.assert_array_equal(luma_of(alone), luma_of(together))
