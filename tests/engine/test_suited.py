"""The network that suits a file is found from the file's own bytes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import cv2
import pytest

from engine import jobs, weights
from engine.catalogue import Catalogue
from engine.events import Finished, Warned
from engine.material import preferred, suiting, trained_for
from engine.network import NetworkSpec
from engine.selection import Target
from engine.suited import finding, jpeg_quality
from tests.clips import store_clip
from tests.commands import ROOT, mild_model, photo, store

CLEAN, PHOTO, VIDEO = "sesr-m5-x2", "sesr-m11-x2-photo", "sesr-m11-x2-video"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A catalogue with one small network for each material, the clean one first."""
    folder = tmp_path_factory.mktemp("models")
    model = mild_model(NetworkSpec(2, 1, 4))
    for name in (CLEAN, PHOTO, VIDEO):
        weights.write(replace(model, id=name), folder / f"{name}.safetensors")
    (folder / "catalogue.toml").write_text(f'order = ["{CLEAN}", "{PHOTO}", "{VIDEO}"]', "utf-8")
    return Catalogue([folder])


def store_jpeg(path, quality, ending=".jpg"):
    option = cv2.IMWRITE_JPEG_QUALITY if ending == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
    done, data = cv2.imencode(ending, photo(64, 48), [option, quality])
    assert done
    path.write_bytes(data.tobytes())
    return path


def events_of(shelf, path, **settings):
    job = jobs.Job((path,), jobs.Settings(backend="onnx", threads=1, **settings))
    return list(jobs.run(job, jobs.Tools(shelf)))


def used(events):
    return {event.input.rsplit("/", 1)[1]: event.model for event in events if isinstance(event, Finished)}


def test_a_named_network_gives_way_where_that_is_wanted(shelf, tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    store_jpeg(folder / "photo.jpg", 50)
    store(folder / "drawing.png", 32, 24)
    store_clip(folder / "clip.mp4", 3, size=(64, 64))
    for named in (CLEAN, PHOTO):
        found = used(events_of(shelf, folder, model=named, suited=True, existing="overwrite"))
        assert found == {"photo.jpg": PHOTO, "drawing.png": CLEAN, "clip.mp4": VIDEO}
    assert set(used(events_of(shelf, folder, model=PHOTO, existing="overwrite")).values()) == {PHOTO}


def test_names_tell_the_network_that_is_used(shelf, tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    store_jpeg(folder / "photo.jpg", 50)
    store(folder / "drawing.png", 32, 24)
    store_clip(folder / "clip.mp4", 3, size=(64, 64))
    out = tmp_path / "out"
    for path in sorted(folder.iterdir()):
        events_of(shelf, path, template="{stem}-{model}-{precision}", destination=out)
    names = {path.name for path in out.iterdir()}
    assert names == {f"photo-{PHOTO}-fp32.jpg", f"drawing-{CLEAN}-fp32.png", f"clip-{VIDEO}-fp32.mp4"}


def test_the_name_tells_the_network_that_a_size_asks_for(tmp_path):
    shelf = Catalogue([tmp_path / "models"])
    (tmp_path / "models").mkdir()
    for scale in (2, 4):
        weights.write(replace(mild_model(NetworkSpec(scale, 1, 4)), id=f"n-x{scale}"), tmp_path / "models" / f"n-x{scale}.safetensors")
    source, film = store(tmp_path / "photo.png", 24, 16), store_clip(tmp_path / "clip.mp4", 2, size=(64, 64))
    events_of(shelf, source, template="{stem}-{model}", target=Target(width=90))
    events_of(shelf, source, template="{stem}-{model}", target=Target(width=40))
    events_of(shelf, film, template="{stem}-{model}", target=Target(width=192))
    assert {path.name for path in tmp_path.glob("*-n-*")} == {"photo-n-x4.png", "photo-n-x2.png", "clip-n-x4.mp4"}


@pytest.mark.parametrize(
    ("chosen", "material", "expected"),
    [
        ("a", "photo", "a-photo"),
        ("b", "photo", "b-photo"),
        ("b-photo", "clean", "b"),
        ("c", "photo", "a-photo"),
        ("a", "video", "a"),
        ("d", "photo", "d"),
    ],
)
def test_the_network_of_the_same_shape_goes_before_others(chosen, material, expected):
    shapes = {"a": NetworkSpec(2, 1, 4), "b": NetworkSpec(2, 2, 4), "c": NetworkSpec(2, 3, 4), "d": NetworkSpec(3, 1, 4)}
    models = [
        replace(mild_model(spec), id=name + kind) for name, spec in shapes.items() for kind in ("", "-photo") if name in "ab" or not kind
    ]
    named = next(model for model in models if model.id == chosen)
    assert suiting(named, models, material).id == expected


@pytest.mark.parametrize("quality", [25, 30, 50, 70, 85, 92, 93, 95, 99])
def test_a_jpegs_quality_is_read_from_its_tables(tmp_path, quality):
    with store_jpeg(tmp_path / "photo.jpg", quality).open("rb") as file:
        assert jpeg_quality(file) == quality


def test_tables_are_found_behind_long_metadata(tmp_path):
    data = store_jpeg(tmp_path / "photo.jpg", 60).read_bytes()
    notes = b"".join(b"\xff\xe1\xff\xff" + bytes(65533) for _ in range(3))
    (tmp_path / "noted.jpg").write_bytes(data[:2] + notes + data[2:])
    with (tmp_path / "noted.jpg").open("rb") as file:
        assert jpeg_quality(file) == 60


def test_a_torn_jpeg_is_no_error(tmp_path):
    (tmp_path / "torn.jpg").write_bytes(store_jpeg(tmp_path / "photo.jpg", 60).read_bytes()[:40])
    assert finding(tmp_path / "torn.jpg").material == "photo"
    assert finding(tmp_path / "missing.jpg").material == "clean"


@pytest.mark.parametrize(("name", "used", "word"), [
    ("30.jpg", PHOTO, "quality 30"), ("70.jpg", PHOTO, "quality 70"), ("95.jpg", CLEAN, "quality 95"), ("photo.png", CLEAN, "without"),
    ("lossy.webp", PHOTO, "WebP"), ("lossless.webp", CLEAN, "without"), ("misnamed-30.png", PHOTO, "quality 30"),
])  # fmt: skip
def test_a_picture_is_upscaled_by_the_network_for_its_material(tmp_path, shelf, name, used, word):
    path = tmp_path / name
    if name.endswith(".jpg"):
        store_jpeg(path, int(path.stem))
    elif name.startswith("misnamed"):
        store_jpeg(path, 30)
    elif name == "lossy.webp":
        store_jpeg(path, 80, ".webp")
    else:
        store(path, 64, 48)
    assert word in finding(path).reason
    events = events_of(shelf, path, destination=tmp_path / "out.png")
    [finished] = [event for event in events if isinstance(event, Finished)]
    assert finished.model == used
    said = [event.message for event in events if isinstance(event, Warned)]
    assert (f"{used} is used. {finding(path).reason}" in said) == (used != CLEAN)


@pytest.mark.parametrize(("codec", "used", "word"), [
    ("libx264", VIDEO, "H.264"), ("mpeg4", VIDEO, "MPEG-4"), ("ffv1", CLEAN, "loses nothing"), ("prores_ks", CLEAN, "ProRes"),
])  # fmt: skip
def test_a_film_is_upscaled_by_the_network_for_its_codec(tmp_path, shelf, codec, used, word):
    form = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    source = store_clip(tmp_path / "clip.mov" if codec == "prores_ks" else tmp_path / "clip.mkv", 3, codec=codec, form=form)
    assert word in finding(source).reason
    [finished] = [event for event in events_of(shelf, source, codec="ffv1", extension=".mkv") if isinstance(event, Finished)]
    assert finished.model == used


def test_numbered_pictures_are_judged_by_the_first(tmp_path):
    store_jpeg(tmp_path / "a_1.jpg", 40)
    store_jpeg(tmp_path / "a_2.jpg", 99)
    assert finding(tmp_path / "a_%d.jpg") == finding(tmp_path / "a_1.jpg")


def test_the_users_choice_counts(tmp_path, shelf):
    [finished] = [event for event in events_of(shelf, store_jpeg(tmp_path / "a.jpg", 30), model=CLEAN) if isinstance(event, Finished)]
    assert finished.model == CLEAN


def test_without_a_network_for_the_material_it_is_the_clean_one(shelf):
    clean = [model for model in shelf.models() if trained_for(model.id) == "clean"]
    assert preferred(clean, "video").id == CLEAN
    assert preferred(shelf.models()[1:], "clean").id == PHOTO
    with pytest.raises(ValueError, match="no model"):
        preferred([], "clean")


def test_pictures_are_judged_without_loading_ffmpeg(tmp_path):
    path = store_jpeg(tmp_path / "a.jpg", 30)
    code = f"import sys, pathlib, engine.suited as s; print(s.finding(pathlib.Path({str(path)!r})).material, 'av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["photo", "False"]
