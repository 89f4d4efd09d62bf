from __future__ import annotations

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import Warned
from engine.video_mux import decoding_times
from engine.video_source import examine
from tests.clips import frames_of, packets_of, store_clip, times_of
from tests.films import output_of, store_rich, upscaled


@given(st.permutations(range(8)), st.lists(st.integers(1, 1000), min_size=8, max_size=8))
def test_decoding_times_grow_and_are_never_after_showing(order, gaps):
    stamps = np.cumsum(gaps)
    pts = [int(stamps[i]) for i in order]
    dts = decoding_times(pts)
    assert all(a < b for a, b in itertools.pairwise(dts))
    assert all(decoded <= shown for decoded, shown in zip(dts, pts, strict=True))


def test_sound_subtitles_chapters_attachments_and_notes_are_copied(tmp_path, film_model):
    source = store_rich(tmp_path / "rich.mkv")
    output = output_of(upscaled(film_model, source))
    assert packets_of(output, "audio") == packets_of(source, "audio")
    assert packets_of(output, "subtitle") == packets_of(source, "subtitle")
    with av.open(str(source)) as before, av.open(str(output)) as after:
        assert after.metadata["title"] == "A film"
        assert after.chapters() == before.chapters()
        assert [stream.type for stream in after.streams] == ["video", "audio", "subtitle", "attachment"]
        assert after.streams[1].metadata["language"] == "deu"
        assert after.streams.attachments[0].data == b"font"


def test_what_a_film_says_of_itself_can_be_left_out(tmp_path, film_model):
    source = store_rich(tmp_path / "rich.mkv")
    output = output_of(upscaled(film_model, source, metadata=False))
    assert packets_of(output, "audio") == packets_of(source, "audio")
    with av.open(str(source)) as before, av.open(str(output)) as after:
        assert before.metadata["title"] == "A film"
        assert not {"title", "creation_time", "location"} & after.metadata.keys()
        assert after.chapters() == before.chapters()
        assert [stream.type for stream in after.streams] == ["video", "audio", "subtitle", "attachment"]
        assert after.streams[1].metadata["language"] == "deu"
        assert after.streams.attachments[0].data == b"font"


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
def test_time_stamps_of_a_film_with_b_frames_and_sound_are_kept(tmp_path, film_model, name):
    source = store_clip(tmp_path / name, 20, options={"bf": "3", "x264-params": "b-adapt=0"}, sound=True)
    output = output_of(upscaled(film_model, source))
    assert times_of(output) == times_of(source)
    assert packets_of(output, "audio") == packets_of(source, "audio")
    with av.open(str(source)) as before, av.open(str(output)) as after:
        assert after.streams.video[0].duration == before.streams.video[0].duration


def test_a_variable_frame_rate_is_kept(tmp_path, film_model):
    pts = [0, 512, 600, 3000, 3001, 9000, 9512, 20000, 20512, 40000]
    source = store_clip(tmp_path / "clip.mp4", 10, pts=pts, sound=True)
    assert [moment * 12800 for moment in times_of(output_of(upscaled(film_model, source)))] == pts


@pytest.mark.parametrize("bf", ["0", "3"])
def test_the_last_frame_of_a_variable_rate_is_shown_as_long_as_before(tmp_path, film_model, bf):
    pts = list(itertools.accumulate([256, 1536, 512, 1024, 1024, 300] * 4, initial=0))
    source = store_clip(tmp_path / "clip.mp4", len(pts), pts=pts, options={"bf": bf})
    with av.open(str(source)) as before, av.open(str(output_of(upscaled(film_model, source)))) as after:
        assert after.streams.video[0].duration == before.streams.video[0].duration
        assert after.duration == before.duration


def test_a_variable_rate_in_a_file_that_says_a_constant_one_is_no_damage(tmp_path, film_model):
    rng = np.random.default_rng(1)
    pts = [int(stamp) for stamp in np.cumsum(rng.choice([256, 512, 1024, 2048], 60))]
    source = store_clip(tmp_path / "clip.mkv", 60, pts=pts)
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == stream.base_rate == 25, "else this tests nothing"
    events = upscaled(film_model, source)
    assert not [event for event in events if isinstance(event, Warned)]
    assert times_of(output_of(events)) == times_of(source)


def test_a_films_length_is_its_pictures_in_matroska_too(tmp_path):
    source = store_rich(tmp_path / "rich.mkv")
    with av.open(str(source)) as container:
        assert container.streams.video[0].average_rate > 1000, "an average from too few frames, else this tests nothing"
        assert container.duration > 420_000, "the sound is longer"
    info = examine(source)
    assert (info.frames, info.rate) == (10, 25)


def test_what_the_container_cannot_hold_is_left_out_and_said(tmp_path, film_model):
    source = store_rich(tmp_path / "rich.mkv")
    events = upscaled(film_model, source, destination=tmp_path / "out.mp4")
    assert any("subtitle stream" in event.message and "left out" in event.message for event in events if isinstance(event, Warned))
    assert [data for _, data in packets_of(tmp_path / "out.mp4", "audio")] == [data for _, data in packets_of(source, "audio")]


def test_an_edit_list_is_obeyed_and_kept(tmp_path, film_model):
    """Of 20 frames stored the list shows the last 15; sound that begins before the picture is not moved either."""
    plain = store_clip(tmp_path / "plain.mp4", 20, options={"bf": "0", "g": "20"}, sound=True)
    source = tmp_path / "edited.mp4"
    with av.open(str(plain)) as film, av.open(str(source), "w", options={"avoid_negative_ts": "disabled", "use_editlist": "1"}) as out:
        streams = [out.add_stream_from_template(stream) for stream in film.streams]
        for packet in film.demux():
            if packet.dts is None:
                continue
            back = round(Fraction(5, 25) / packet.time_base)
            packet.pts, packet.dts = packet.pts - back, packet.dts - back
            packet.stream = streams[packet.stream_index]
            out.mux(packet)
    assert len(frames_of(source)) == 15
    output = output_of(upscaled(film_model, source))
    assert times_of(output) == times_of(source)
    before = [(when, data) for when, data in packets_of(source, "audio") if when >= 0]
    assert [(when, data) for when, data in packets_of(output, "audio") if when >= 0] == before
