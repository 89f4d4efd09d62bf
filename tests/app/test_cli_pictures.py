"""The command line with picture files as people have them: what is dropped is said, results are made again, networks of others run."""

import cv2
import numpy as np
import pytest
from PIL import Image

from engine import images
from engine.network import NetworkSpec
from engine.picture import Metadata, Picture
from tests.commands import size_of, store, store_model, tree
from tests.foreign import network, saved


def test_what_a_format_drops_is_said_in_words_and_in_json(command, model_file, tmp_path):
    clear = Picture(np.full((20, 30, 3), 90, np.uint8), np.full((20, 30), 200, np.uint8), Metadata(xmp=b"<x:xmpmeta/>"))
    images.write(clear, tmp_path / "clear.png")
    said = command("upscale", tmp_path / "clear.png", "--model", model_file, "--format", "bmp")
    assert said.status == 0
    assert "clear.png: BMP does not keep everything: transparency (put on white)" in said.err
    told = command("upscale", tmp_path / "clear.png", "--model", model_file, "--format", "gif", "--json").named("warned")
    lost = [event["message"].partition(": ")[2] for event in told]
    assert lost == ["transparency other than all or none", "only 256 colours a picture", "XMP"]


def test_pages_that_are_not_kept_are_not_counted(command, model_file, tmp_path):
    first, *rest = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (40, 120, 200)]
    first.save(tmp_path / "sheets.tif", save_all=True, append_images=rest)
    energy = {}
    for name in ("tif", "png"):
        done = command("upscale", tmp_path / "sheets.tif", "--model", model_file, "--format", name, "--json")
        assert done.named("progress")[-1]["total"] == (3 if name == "tif" else 1)
        energy[name] = done.named("finished")[0]["energy"]["arithmetic_mj"]
    assert energy["tif"] == pytest.approx(3 * energy["png"])


def test_a_result_is_made_again(command, model_file, tmp_path):
    source = store(tmp_path / "photo.jpg", 60, 40)
    command("upscale", source, "--model", model_file, "--quality", 70, "--tile", 16, "--backend", "onnx")
    result = tmp_path / "photo_x2.jpg"
    again = command("upscale", source, "--redo", result, "--model", model_file)
    assert again.status == 0, again.err
    assert f"pixel for pixel the same as {result}" in again.err
    assert (tmp_path / "photo_x2-1.jpg").read_bytes() == result.read_bytes()
    for words, reason in (
        (("--redo", result), "name its file with --model"),
        (("--redo", result, "--model", store_model(tmp_path / "other.safetensors", NetworkSpec(2, 2, 4))), "another"),
        (("--redo", source), "does not say how it was made"),
    ):
        failed = command("upscale", source, *words)
        assert failed.status == 1
        assert reason in failed.err
        assert "Traceback" not in failed.err
    wrong = command("upscale", source, "--redo", result, "--scale", "3", "--tile", "9")
    assert (wrong.status, "--redo takes --scale, --tile from" in wrong.err) == (2, True)


NETWORKS = [({"scale": 3}, (90, 60)), ({"scale": 4, "size": (24, 24)}, (120, 80)), ({"channels": 1}, (60, 40))]


@pytest.mark.parametrize(("more", "size"), NETWORKS)
def test_somebody_elses_network_upscales(command, tmp_path, more, size):
    source = store(tmp_path / "photo.png", 30, 20)
    theirs = saved(network(**more), tmp_path / "theirs.onnx")
    done = command("upscale", source, "--model", theirs, "--json")
    assert done.status == 0, done.err
    [finished] = done.named("finished")
    assert (finished["model"], finished["backend"], finished["precision"]) == ("theirs", "onnx", "fp32")
    assert finished["energy"]["arithmetic_mj"] > 0
    output = tmp_path / f"photo_x{size[0] // 30}.png"
    assert size_of(output) == size
    shrunk = cv2.resize(images.read(output).pixels, (30, 20), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - images.read(source).pixels).mean() < 8


def test_somebody_elses_network_is_added_listed_and_named_by_its_id(command, tmp_path):
    added = command("models", "--add", saved(network(), tmp_path / "theirs.onnx"), "--json")
    assert added.status == 0, added.err
    [row] = [row for row in added.value if row["id"] == "theirs"]
    assert (row["scale"], row["m"], row["block"], row["licence"]) == (2, None, "other", "unknown")
    assert row["file"].startswith(str(command.home))
    assert command("upscale", store(tmp_path / "photo.png"), "--model", "theirs").status == 0
    assert command("models", "--add", tmp_path / "theirs.onnx").status == 1, "it is there"
    (tmp_path / "bad.onnx").write_text("no network")
    bad = command("models", "--add", tmp_path / "bad.onnx")
    assert (bad.status, "not an ONNX file" in bad.err) == (1, True)
    export = ("export", "--format", "tflite", "-o", tmp_path / "t")
    for words in (export, ("upscale", tmp_path / "photo.png", "--backend", "native")):
        refused = command(*words, "--model", "theirs")
        assert refused.status == 1
        assert "ONNX file" in refused.err


def test_names_that_cannot_be_are_refused_in_a_line(command, model_file, tmp_path):
    source = store(tmp_path / "photo.png")
    empty = command("upscale", "", "--model", model_file)
    assert (empty.status, "an empty name is no file" in empty.err) == (2, True)
    late = command("upscale", source, "--model", model_file, "")
    assert late.status == 2
    long = command("upscale", source, "--model", model_file, "-o", tmp_path / f"{'n' * 300}.png")
    assert (long.status, "the name is too long for this disk" in long.err) == (1, True)
    unknown = command("upscale", tmp_path / f"{'n' * 300}.png", "--model", model_file)
    assert (unknown.status, "file name too long" in unknown.err.lower()) == (1, True)
    assert tree(tmp_path) == ["photo.png"]


def test_a_picture_of_too_long_rows_fails_before_the_work(command, model_file, tmp_path):
    Image.fromarray(np.zeros((9, 140_000, 3), np.uint8)).save(tmp_path / "wide.png")
    done = command("upscale", tmp_path / "wide.png", "--model", model_file)
    assert done.status == 1
    assert "wide.png: rows of 140000 pixels would take 1.5 GB of memory, over the limit" in done.err
    assert not (tmp_path / "wide_x2.png").exists()
