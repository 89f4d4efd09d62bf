from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.events import Finished, Warned
from engine.reference import run as reference
from engine.selection import Target
from engine.sequences import sequence
from engine.video_codecs import mastering_words
from engine.video_planes import sampling
from engine.video_source import examine
from engine.weights import read
from tests.clips import frames_of, luma_of, store_clip, times_of
from tests.commands import store
from tests.films import output_of, upscaled

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


def test_high_dynamic_range_keeps_its_light(tmp_path, film_model):
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400:hdr10=1:log-level=none"

    def prepare(container, stream):
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9

    source = store_clip(
        tmp_path / "hdr.mp4", 3, form="yuv420p10le", codec="libx265", options={"x265-params": light}, prepare=prepare, size=(64, 48)
    )
    output = output_of(upscaled(film_model, source))
    before, after = examine(source), examine(output)
    assert before.light
    assert after.light == before.light
    assert "G(13250,34500)" in mastering_words(dict(after.light)["MASTERING_DISPLAY_METADATA"])
    assert frames_of(output)[0].format.name == "yuv420p10le"


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
