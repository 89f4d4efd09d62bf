from __future__ import annotations

import os
import signal
import time

import cv2
import numpy as np
import pytest

from engine.network import NetworkSpec
from tests.commands import mount_tmpfs, photo, size_of, store, store_model, tree, unmount

FINISHED = {"event", "input", "output", "seconds", "model", "backend", "precision", "energy"}


def test_a_photo_gets_an_upscaled_one_beside_it(command, model_file, tmp_path):
    source = store(tmp_path / "photo.jpg")
    before = source.read_bytes()
    done = command("upscale", source, "--model", model_file, "--backend", "onnx")
    assert done.status == 0, done.err
    assert tree(tmp_path) == ["photo.jpg", "photo_x2.jpg"]
    assert size_of(tmp_path / "photo_x2.jpg") == (48, 32)
    assert source.read_bytes() == before
    [line] = done.out.splitlines()
    for part in (str(tmp_path / "photo_x2.jpg"), "48×32", " s ", "MP/s", "mJ arithmetic (45 nm)"):
        assert part in line
    assert "1 done" in done.err


def test_the_events_are_as_fixed(command, model_file, tmp_path):
    source = store(tmp_path / "photo.png")
    (tmp_path / "bad.png").write_text("no picture")
    done = command("upscale", source, tmp_path / "bad.png", "--model", model_file, "--json")
    assert done.status == 1
    assert done.named("started")[0] == {"event": "started", "input": str(source), "output": str(tmp_path / "photo_x2.png")}
    progress = done.named("progress")[-1]
    assert progress == {"event": "progress", "input": str(source), "done": 1, "total": 1, "unit": "tile"}
    [finished] = done.named("finished")
    assert set(finished) >= FINISHED
    assert set(finished["energy"]) == {"arithmetic_mj", "estimated_mj", "measured_mj"}
    assert finished["energy"]["arithmetic_mj"] > 0
    [failed] = done.named("failed")
    assert set(failed) == {"event", "input", "error", "message"}
    assert failed["error"] == "PictureError"
    assert done.events[-1] == {"event": "summary", "done": 1, "failed": 1, "skipped": 0}


def test_an_existing_output_is_kept_replaced_or_left_as_told(command, model_file, tmp_path):
    source = store(tmp_path / "photo.png")
    taken = tmp_path / "photo_x2.png"
    taken.write_bytes(b"mine")
    words = ("upscale", source, "--model", model_file, "--json")
    skipped = command(*words, "--skip-existing")
    assert skipped.status == 0
    assert "exists" in skipped.named("skipped")[0]["reason"]
    assert tree(tmp_path) == ["photo.png", "photo_x2.png"]
    assert command(*words).named("finished")[0]["output"] == str(tmp_path / "photo_x2-1.png")
    assert command(*words).named("finished")[0]["output"] == str(tmp_path / "photo_x2-2.png")
    assert taken.read_bytes() == b"mine"
    assert command(*words, "--overwrite").status == 0
    assert size_of(taken) == (48, 32)


def test_bad_inputs_are_one_clear_line_each_and_status_1(command, model_file, tmp_path):
    good = store(tmp_path / "good.png")
    text = tmp_path / "text.png"
    text.write_text("not a picture at all")
    cut = store(tmp_path / "cut.jpg", 160, 120)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    missing = tmp_path / "missing.png"
    bad = [text, cut, empty, pipe, missing]
    done = command("upscale", *bad, good, "--model", model_file)
    assert done.status == 1
    lines = done.err.splitlines()
    for path in bad:
        assert sum(str(path) in line for line in lines) == 1, (path, done.err)
    assert "Traceback" not in done.err
    assert "1 done, 5 failed" in lines[-1]
    assert [name for name in tree(tmp_path) if "_x2" in name] == ["good_x2.png"]
    assert not [name for name in tree(tmp_path) if name.startswith(".")]


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_left(command, model_file, tmp_path):
    source = store(tmp_path / "closed" / "photo.png")
    open_model = tmp_path / "model.safetensors"
    open_model.write_bytes(model_file.read_bytes())
    for path in (tmp_path.parent.parent, tmp_path.parent, tmp_path, command.home):
        path.chmod(0o755)
    source.parent.chmod(0o555)
    done = command.as_nobody("upscale", source, "--model", open_model, "--backend", "onnx")
    assert done.status == 1
    assert "no permission" in done.err
    assert str(source.parent) in done.err
    assert "Traceback" not in done.err
    assert tree(source.parent) == ["photo.png"]


def test_a_folder_under_a_file_cannot_be_made(command, model_file, tmp_path):
    source = store(tmp_path / "photo.png")
    done = command("upscale", source, "--model", model_file, "-o", source / "deeper", "--json")
    assert done.status == 1
    assert done.named("failed")[0]["error"] == "OutputError"


def test_a_tree_is_mirrored_and_what_is_left_out_is_said(command, model_file, tmp_path):
    album = tmp_path / "album"
    store(album / "a.png")
    store(album / "deep" / "b.jpg")
    store(album / ".hidden" / "c.png")
    store(album / "deep" / ".d.png")
    (album / "notes.txt").write_text("notes")
    (album / "loop").symlink_to(album, target_is_directory=True)
    (album / "dangling.png").symlink_to(album / "gone.png")
    done = command("upscale", album, "--model", model_file, "--json")
    assert done.status == 0, done.out
    assert tree(tmp_path / "album_x2") == ["a.png", "deep/b.jpg"]
    reasons = {event["input"].removeprefix(f"{album}/"): event["reason"] for event in done.named("skipped")}
    assert reasons.keys() == {".hidden", "deep/.d.png", "notes.txt", "loop", "dangling.png"}
    assert reasons["loop"] == "a linked folder"
    files = [event for event in done.named("progress") if event["unit"] == "file"]
    assert [(event["done"], event["total"]) for event in files] == [(1, 2), (2, 2)]
    assert done.events[-1] == {"event": "summary", "done": 2, "failed": 0, "skipped": 5}
    again = command("upscale", album, "--model", model_file, "--json", "--skip-existing", "-o", tmp_path / "album_x2")
    assert again.events[-1] == {"event": "summary", "done": 0, "failed": 0, "skipped": 7}


def test_sizes_formats_and_names(command, model_file, tmp_path):
    source = store(tmp_path / "photo.png", 24, 16)
    out = tmp_path / "out"
    words = ("upscale", source, "--model", model_file)
    assert command(*words, "-o", out, "--width", 30).status == 0
    assert size_of(out / "photo_x2.png") == (30, 20)
    assert command(*words, "-o", out / "exact.jpg", "--width", 100, "--height", 50, "--quality", 80).status == 0
    assert size_of(out / "exact.jpg") == (100, 50)
    assert command(*words, "-o", out, "--scale", 3, "--format", "webp").status == 0
    assert size_of(out / "photo_x3.webp") == (72, 48)
    assert command(*words, "-o", out, "--name", "{stem}-{model}-{precision}").status == 0
    assert (out / "photo-sesr-m1f4-x2-fp32.png").exists()
    assert tree(out) == ["exact.jpg", "photo-sesr-m1f4-x2-fp32.png", "photo_x2.png", "photo_x3.webp"]


def test_a_scale_that_no_model_has_comes_from_the_next_larger(command, tmp_path):
    models = command.home / ".local/share/addersesr/models"
    models.mkdir(parents=True)
    store_model(models / "big.safetensors", NetworkSpec(4, 1, 4))
    shipped = {entry["scale"] for entry in command("models", "--json").value}
    source = store(tmp_path / "photo.png", 24, 16)
    done = command("upscale", source, "--scale", 3, "--json")
    assert done.status == 0, done.out
    assert size_of(tmp_path / "photo_x3.png") == (72, 48)
    assert done.named("finished")[0]["model"].endswith("-x3" if 3 in shipped else "-x4")


def test_odd_names_come_through(command, model_file, tmp_path):
    names = ["emoji 🎈.png", "عكس.png", "x" * 251 + ".png", "-dash.png", "new\nline.png", "é" * 125 + ".png"]
    if os.name == "posix":
        names.append(os.fsdecode(b"latin-\xe9.png"))
    folder = tmp_path / "in"
    picture = store(tmp_path / "picture.png").read_bytes()
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(picture)
    done = command("upscale", folder, "--model", model_file, "--json", "--name", "{stem}_x{scale}")
    assert done.status == 0, done.out
    outputs = [event["output"] for event in done.named("finished")]
    assert len(outputs) == len(names)
    for output in outputs:
        assert size_of(tmp_path.__class__(os.fsdecode(os.fsencode(output)))) == (48, 32)


def test_two_inputs_with_one_output_both_survive(command, model_file, tmp_path):
    first, second = store(tmp_path / "a" / "photo.png", 24, 16), store(tmp_path / "b" / "photo.png", 16, 24)
    out = tmp_path / "out"
    for flag in ([], ["--overwrite"]):
        done = command("upscale", first, second, "-o", out, "--model", model_file, "--json", *flag)
        assert done.status == 0
        assert "another input" in done.named("warned")[0]["message"]
        outputs = {event["input"]: event["output"] for event in done.named("finished")}
        assert [size_of(type(first)(outputs[str(path)])) for path in (first, second)] == [(48, 32), (32, 48)]


def test_an_input_is_never_replaced(command, model_file, tmp_path):
    source = store(tmp_path / "photo.png")
    before = source.read_bytes()
    done = command("upscale", source, "-o", source, "--overwrite", "--model", model_file)
    assert done.status == 1
    assert "would replace an input" in done.err
    assert source.read_bytes() == before


def test_destinations_that_do_not_fit_are_wrong_usage(command, model_file, tmp_path):
    one, two = store(tmp_path / "a.png"), store(tmp_path / "b.png")
    for words in (
        [one, two, "-o", tmp_path / "c.png"],
        [one, "-o", tmp_path / "c.xyz"],
        [one, "-o", tmp_path / "c.png", "--format", "jpeg"],
    ):
        assert command("upscale", *words, "--model", model_file).status == 2


def test_damaged_models_and_impossible_precisions_are_refused(command, model_file, tmp_path):
    source = store(tmp_path / "a.png")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(model_file.read_bytes()[:100])
    done = command("upscale", source, "--model", broken, "--json")
    assert done.status == 1
    [event] = done.events
    assert event["error"] == "ModelError"
    refused = command("upscale", source, "--model", model_file, "--precision", "int8")
    assert refused.status == 2
    assert "no int8 form" in refused.err
    assert tree(tmp_path) == ["a.png", "broken.safetensors"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_within_a_tile_and_leaves_nothing_half_done(command, model_file, tmp_path, number):
    sources = [store(tmp_path / f"{i}.png", 800, 600, i) for i in range(6)]
    process = command.start("upscale", *sources, "--model", model_file, "--tile", 16, "--json")
    for line in process.stdout:
        if '"progress"' in line:
            process.send_signal(number)
            break
    rest, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert '"summary"' in rest.splitlines()[-1]
    assert not [name for name in tree(tmp_path) if name.startswith(".")]
    for path in tmp_path.glob("*_x2*"):
        assert size_of(path) == (1600, 1200)


def test_killed_at_any_moment_no_output_is_half_written(command, model_file, tmp_path):
    sources = [store(tmp_path / "in" / f"{i}.png", 320, 240, i) for i in range(12)]
    out = tmp_path / "out"
    words = ("upscale", tmp_path / "in", "-o", out, "--model", model_file, "--skip-existing", "--json")
    rng = np.random.default_rng(1)
    process = command.start(*words)
    for line in process.stdout:
        if '"started"' in line:
            break
    for _ in range(4):
        time.sleep(float(rng.uniform(0, 0.25)))  # the moment of the kill is what is tested
        process.kill()
        process.communicate()
        for path in out.glob("[!.]*"):
            assert size_of(path) == (640, 480)
        process = command.start(*words)
        process.stdout.readline()
    process.communicate(timeout=60)
    assert command(*words).status == 0
    assert tree(out) == sorted(path.name for path in sources), "what a killed run left aside is gone as well"


def test_a_full_disk_is_said_and_leaves_nothing(command, model_file, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mount_tmpfs(disk, "64k"):
        pytest.skip("needs to mount a tmpfs")
    try:
        source = tmp_path / "noise.png"
        noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
        source.write_bytes(cv2.imencode(".png", noise)[1].tobytes())
        done = command("upscale", source, "-o", disk, "--model", model_file)
        assert done.status == 1
        assert "disk is full" in done.err
        assert tree(disk) == []
    finally:
        unmount(disk)


def test_a_12_megapixel_jpeg_upscales(command, tmp_path):
    source = tmp_path / "large.jpg"
    source.write_bytes(cv2.imencode(".jpg", photo(4000, 3000))[1].tobytes())
    model = store_model(tmp_path / "small.safetensors", NetworkSpec(2, 1, 2))
    done = command("upscale", source, "--model", model, "--json")
    assert done.status == 0, done.out
    finished = done.named("finished")[0]
    assert (finished["width"], finished["height"]) == (8000, 6000)
    assert (tmp_path / "large_x2.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert done.named("progress")[-1]["done"] == done.named("progress")[-1]["total"] > 1
