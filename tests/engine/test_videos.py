from __future__ import annotations

import itertools
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from hypothesis import given
from hypothesis import strategies as st

from engine import jobs, video_segments
from engine.catalogue import Catalogue
from engine.errors import Cancelled
from engine.events import Failed, Finished, Progress, Summary, Warned
from engine.reference import run as reference
from engine.selection import Target
from engine.sequences import sequence
from engine.stream import ahead
from engine.video_codecs import mastering_words
from engine.video_mux import decoding_times
from engine.video_planes import frame_of, from_unit, planar_equivalent, planes_of, sampling, to_unit, upscale_chroma
from engine.video_source import examine
from engine.weights import read
from tests.clips import frame, frames_of, luma_of, packets_of, store_clip, times_of
from tests.commands import store, store_model, tree

FORMS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le"]


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    return store_model(folder / "small.safetensors")


def upscaled(model, source, cancelled=lambda: False, **settings):
    """The events of upscaling one film."""
    job = jobs.Job((source,), jobs.Settings(model=str(model), backend="onnx", threads=1, **settings))
    return list(jobs.run(job, jobs.Tools(Catalogue([])), cancelled))


def output_of(events):
    failures = [event.message for event in events if isinstance(event, Failed)]
    assert not failures
    [finished] = [event for event in events if isinstance(event, Finished)]
    return Path(finished.output)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(16, 8), (17, 9), (1, 1)])
def test_frames_become_planes_and_frames_again(form, size):
    kind = sampling(form)
    made = frame(*size, form, 3)
    planes = planes_of(made, kind)
    again = planes_of(frame_of(planes, kind), kind)
    assert planes.same(again)
    assert planes.luma.shape == size[::-1]
    assert len(planes.chroma) == (0 if form.startswith("gray") else 2)


@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le", "yuv444p12le"])
@pytest.mark.parametrize("span", [ColorRange.MPEG, ColorRange.JPEG])
def test_every_luma_code_survives_the_way_to_the_network_and_back(form, span):
    kind = sampling(form)
    codes = np.arange(kind.top + 1, dtype=kind.dtype)[None]
    np.testing.assert_array_equal(from_unit(to_unit(codes, kind, span), kind, span), codes)


def test_black_and_white_mean_the_same_in_both_ranges():
    kind = sampling("yuv420p")
    studio = to_unit(np.array([[16, 235]], np.uint8), kind, ColorRange.MPEG)
    full = to_unit(np.array([[0, 255]], np.uint8), kind, ColorRange.JPEG)
    np.testing.assert_allclose(full, studio, atol=1e-6)


@pytest.mark.parametrize(("form", "equivalent"), [
    ("nv12", "yuv420p"), ("p010le", "yuv420p10le"), ("rgb24", "yuv444p"), ("yuvj422p", "yuv422p"), ("gbrp10le", "yuv444p10le"),
    ("yuva420p", "yuv420p"), ("pal8", "yuv444p"), ("yuyv422", "yuv422p"),
])  # fmt: skip
def test_other_formats_become_the_planar_one_that_holds_them(form, equivalent):
    assert planar_equivalent(form) == equivalent


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_chroma_stays_where_it_lies(form, scale):
    """A ramp over luma positions is the same ramp after upscaling: no shift against luma."""
    kind = sampling(form)
    width, height = 32, 24
    wide, tall = kind.chroma_size(width, height)
    x = np.arange(wide) * kind.across + (0.5 if kind.across == 2 else 0.5 * kind.across)
    y = np.arange(tall) * kind.down + 0.5 * kind.down
    plane = np.round(100 + 8 * x[None] + 8 * y[:, None]).astype(np.uint16)
    out = upscale_chroma(plane, kind, scale, width * scale, height * scale)
    assert out.shape == kind.chroma_size(width * scale, height * scale)[::-1]
    x_out = (np.arange(out.shape[1]) * kind.across + (0.5 if kind.across == 2 else 0.5 * kind.across)) / scale
    y_out = (np.arange(out.shape[0]) * kind.down + 0.5 * kind.down) / scale
    inside = np.s_[3 * scale : -3 * scale, 3 * scale : -3 * scale]
    np.testing.assert_allclose(out[inside], (100 + 8 * x_out[None] + 8 * y_out[:, None])[inside], atol=1.01)


@given(st.permutations(range(8)), st.lists(st.integers(1, 1000), min_size=8, max_size=8))
def test_decoding_times_grow_and_are_never_after_showing(order, gaps):
    stamps = np.cumsum(gaps)
    pts = [int(stamps[i]) for i in order]
    dts = decoding_times(pts)
    assert all(a < b for a, b in itertools.pairwise(dts))
    assert all(decoded <= shown for decoded, shown in zip(dts, pts, strict=True))


def test_the_film_is_the_network_on_its_luma(tmp_path, model):
    source = store_clip(tmp_path / "clip.mkv", 5, codec="ffv1", size=(31, 17))
    output = output_of(upscaled(model, source, codec="ffv1"))
    network = read(model)
    for before, after in zip(frames_of(source), frames_of(output), strict=True):
        expected = reference(network, luma_of(before).astype(np.float32) / 255) * 255
        assert (after.width, after.height) == (62, 34)
        assert np.abs(luma_of(after) - expected).max() < 0.51


@pytest.mark.parametrize("form", FORMS[:6])
def test_depth_and_chroma_format_are_kept(tmp_path, model, form):
    source = store_clip(tmp_path / "clip.mkv", 3, codec="ffv1", form=form)
    output = output_of(upscaled(model, source, codec="ffv1"))
    made = frames_of(output)[0]
    assert made.format.name == form
    if "10" in form:
        assert np.any(luma_of(made) % 4), "all ten bits are used"


def test_sound_subtitles_chapters_attachments_and_notes_are_copied(tmp_path, model):
    source = store_rich(tmp_path / "rich.mkv")
    output = output_of(upscaled(model, source))
    assert packets_of(output, "audio") == packets_of(source, "audio")
    assert packets_of(output, "subtitle") == packets_of(source, "subtitle")
    with av.open(str(source)) as before, av.open(str(output)) as after:
        assert after.metadata["title"] == "A film"
        assert after.chapters() == before.chapters()
        assert [stream.type for stream in after.streams] == ["video", "audio", "subtitle", "attachment"]
        assert after.streams[1].metadata["language"] == "deu"
        assert after.streams.attachments[0].data == b"font"


def store_rich(path):
    plain = store_clip(path.with_name("plain.mkv"), 10, sound=True)
    subtitles = path.with_name("words.srt")
    subtitles.write_text("1\n00:00:00,100 --> 00:00:00,300\nHello\n")
    with av.open(str(plain)) as film, av.open(str(subtitles)) as words, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in film.streams]
        streams[1].metadata["language"] = "deu"
        lines = out.add_stream_from_template(words.streams[0], opaque=True)
        out.add_attachment("font.ttf", "font/ttf", b"font")
        out.metadata["title"] = "A film"
        out.set_chapters([{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}])
        for packet in film.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
        for packet in words.demux():
            if packet.size:
                packet.stream = lines
                out.mux(packet)
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
def test_time_stamps_of_a_film_with_b_frames_and_sound_are_kept(tmp_path, model, name):
    source = store_clip(tmp_path / name, 20, options={"bf": "3", "x264-params": "b-adapt=0"}, sound=True)
    output = output_of(upscaled(model, source))
    assert times_of(output) == times_of(source)
    assert packets_of(output, "audio") == packets_of(source, "audio")
    with av.open(str(source)) as before, av.open(str(output)) as after:
        assert after.streams.video[0].duration == before.streams.video[0].duration


def test_a_variable_frame_rate_is_kept(tmp_path, model):
    pts = [0, 512, 600, 3000, 3001, 9000, 9512, 20000, 20512, 40000]
    source = store_clip(tmp_path / "clip.mp4", 10, pts=pts, sound=True)
    assert [moment * 12800 for moment in times_of(output_of(upscaled(model, source)))] == pts


def test_several_pieces_are_one_film(tmp_path, model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 7)
    source = store_clip(tmp_path / "clip.mp4", 23, options={"bf": "2"})
    output = output_of(upscaled(model, source))
    assert times_of(output) == times_of(source)
    assert [path for path in tree(tmp_path) if "addersesr" in path] == [], "the pieces are gone"


def test_a_cancelled_film_goes_on_and_is_the_same(tmp_path, model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 5)
    whole = store_clip(tmp_path / "whole.mp4", 23, options={"bf": "2"}, moments=[i // 3 for i in range(23)])
    part = tmp_path / "part.mp4"
    shutil.copy(whole, part)
    expected = output_of(upscaled(model, whole))
    asked = iter([False] * 14)
    with pytest.raises(Cancelled):
        upscaled(model, part, lambda: next(asked, True))
    assert not (tmp_path / "part_x2.mp4").exists()
    events = upscaled(model, part)
    assert any("going on after frame" in event.message for event in events if isinstance(event, Warned))
    first = next(event for event in events if isinstance(event, Progress))
    assert first.done > 5
    again = frames_of(output_of(events))
    for one, other in zip(frames_of(expected), again, strict=True):
        assert one.pts == other.pts
        np.testing.assert_array_equal(luma_of(one), luma_of(other))


def test_pieces_of_another_job_are_not_taken(tmp_path, model, monkeypatch):
    monkeypatch.setattr(video_segments, "FRAMES", 4)
    source = store_clip(tmp_path / "clip.mp4", 12)
    asked = iter([False] * 10)
    with pytest.raises(Cancelled):
        upscaled(model, source, lambda: next(asked, True))
    output = output_of(upscaled(model, source, quality=30))
    with av.open(str(output)) as container:
        assert len(list(container.decode(video=0))) == 12


def test_what_does_not_change_is_not_computed_again(tmp_path, model):
    still = store_clip(tmp_path / "still.mkv", 20, codec="ffv1", moments=[0] * 20)
    moving = store_clip(tmp_path / "moving.mkv", 20, codec="ffv1")
    spared, full = upscaled(model, still, codec="ffv1"), upscaled(model, moving, codec="ffv1")
    message = next(event.message for event in spared if isinstance(event, Warned))
    assert message.startswith("95 % of the work was spared")
    assert not [event for event in full if isinstance(event, Warned)]
    energy = [event.energy.arithmetic_mj for events in (spared, full) for event in events if isinstance(event, Finished)]
    assert energy[0] == pytest.approx(energy[1] / 20)
    frames = frames_of(output_of(spared))
    assert all(np.array_equal(luma_of(made), luma_of(frames[0])) for made in frames)


def test_a_small_change_is_computed_alone_and_gives_the_same(tmp_path, model):
    def dot(made):
        x = 5 + 2 * (made.pts // 512)
        view = np.frombuffer(memoryview(made.planes[0]), np.uint8).reshape(made.planes[0].height, -1)
        view[10:13, x : x + 3] = 255

    source = store_clip(tmp_path / "dot.mkv", 8, codec="ffv1", size=(96, 64), moments=[0] * 8, edit=dot)
    events = upscaled(model, source, codec="ffv1")
    assert any("spared" in event.message for event in events if isinstance(event, Warned))
    network = read(model)
    for before, after in zip(frames_of(source), frames_of(output_of(events)), strict=True):
        expected = reference(network, luma_of(before).astype(np.float32) / 255) * 255
        assert np.abs(luma_of(after) - expected).max() < 0.51


def test_colour_shape_and_rotation_are_carried_over(tmp_path, model):
    def prepare(container, stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 14, 9, 2
        context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    source = store_clip(tmp_path / "clip.mp4", 3, form="yuv420p10le", prepare=prepare)
    output = output_of(upscaled(model, source))
    before, after = examine(source), examine(output)
    assert (after.colours, after.aspect, after.rotation) == (before.colours, before.aspect, before.rotation)
    assert after.colours.range == 2
    assert after.colours.primaries == 9
    assert after.rotation == 90
    assert after.form.bits == 10


def test_high_dynamic_range_keeps_its_light(tmp_path, model):
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400:hdr10=1:log-level=none"

    def prepare(container, stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9

    source = store_clip(
        tmp_path / "hdr.mp4", 3, form="yuv420p10le", codec="libx265", options={"x265-params": light}, prepare=prepare, size=(64, 48)
    )
    output = output_of(upscaled(model, source))
    before, after = examine(source), examine(output)
    assert before.light
    assert after.light == before.light
    assert "G(13250,34500)" in mastering_words(dict(after.light)["MASTERING_DISPLAY_METADATA"])
    assert frames_of(output)[0].format.name == "yuv420p10le"


def test_interlaced_film_is_deinterlaced_unless_told_otherwise(tmp_path, model):
    def comb(made):
        """A bar that moves with every field."""
        view = np.frombuffer(memoryview(made.planes[0]), np.uint8).reshape(made.planes[0].height, -1)
        view[...] = 60
        for field in range(2):
            x = 8 * (made.pts // 512) + 4 * field
            view[field::2, x : x + 12] = 180

    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1", "qp": "0"}
    source = store_clip(tmp_path / "tv.mkv", 6, options=options, size=(64, 64), edit=comb)
    assert examine(source).interlaced
    for keep in (False, True):
        events = upscaled(model, source, codec="ffv1", keep_interlaced=keep, existing="overwrite")
        made = luma_of(frames_of(output_of(events))[2]).astype(int)[8:-8]
        combing = np.abs(made[2:-2] - (made[:-4] + made[4:]) / 2).mean()
        assert (combing > 4) == keep, combing
        assert any("interlaced" in event.message for event in events if isinstance(event, Warned)) != keep
        assert times_of(output_of(events)) == times_of(source)


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.ts"])
def test_a_damaged_stretch_is_told_and_the_rest_is_done(tmp_path, model, name):
    source = store_clip(tmp_path / name, 60, options={"g": "10", "bf": "0"}, size=(64, 48))
    assert not [event for event in upscaled(model, source) if isinstance(event, Warned)]
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = b"\x55" * 600
    source.write_bytes(data)
    events = upscaled(model, source, existing="overwrite")
    assert any("damaged at 0:00:0" in event.message for event in events if isinstance(event, Warned))
    shown = times_of(output_of(events))
    assert len(shown) >= 40
    assert shown == sorted(set(shown))
    assert shown[-1] - shown[0] == Fraction(59, 25), "what is left is shown when it was"


def test_a_film_to_an_exact_and_odd_size(tmp_path, model):
    source = store_clip(tmp_path / "clip.mp4", 3, size=(48, 32))
    [finished] = [event for event in upscaled(model, source, target=Target(width=75)) if isinstance(event, Finished)]
    assert (finished.width, finished.height) == (74, 50)
    made = frames_of(tmp_path / "clip_x2.mp4")[0]
    assert (made.width, made.height) == (74, 50)


@pytest.mark.parametrize("name", ["clip.webm", "clip.avi", "clip.ts", "clip.m4v"])
def test_every_container_can_be_written(tmp_path, model, name):
    source = store_clip(tmp_path / "clip.mp4", 6, size=(64, 64))
    output = output_of(upscaled(model, source, destination=tmp_path / name))
    assert output.name == name
    assert len(frames_of(output)) == 6


@pytest.mark.parametrize(
    ("codec", "name", "form"),
    [("x265", "o.mp4", "yuv420p"), ("av1", "o.mp4", "yuv420p"), ("vp9", "o.webm", "yuv420p"), ("prores", "o.mov", "yuv422p10le")],
)
def test_every_codec_gives_the_film(tmp_path, model, codec, name, form):
    source = store_clip(tmp_path / "clip.mkv", 6, size=(64, 64), codec="ffv1", sound=codec != "vp9")
    output = output_of(upscaled(model, source, destination=tmp_path / name, codec=codec, quality=90))
    made = frames_of(output)
    network = read(model)
    assert [frame.format.name for frame in made] == [form] * 6
    assert times_of(output) == times_of(source)
    expected = reference(network, luma_of(frames_of(source)[3]).astype(np.float32) / 255)
    got = luma_of(made[3]) / ((1 << made[3].format.components[0].bits) - 1)
    assert np.abs(got - expected).mean() < 0.02


def test_what_the_container_cannot_hold_is_left_out_and_said(tmp_path, model):
    source = store_rich(tmp_path / "rich.mkv")
    events = upscaled(model, source, destination=tmp_path / "out.mp4")
    assert any("subtitle stream" in event.message and "left out" in event.message for event in events if isinstance(event, Warned))
    assert [data for _, data in packets_of(tmp_path / "out.mp4", "audio")] == [data for _, data in packets_of(source, "audio")]


def test_numbered_pictures_are_a_film(tmp_path, model):
    folder = tmp_path / "frames"
    for number in (7, 8, 9, 10, 12):
        store(folder / f"shot_{number:03d}.png", 24, 16, seed=number)
    output = output_of(upscaled(model, folder / "shot_%03d.png", codec="ffv1"))
    assert output == folder / "shot_x2.mkv"
    made = frames_of(output)
    assert [(len(made), made[0].width, made[0].height)] == [(4, 48, 32)], "the run ends where a number is missing"
    assert sequence(folder / "none_%03d.png") is None
    assert sequence(folder / "shot_007.png") is None


def test_a_file_that_is_no_video_fails_alone(tmp_path, model):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    events = upscaled(model, bad)
    assert [type(event) for event in events][1:] == [Failed, Summary]
    assert events[1].error == "VideoError"
    assert str(bad) in events[1].message


def test_items_are_made_ahead_but_not_without_end():
    made = []

    def items():
        for i in range(1000):
            made.append(i)
            yield i

    running = ahead(items(), 3)
    assert [next(running) for _ in range(2)] == [0, 1]
    running.close()
    assert len(made) <= 8


def test_an_error_comes_in_its_turn():
    def items():
        yield 1
        raise OSError("gone")

    running = ahead(items(), 3)
    assert next(running) == 1
    with pytest.raises(OSError, match="gone"):
        next(running)
