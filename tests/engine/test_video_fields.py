from __future__ import annotations

import shutil
from itertools import islice

import av
import numpy as np
import pytest

from engine import video_fields, video_segments
from engine.errors import Cancelled
from engine.events import Finished, Planned, Warned
from engine.video_fields import Scan, Votes, judged, scan
from engine.video_frames import stills
from engine.video_source import examine
from tests.clips import frames_of, luma_of, store_walk, times_of
from tests.films import output_of, upscaled
from tests.tv import COUNT, FLAGGED, moments, pulled_down, store, woven


@pytest.mark.parametrize("noise", [0.0, 4.0])
@pytest.mark.parametrize("speed", [0.15, 1.0])
@pytest.mark.parametrize("top_first", [True, False])
def test_interlaced_film_that_does_not_say_so_is_recognised(tmp_path, top_first, speed, noise):
    source = store(tmp_path / "tv.mkv", woven(moments(speed=speed, noise=noise), top_first=top_first))
    assert not examine(source).interlaced
    assert scan(examine(source)) == Scan("interlaced", False, top_first, COUNT)


@pytest.mark.parametrize("qp", ["24", "32"])
def test_what_a_codec_leaves_of_the_fields_is_enough(tmp_path, qp):
    assert scan(examine(store(tmp_path / "tv.mkv", woven(moments()), qp=qp))).kind == "interlaced"
    assert scan(examine(store(tmp_path / "dvd.mkv", woven(pulled_down(moments())), qp=qp))).kind == "telecined"
    assert scan(examine(store(tmp_path / "film.mkv", moments(), qp=qp))).filters == ""


@pytest.mark.parametrize("noise", [0.0, 4.0])
@pytest.mark.parametrize("speed", [0.15, 1.0])
def test_progressive_film_is_left_alone(tmp_path, speed, noise):
    source = store(tmp_path / "film.mkv", moments(speed=speed, noise=noise))
    assert scan(examine(source)).filters == ""


def test_progressive_film_that_says_it_is_interlaced_is_left_alone_and_that_is_said(tmp_path, film_model):
    source = store(tmp_path / "film.mkv", moments(), **FLAGGED)
    assert examine(source).interlaced
    assert scan(examine(source)) == Scan("progressive", True, True, COUNT)
    events = upscaled(film_model, source, codec="ffv1")
    assert any("of its frames are not" in event.message for event in events if isinstance(event, Warned))
    info = examine(source)
    for still, frame in zip(stills(info, scan(info).filters, None, lambda _: None), frames_of(source), strict=True):
        np.testing.assert_array_equal(still.planes.luma, luma_of(frame))


@pytest.mark.parametrize("light", [lambda t: 0.2 + 0.02 * t, lambda t: 1 - 0.02 * t])
@pytest.mark.parametrize("lines", [0.97, 0.9, 0.8, 0.4, 0.0])
@pytest.mark.parametrize("speed", [0, 0.3])
def test_scan_lines_drawn_into_progressive_film_are_no_fields(tmp_path, speed, lines, light):
    source = store(tmp_path / "game.mkv", moments(speed=speed, lines=lines, light=light))
    info = examine(source)
    with av.open(str(source)) as container:
        fooled = video_fields.votes_of(islice(container.decode(video=0), COUNT))
    assert max(fooled.top, fooled.bottom) > 12, "idet alone would be wrong here, else this tests nothing"
    assert scan(info).filters == ""


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("size", [(96, 64), (95, 63), (160, 96)])
def test_edges_that_hardly_move_are_no_fields(tmp_path, size, form):
    """A small picture that moves up slower than a line a frame: idet sees the fields of interlaced film in most of these."""
    source = store_walk(tmp_path / "walk.mkv", 30, codec="ffv1", form=form, size=size)
    assert scan(examine(source)).filters == ""


@pytest.mark.parametrize("flagged", [False, True])
def test_a_still_picture_is_what_it_says_it_is(tmp_path, flagged):
    source = store(tmp_path / "still.mkv", moments(speed=0, noise=0), **(FLAGGED if flagged else {}))
    assert scan(examine(source)) == Scan("unknown", flagged, True, COUNT)


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("options", [{}, FLAGGED])
def test_telecined_film_gets_its_pictures_back(tmp_path, top_first, options):
    source = store(tmp_path / "dvd.mkv", woven(pulled_down(moments(noise=0)), top_first=top_first), **options)
    info = examine(source)
    assert scan(info) == Scan("telecined", bool(options), top_first, COUNT)
    pictures = list(islice(moments(noise=0), COUNT))
    made = list(stills(info, scan(info).filters, None, lambda _: None))
    assert [still.pts for still in made] == [frame.pts for frame in frames_of(source)]
    off = [min(np.abs(still.planes.luma.astype(int) - picture).mean() for picture in pictures) for still in made]
    assert sum(value > 1 for value in off) <= 2, "but for a cut, every frame is one of the film's pictures again"


@pytest.mark.parametrize("top_first", [True, False])
def test_the_fields_seen_go_before_the_order_that_is_said(tmp_path, film_model, top_first):
    """Of each frame the first field is kept, so a wrong order would jump back and forth."""
    fields = list(islice(moments(noise=0), 2 * COUNT))
    source = store(tmp_path / "tv.mkv", woven(iter(fields), top_first=top_first), **FLAGGED)
    info = examine(source)
    assert scan(info) == Scan("interlaced", True, top_first, COUNT)
    made = [still.planes.luma.astype(int) for still in stills(info, scan(info).filters, None, lambda _: None)]
    for number, frame in enumerate(made[2:-2], 2):
        off = [np.abs(frame - fields[2 * number + field])[8:-8, 8:-8].mean() for field in (0, 1)]
        assert off[0] < off[1]
    events = upscaled(film_model, source, codec="ffv1")
    assert any("seen in 40 of its frames" in event.message for event in events if isinstance(event, Warned))
    assert times_of(output_of(events)) == times_of(source)


def test_a_film_that_begins_black_is_looked_at_further_on(tmp_path):
    count = 2 * video_fields.PLACES * video_fields.PLACE_FRAMES
    shown = woven(moments(light=lambda moment: float(moment > count)))
    source = store(tmp_path / "tv.mp4", shown, count=count, g="25")
    assert scan(examine(source)).kind == "interlaced"


def test_parts_that_are_interlaced_are_taken_apart_alone(tmp_path):
    film, video = moments(noise=0), woven(moments(noise=0))
    pictures = [next(video) if number // 20 % 2 else next(film) for number in range(120)]
    source = store(tmp_path / "programme.mkv", pictures, count=120)
    info = examine(source)
    assert scan(info).kind == "mixed"
    changed = [
        float(np.abs(still.planes.luma.astype(int) - luma_of(frame)).mean())
        for still, frame in zip(stills(info, scan(info).filters, None, lambda _: None), frames_of(source), strict=True)
    ]
    assert max(changed[4:16]) == 0, "pictures are as they were"
    assert min(changed[24:36]) > 1, "fields are not"


def test_a_person_may_leave_it_interlaced(tmp_path, film_model):
    source = store(tmp_path / "tv.mkv", woven(moments(noise=0)))
    events = upscaled(film_model, source, codec="ffv1", keep_interlaced=True)
    assert not [event for event in events if isinstance(event, Warned)]
    [planned] = [event for event in upscaled(film_model, source, dry=True, keep_interlaced=True) if isinstance(event, Planned)]
    assert planned.interlaced
    assert [event for event in events if isinstance(event, Finished)]


@pytest.mark.parametrize(
    ("votes", "kind"),
    [
        (Votes(40), "unknown"),
        (Votes(40, top=20, bottom=15, convincing=30), "unknown"),
        (Votes(40, top=7, convincing=7), "unknown"),
        (Votes(120, top=14, convincing=14), "unknown"),
        (Votes(40, top=36, progressive=4, convincing=30), "interlaced"),
        (Votes(40, bottom=36, plain=10, convincing=10), "unknown"),
        (Votes(40, bottom=36, plain=30, convincing=10), "interlaced"),
        (Votes(40, top=1, progressive=39), "progressive"),
        (Votes(40, top=20, progressive=20, convincing=20), "mixed"),
        (Votes(40, top=32, progressive=8, top_again=8, bottom_again=8), "telecined"),
        (Votes(40, top=32, progressive=8, top_again=20), "unknown"),
    ],
)
def test_what_votes_mean(votes, kind):
    assert judged(votes).kind == kind
    assert bool(judged(votes).filters) == (kind not in ("unknown", "progressive"))


@pytest.mark.parametrize("kind", ["interlaced", "telecined"])
def test_a_film_of_fields_that_was_interrupted_goes_on_and_is_the_same(tmp_path, film_model, monkeypatch, kind):
    monkeypatch.setattr(video_segments, "FRAMES", 7)
    fields = moments() if kind == "interlaced" else pulled_down(moments())
    whole = store(tmp_path / "whole.mkv", woven(fields))
    assert scan(examine(whole)).kind == kind
    part = tmp_path / "part.mkv"
    shutil.copy(whole, part)
    expected = output_of(upscaled(film_model, whole, codec="ffv1"))
    asked = iter([False] * 30)
    with pytest.raises(Cancelled):
        upscaled(film_model, part, lambda: next(asked, True), codec="ffv1")
    events = upscaled(film_model, part, codec="ffv1")
    assert any("going on after frame" in event.message for event in events if isinstance(event, Warned))
    for one, other in zip(frames_of(expected), frames_of(output_of(events)), strict=True):
        assert one.pts == other.pts
        np.testing.assert_array_equal(luma_of(one), luma_of(other))
