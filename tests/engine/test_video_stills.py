"""Any frame of a film on the screen, with its live preview: the pixels of the film that a job makes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from engine.backends import choose
from engine.events import Planned
from engine.serve.protocol import Region
from engine.serve.sights import film_facts, thumbnail, upscale_region
from engine.serve.video_stills import frame_at
from engine.serve.wire import parse_event
from engine.upscaler import Upscaler
from engine.video_planes import Planes, planes_of, sampling
from engine.video_rgb import to_rgb, upright
from engine.video_source import Colours, examine
from engine.weights import read
from tests.clips import frames_of, luma_of, store_clip, store_walk
from tests.films import output_of, upscaled
from tests.tv import moments, pulled_down, store, woven


def shown(path, number):
    """A frame of a film as RGB, by this film's own description, upright."""
    info = examine(path)
    return upright(to_rgb(planes_of(frames_of(path)[number], info.form), info.form, info.colours, info.height), info)


def check_regions(upscaler, still, whole, rng):
    """What is previewed of some places of a frame is what the film's frame shows there."""
    height, width = (side // 2 for side in whole.shape[:2])
    assert (still.width, still.height) == (width, height)
    for _ in range(3):
        x, y = int(rng.integers(0, width - 20)), int(rng.integers(0, height - 20))
        region = Region(x, y, int(rng.integers(1, 20)), int(rng.integers(1, 20)))
        made = upscale_region(upscaler, still, region, lambda: False).pixels
        part = whole[2 * y : 2 * (y + region.height), 2 * x : 2 * (x + region.width)]
        apart = np.abs(made.astype(int) - part.astype(int))
        assert apart.max() <= (1 if made.dtype == np.uint8 else 64), "but for the last bit of a sum in another order"


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray"])
@pytest.mark.parametrize("size", [(96, 64), (95, 63)])
def test_what_is_previewed_of_a_frame_is_what_the_film_shows(tmp_path, film_model, form, size, rng):
    if form == "gray":
        source = store_clip(tmp_path / "clip.mkv", 30, codec="ffv1", form=form, size=size)
    else:
        source = store_walk(tmp_path / "clip.mkv", 30, codec="ffv1", form=form, size=size)
    film = output_of(upscaled(film_model, source, codec="ffv1"))
    upscaler = Upscaler(choose.create(read(film_model), "onnx", threads=1))
    for number in (0, 13, 29):
        check_regions(upscaler, frame_at(source, number / 25), shown(film, number), rng)


@pytest.mark.parametrize("angle", [90, 180, -90])
def test_a_turned_film_is_shown_and_previewed_upright(tmp_path, film_model, angle, rng):
    source = store_walk(tmp_path / "clip.mp4", 3, size=(96, 64), prepare=lambda _, stream: stream.set_display_rotation(angle))
    still = frame_at(source, 0.04)
    player = cv2.VideoCapture(str(source))
    seen = [player.read()[1][..., ::-1] for _ in range(2)][1]
    assert still.pixels.shape == seen.shape == ((64, 96, 3) if angle == 180 else (96, 64, 3))
    assert np.abs(still.pixels.astype(int) - seen).mean() < 3, "as another player shows it"
    film = output_of(upscaled(film_model, source, codec="ffv1", destination=tmp_path / "film.mkv"))
    check_regions(Upscaler(choose.create(read(film_model), "onnx", threads=1)), still, shown(film, 1), rng)


@pytest.mark.parametrize("kind", ["interlaced", "telecined"])
def test_fields_are_taken_apart_in_the_preview_as_in_the_film(tmp_path, film_model, kind, rng):
    pictures = woven(moments()) if kind == "interlaced" else woven(pulled_down(moments()))
    source = store(tmp_path / "tv.mkv", pictures, count=75)
    film = output_of(upscaled(film_model, source, codec="ffv1"))
    upscaler = Upscaler(choose.create(read(film_model), "onnx", threads=1))
    for number in (0, 42, 73):
        still = frame_at(source, number / 25, deinterlaced=True)
        if number:  # the first of a telecined film is whole
            assert np.abs(still.pixels.astype(int) - frame_at(source, number / 25).pixels).max() > 20, "not as it is stored"
        check_regions(upscaler, still, shown(film, number), rng)


def test_the_frames_time_and_the_films_length_are_told(tmp_path):
    source = store_clip(tmp_path / "clip.mp4", 50, options={"bf": "2"})
    facts = film_facts(frame_at(source, 1.01))
    assert facts.at_s == pytest.approx(1.0)
    assert (facts.frames_a_second, facts.seconds, facts.interlaced) == (25.0, pytest.approx(2.0), False)


def test_a_film_has_a_thumbnail(tmp_path):
    small, width, height = thumbnail(store_walk(tmp_path / "clip.mp4", 50, size=(160, 96)), 96)
    assert (small.width, small.height, width, height) == (80, 48, 160, 96)
    assert small.pixels.std() > 5


@pytest.mark.parametrize(("matrix", "height"), [(1, 64), (5, 64), (6, 64), (9, 64), (2, 64), (2, 720)])
@pytest.mark.parametrize("span", [ColorRange.MPEG, ColorRange.JPEG])
def test_primary_colours_come_out_pure(matrix, height, span):
    """White, black, red, green and blue, encoded by the standards' own formulas."""
    form = sampling("yuv444p10le")
    red, blue = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(1 if (matrix, height) == (2, 720) else matrix, (0.299, 0.114))
    rgb = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    y = rgb @ [red, 1 - red - blue, blue]
    cb, cr = (rgb[:, 2] - y) / (2 - 2 * blue), (rgb[:, 0] - y) / (2 - 2 * red)
    scale, black, chroma = (1023, 0, 1023) if span == ColorRange.JPEG else (876, 64, 896)
    planes = [np.round(plane)[None].astype(np.uint16) for plane in (y * scale + black, cb * chroma + 512, cr * chroma + 512)]
    out = to_rgb(Planes(planes[0], (planes[1], planes[2])), form, Colours(matrix, 1, matrix, span), height)
    np.testing.assert_allclose(out[0] / 65535, rgb, atol=0.003)


def test_luma_of_a_frame_is_that_of_the_file(tmp_path):
    source = store_clip(tmp_path / "clip.mkv", 3, codec="ffv1")
    np.testing.assert_array_equal(frame_at(source, 0.04).planes.luma, luma_of(frames_of(source)[1]))


def test_a_plan_is_told_over_the_wire(tmp_path, film_model):
    [planned] = [event for event in upscaled(film_model, store_clip(tmp_path / "clip.mp4", 20), dry=True) if isinstance(event, Planned)]
    assert parse_event(planned.to_json()[:-1] + ', "id": 3}').event == planned
