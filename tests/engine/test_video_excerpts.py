"""A part of a film: its frames, its sound, its subtitles and chapters, on a clock of its own."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from engine import video_segments
from engine.errors import Cancelled, UsageError
from engine.events import Failed, Finished, Planned
from engine.video_frames import still_at
from engine.video_options import Excerpt, seconds
from engine.video_source import examine
from tests.clips import frames_of, luma_of, packets_of, store_clip, times_of
from tests.films import output_of, upscaled, warnings_of


@pytest.mark.parametrize(("text", "value"), [("12.5", 12.5), ("90s", 90), ("1:30", 90), ("1:02:03.5", 3723.5), ("0", 0)])
def test_times_are_read_as_people_write_them(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-1", "1 m"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is no time"):
        seconds(text)


def test_an_empty_part_is_refused():
    for wrong in ((2.0, 1.0), (2.0, 2.0), (-1.0, None)):
        with pytest.raises(UsageError):
            Excerpt(*wrong)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov", "clip.ts", "clip.avi", "clip.webm"])
def test_the_part_has_the_same_frames_as_the_whole(tmp_path, film_model, name):
    options = {} if name.endswith("webm") else {"bf": "0" if name.endswith("avi") else "2", "g": "10"}
    source = store_clip(tmp_path / name, 50, codec="libvpx-vp9" if name.endswith("webm") else "libx264", options=options)
    whole = output_of(upscaled(film_model, source, codec="ffv1", extension=".mkv"))
    part = output_of(upscaled(film_model, source, codec="ffv1", extension=".mkv", excerpt=Excerpt(0.6, 1.4)))
    assert part.name == "clip_x2_0.6s-1.4s.mkv"
    expected, made = frames_of(whole)[15:35], frames_of(part)
    assert len(made) == 20
    for one, other in zip(expected, made, strict=True):
        np.testing.assert_array_equal(luma_of(one), luma_of(other))
    assert [round(1000 * moment) for moment in times_of(part)] == [40 * i for i in range(20)]


def test_a_part_of_a_variable_frame_rate_keeps_its_gaps(tmp_path, film_model):
    pts = [0, 512, 600, 3000, 3001, 9000, 9512, 20000, 20512, 40000]
    source = store_clip(tmp_path / "clip.mp4", 10, pts=pts)
    part = output_of(upscaled(film_model, source, excerpt=Excerpt(3000 / 12800, 20000 / 12800)))
    assert [moment * 12800 for moment in times_of(part)] == [0, 1, 6000, 6512]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
def test_sound_goes_with_the_part(tmp_path, film_model, name):
    source = store_clip(tmp_path / name, 75, options={"bf": "2", "g": "25"}, sound=True)
    part = output_of(upscaled(film_model, source, excerpt=Excerpt(1.0, 2.0)))
    before, after = packets_of(source, "audio"), packets_of(part, "audio")
    data = [packet for _, packet in before]
    first = data.index(after[0][1])
    assert [packet for _, packet in after] == data[first : first + len(after)], "packets are copied, none is left out"
    start = frames_of(source)[25].time
    for (old, _), (new, _) in zip(before[first:], after, strict=False):
        assert float(old - new) == pytest.approx(start, abs=0.0011), "sound moves by exactly what the film moves by"
    length = Fraction(1024, 48000)
    assert 0 <= after[0][0] < length
    assert 1 - length <= after[-1][0] < 1


def test_subtitles_and_chapters_go_with_the_part(tmp_path, film_model):
    source = store_told(tmp_path / "told.mkv")
    part = output_of(upscaled(film_model, source, excerpt=Excerpt(1.0, 2.0)))
    assert [(float(when), data) for when, data in packets_of(part, "subtitle")] == [(0.0, b"already there"), (0.5, b"within")]
    with av.open(str(part)) as container:
        chapters = [(chapter["start"], chapter["end"], chapter["metadata"]["title"]) for chapter in container.chapters()]
        [line, _] = [packet for packet in container.demux(container.streams.subtitles[0]) if packet.size]
    scale = 10**9
    assert chapters == [(0, scale // 2, "One"), (scale // 2, scale, "Two")]
    assert float(line.duration * line.time_base) == pytest.approx(0.2)


def store_told(path):
    """A film of 3 s with three subtitles and three chapters."""
    plain = store_clip(path.with_name("plain.mkv"), 75, options={"g": "25"})
    words = path.with_name("words.srt")
    stamps = (("00:00:00,800", "00:00:01,200", "already there"), ("00:00:01,500", "00:00:01,700", "within"))
    later = ("00:00:02,500", "00:00:02,700", "later")
    words.write_text("\n".join(f"{i}\n{start} --> {end}\n{text}\n" for i, (start, end, text) in enumerate((*stamps, later), 1)))
    with av.open(str(plain)) as film, av.open(str(words)) as lines, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(container.streams[0], opaque=True) for container in (film, lines)]
        base = Fraction(1, 1000)
        out.set_chapters([
            {"id": i, "start": start, "end": end, "time_base": base, "metadata": {"title": title}}
            for i, (start, end, title) in enumerate(((0, 1500, "One"), (1500, 2200, "Two"), (2200, 3000, "Three")))
        ])  # fmt: skip
        for container, stream in zip((film, lines), streams, strict=True):
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    return path


def test_a_part_goes_on_where_it_was_left_and_is_the_same(tmp_path, film_model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 5)
    source = store_clip(tmp_path / "clip.mp4", 60, options={"bf": "2", "g": "12"})
    excerpt = Excerpt(0.8, 2.0)
    settings = {"excerpt": excerpt, "grade": "lossless"}  # x264 with AVX-512 does not give the same bytes twice otherwise
    expected = output_of(upscaled(film_model, source, destination=tmp_path / "whole.mp4", **settings))
    asked = iter([False] * 24)
    with pytest.raises(Cancelled):
        upscaled(film_model, source, lambda: next(asked, True), **settings)
    events = upscaled(film_model, source, **settings)
    assert any("going on after frame" in text for text in warnings_of(events))
    assert not any("damaged" in text for text in warnings_of(events)), "beginning in the middle is no damage"
    [finished] = [event for event in events if isinstance(event, Finished)]
    assert 0 < finished.frames < 30
    for one, other in zip(frames_of(expected), frames_of(output_of(events)), strict=True):
        assert one.pts == other.pts
        np.testing.assert_array_equal(luma_of(one), luma_of(other))


def test_a_part_of_an_interlaced_film_is_that_of_the_whole(tmp_path, film_model):
    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1", "g": "10"}
    source = store_clip(tmp_path / "tv.mkv", 100, options=options, size=(64, 64))
    assert examine(source).interlaced
    whole = output_of(upscaled(film_model, source, codec="ffv1", existing="overwrite"))
    part = output_of(upscaled(film_model, source, codec="ffv1", excerpt=Excerpt(2.0, 2.4)))
    for one, other in zip(frames_of(whole)[50:60], frames_of(part), strict=True):
        np.testing.assert_array_equal(luma_of(one), luma_of(other))


def test_a_part_beyond_the_end_is_refused_with_the_films_length(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mp4", 25)
    [failed] = [event for event in upscaled(film_model, source, excerpt=Excerpt(5.0)) if isinstance(event, Failed)]
    assert "1.0 s long" in failed.message
    assert not list(tmp_path.glob("*_x2*"))


def test_a_plan_counts_the_frames_of_the_part(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mp4", 50)
    [planned] = [event for event in upscaled(film_model, source, dry=True, excerpt=Excerpt(0.5, 1.5)) if isinstance(event, Planned)]
    assert planned.frames == 25
    assert not list(tmp_path.glob("*_x2*"))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
def test_the_frame_at_a_moment_is_the_one_that_is_shown_then(tmp_path, name):
    source = store_clip(tmp_path / name, 60, options={"bf": "0" if name.endswith("avi") else "3", "g": "20"})
    info, frames = examine(source), frames_of(source)
    for number in (0, 1, 19, 20, 37, 59):
        for late in (0.0, 0.03):
            still = still_at(info, number / 25 + late)
            assert still.number == number
            np.testing.assert_array_equal(still.planes.luma, luma_of(frames[number]))
    assert still_at(info, 1e6).number == 59
