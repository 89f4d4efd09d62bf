from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from engine import images
from engine.errors import Cancelled
from engine.events import Failed, Finished, Warned
from engine.reference import run as reference
from engine.selection import Target
from engine.sequences import sequence
from engine.video_codecs import CODERS, HARDWARE, mastering_words, trouble
from engine.video_planes import planes_of, sampling
from engine.video_rgb import to_rgb
from engine.video_source import examine
from engine.weights import read
from tests.clips import frames_of, luma_of, store_clip, store_walk, times_of
from tests.commands import store, tree
from tests.films import output_of, upscaled, warnings_of

FORMS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le"]


@pytest.mark.parametrize("form", FORMS)
def test_depth_and_chroma_format_are_kept(tmp_path, film_model, form):
    source = store_clip(tmp_path / "clip.mkv", 3, codec="ffv1", form=form)
    output = output_of(upscaled(film_model, source, codec="ffv1"))
    made = frames_of(output)[0]
    assert made.format.name == form
    if "10" in form:
        assert np.any(luma_of(made) % 4), "all ten bits are used"


@pytest.mark.parametrize(("form", "codec", "stored"), [
    ("gray", "ffv1", "gray"), ("gray10le", "x264", None), ("gray", "av1", "yuv420p"), ("gray", "vp9", "yuv420p"), ("gray", "prores", None),
])  # fmt: skip
def test_a_grey_film_keeps_its_greys(tmp_path, film_model, form, codec, stored):
    source = store_clip(tmp_path / "clip.mkv", 3, codec="ffv1", form=form, size=(64, 64))
    made = frames_of(output_of(upscaled(film_model, source, codec=codec, quality=95)))[1]
    bits = made.format.components[0].bits
    expected = reference(read(film_model), luma_of(frames_of(source)[1]) / np.float32((1 << sampling(form).bits) - 1))
    assert stored in (None, made.format.name)
    assert np.abs(luma_of(made) / ((1 << bits) - 1) - expected).mean() < 0.01


def test_colour_shape_and_rotation_are_carried_over(tmp_path, film_model):
    def prepare(container, stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 14, 9, 2
        context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    source = store_clip(tmp_path / "clip.mp4", 3, form="yuv420p10le", prepare=prepare)
    output = output_of(upscaled(film_model, source))
    before, after = examine(source), examine(output)
    assert (after.colours, after.aspect, after.rotation) == (before.colours, before.aspect, before.rotation)
    assert after.colours.range == 2
    assert after.colours.primaries == 9
    assert after.rotation == 90
    assert after.form.bits == 10


@pytest.mark.parametrize(("codec", "name"), [("auto", "o.mp4"), ("x265", "o.mkv"), ("av1", "o.mkv"), ("av1", "o.webm"), ("x264", "o.mkv")])
def test_high_dynamic_range_keeps_its_light(tmp_path, film_model, codec, name):
    source = store_hdr(tmp_path / "hdr.mp4")
    events = upscaled(film_model, source, codec=codec, destination=tmp_path / name)
    before, after = examine(source), examine(output_of(events))
    assert len(before.light) == 2
    assert after.colours == before.colours
    assert after.form.name == "yuv420p10le"
    lost = [text for text in warnings_of(events) if "HDR metadata" in text]
    assert bool(lost) == (codec == "x264")
    if not lost:
        assert light_of(after) == pytest.approx(light_of(before), rel=0.001), "but for the codec's own rounding"
    assert "G(13250,34500)" in mastering_words(dict(before.light)["MASTERING_DISPLAY_METADATA"])


def store_hdr(path):
    """A film in HDR10."""
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400:hdr10=1:log-level=none"

    def prepare(container, stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9

    return store_clip(path, 3, form="yuv420p10le", codec="libx265", options={"x265-params": light}, prepare=prepare, size=(64, 48))


def light_of(info):
    """A mastering display's ten numbers and the two light levels."""
    mastering, level = (dict(info.light)[name] for name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"))
    numbers = struct.unpack_from("=20i", mastering)
    return [a / b for a, b in zip(numbers[::2], numbers[1::2], strict=True)] + list(struct.unpack_from("=II", level))


@pytest.mark.parametrize("codec", ["ffv1", "vp9", "x264"])
def test_colours_are_told_by_the_container_where_the_codec_does_not(tmp_path, film_model, codec):
    def prepare(container, stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 14, 9, 1

    source = store_clip(tmp_path / "clip.mkv", 3, form="yuv420p", prepare=prepare)
    assert examine(output_of(upscaled(film_model, source, codec=codec))).colours == examine(source).colours


def test_bits_and_colour_that_a_codec_does_not_hold_are_said(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mkv", 3, form="yuv444p10le", codec="ffv1", size=(64, 64))
    told = warnings_of(upscaled(film_model, source, codec="vp9"))
    assert any("8 bits a sample" in text for text in told)
    assert any("colour resolution" in text for text in warnings_of(upscaled(film_model, source, codec="av1")))


def test_interlaced_film_is_deinterlaced_unless_told_otherwise(tmp_path, film_model):
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
        events = upscaled(film_model, source, codec="ffv1", keep_interlaced=keep, existing="overwrite")
        made = luma_of(frames_of(output_of(events))[2]).astype(int)[8:-8]
        combing = np.abs(made[2:-2] - (made[:-4] + made[4:]) / 2).mean()
        assert (combing > 4) == keep, combing
        assert any("interlaced" in event.message for event in events if isinstance(event, Warned)) != keep
        assert times_of(output_of(events)) == times_of(source)


def test_a_film_to_an_exact_and_odd_size(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mp4", 3, size=(48, 32))
    [finished] = [event for event in upscaled(film_model, source, target=Target(width=75)) if isinstance(event, Finished)]
    assert (finished.width, finished.height) == (74, 50)
    made = frames_of(tmp_path / "clip_x2.mp4")[0]
    assert (made.width, made.height) == (74, 50)


@pytest.mark.parametrize("name", ["clip.webm", "clip.avi", "clip.ts", "clip.m4v"])
def test_every_container_can_be_written(tmp_path, film_model, name):
    source = store_clip(tmp_path / "clip.mp4", 6, size=(64, 64))
    output = output_of(upscaled(film_model, source, destination=tmp_path / name))
    assert output.name == name
    assert len(frames_of(output)) == 6


@pytest.mark.parametrize(
    ("codec", "name", "form"),
    [("x265", "o.mp4", "yuv420p"), ("av1", "o.mp4", "yuv420p"), ("vp9", "o.webm", "yuv420p"), ("prores", "o.mov", "yuv422p10le")],
)
def test_every_codec_gives_the_film(tmp_path, film_model, codec, name, form):
    source = store_clip(tmp_path / "clip.mkv", 6, size=(64, 64), codec="ffv1", sound=codec != "vp9")
    output = output_of(upscaled(film_model, source, destination=tmp_path / name, codec=codec, quality=90))
    made = frames_of(output)
    network = read(film_model)
    assert [frame.format.name for frame in made] == [form] * 6
    assert times_of(output) == times_of(source)
    expected = reference(network, luma_of(frames_of(source)[3]).astype(np.float32) / 255)
    got = luma_of(made[3]) / ((1 << made[3].format.components[0].bits) - 1)
    assert np.abs(got - expected).mean() < 0.02


def test_numbered_pictures_are_a_film(tmp_path, film_model):
    folder = tmp_path / "frames"
    for number in (7, 8, 9, 10, 12):
        store(folder / f"shot_{number:03d}.png", 24, 16, seed=number)
    output = output_of(upscaled(film_model, folder / "shot_%03d.png", codec="ffv1"))
    assert output == folder / "shot_x2.mkv"
    made = frames_of(output)
    assert [(len(made), made[0].width, made[0].height)] == [(4, 48, 32)], "the run ends where a number is missing"
    assert sequence(folder / "none_%03d.png") is None
    assert sequence(folder / "shot_007.png") is None


def test_hardware_that_is_not_there_gives_way_to_the_processor_and_says_so(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mp4", 3, size=(64, 64))
    problems = {name: trouble(name) for name in HARDWARE}
    missing = next(name for name in HARDWARE if problems[name])  # no computer has all of them
    events = upscaled(film_model, source, codec=missing)
    output = output_of(events)
    [told] = [text for text in warnings_of(events) if missing in text]
    assert CODERS[missing].stand_in in told
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == ("h264" if missing.startswith("h264") else "hevc")


@pytest.mark.parametrize("name", HARDWARE)
def test_hardware_that_is_there_makes_the_film(tmp_path, film_model, name):
    if problem := trouble(name):
        pytest.skip(f"{name}: {problem}")
    source = store_clip(tmp_path / "clip.mp4", 6, size=(256, 256))
    events = upscaled(film_model, source, codec=name)
    assert not warnings_of(events)
    assert times_of(output_of(events)) == times_of(source)


def test_software_encoders_are_no_trouble():
    assert [trouble(name) for name in ("x264", "x265", "av1", "vp9", "ffv1", "prores")] == [None] * 6


def test_h265_narrower_than_it_can_be_is_refused(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mp4", 3, size=(16, 16))
    [failed] = [event for event in upscaled(film_model, source, codec="x265") if isinstance(event, Failed)]
    assert "64 pixels" in failed.message
    assert not list(tmp_path.glob("*_x2*"))


@pytest.mark.parametrize(("codec", "grades"), [("x264", ["small", "balanced", "high"]), ("av1", ["small", "balanced", "high"])])
def test_words_for_quality_mean_larger_and_better(tmp_path, film_model, codec, grades):
    source = store_walk(tmp_path / "clip.mkv", 12, size=(64, 64), codec="ffv1")
    sizes = [output_of(upscaled(film_model, source, codec=codec, grade=grade, existing="overwrite")).stat().st_size for grade in grades]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.8 * sizes[-1]


@pytest.mark.parametrize("codec", ["x264", "x265", "vp9"])
def test_lossless_is_lossless(tmp_path, film_model, codec):
    source = store_walk(tmp_path / "clip.mkv", 4, size=(64, 64), codec="ffv1")
    exact = frames_of(output_of(upscaled(film_model, source, codec="ffv1")))
    made = frames_of(output_of(upscaled(film_model, source, codec=codec, grade="lossless")))
    for one, other in zip(exact, made, strict=True):
        np.testing.assert_array_equal(luma_of(one), luma_of(other))


@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le"])
def test_a_film_becomes_numbered_pictures_and_those_a_film_again(tmp_path, film_model, form):
    source = store_walk(tmp_path / "clip.mkv", 7, size=(33, 21), codec="ffv1", form=form)
    film = output_of(upscaled(film_model, source, codec="ffv1"))
    (tmp_path / "out").mkdir()
    pattern = output_of(upscaled(film_model, source, destination=tmp_path / "out" / "shot_%03d.png"))
    assert tree(tmp_path / "out") == [f"shot_{number:03d}.png" for number in range(1, 8)]
    info = examine(film)
    for number, made in enumerate(frames_of(film), 1):
        stored = images.read(tmp_path / "out" / f"shot_{number:03d}.png").pixels
        np.testing.assert_array_equal(stored, to_rgb(planes_of(made, info.form), info.form, info.colours, 21))
    again = output_of(upscaled(film_model, pattern, destination=tmp_path / "again.mkv", codec="ffv1"))
    assert len(frames_of(again)) == 7


def test_numbered_pictures_go_on_where_they_were_left_and_replace_nothing(tmp_path, film_model):
    source = store_clip(tmp_path / "clip.mkv", 12, codec="ffv1")
    asked = iter([False] * 12)
    with pytest.raises(Cancelled):
        upscaled(film_model, source, lambda: next(asked, True), destination=tmp_path / "f_%d.png")
    made = len(list(tmp_path.glob("f_*.png")))
    assert 0 < made < 12
    events = upscaled(film_model, source, destination=tmp_path / "f_%d.png")
    assert warnings_of(events) == [f"going on after frame {made}, where an earlier run ended"]
    assert [name for name in tree(tmp_path) if name != "clip.mkv"] == sorted(f"f_{number}.png" for number in range(1, 13))
    [failed] = [event for event in upscaled(film_model, source, destination=tmp_path / "f_%d.png") if isinstance(event, Failed)]
    assert "exists already" in failed.message


def test_a_few_interlaced_frames_are_enough_to_be_recognised_and_none_are_not(tmp_path):
    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1"}
    assert examine(store_clip(tmp_path / "tv.mkv", 3, options=options, size=(64, 64))).interlaced
    assert not examine(store_clip(tmp_path / "film.mkv", 3, size=(64, 64))).interlaced
