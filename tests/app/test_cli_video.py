from __future__ import annotations

import time

import numpy as np
import pytest

from addersesr_app.console import Console
from addersesr_app.job_output import JobPrinter
from engine.events import Energy, Finished, Prediction, Progress, Started, Summary
from engine.video_options import CODECS
from tests.clips import frames_of, luma_of, packets_of, store_clip, times_of
from tests.commands import mount_tmpfs, tree, unmount


def test_a_clip_becomes_a_larger_clip_with_its_sound(command, model_file, tmp_path):
    source = store_clip(tmp_path / "clip.mp4", 12, sound=True)
    done = command("upscale", source, "--model", model_file, "--backend", "onnx", "--json")
    assert done.status == 0, done.out
    assert tree(tmp_path) == ["clip.mp4", "clip_x2.mp4"]
    output = tmp_path / "clip_x2.mp4"
    assert {event["unit"] for event in done.named("progress")} == {"frame"}
    assert (done.named("progress")[-1]["done"], done.named("progress")[-1]["total"]) == (12, 12)
    assert frames_of(output)[0].width == 96
    assert times_of(output) == times_of(source)
    assert packets_of(output, "audio") == packets_of(source, "audio")


def test_a_folder_of_pictures_and_films_takes_the_format_of_each(command, model_file, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    store_clip(album / "clip.mp4", 3)
    (album / "cut.mp4").write_bytes((album / "clip.mp4").read_bytes()[:400])
    done = command("upscale", album, "--model", model_file, "--format", "mkv", "--backend", "onnx", "--json")
    assert done.status == 1
    assert tree(tmp_path / "album_x2") == ["clip.mkv"]
    assert done.named("failed")[0]["error"] == "VideoError"


def test_killed_at_any_moment_a_film_goes_on_and_is_as_if_never_interrupted(command, model_file, tmp_path):
    whole = store_clip(tmp_path / "whole.mp4", 700, options={"preset": "ultrafast"})
    part = tmp_path / "part.mp4"
    part.write_bytes(whole.read_bytes())
    # Lossless: lossy, x264 with AVX-512 does not give the same bytes twice.
    words = ("--model", model_file, "--backend", "onnx", "--threads", 1, "--effort", "fast", "--quality", "lossless", "--json")
    assert command("upscale", whole, *words).status == 0
    rng = np.random.default_rng(3)
    for _ in range(2):
        process = command.start("upscale", part, *words)
        for line in process.stdout:
            if '"progress"' in line:
                break
        time.sleep(float(rng.uniform(0.1, 0.7)))  # the moment of the kill is what is tested
        process.kill()
        process.communicate()
    done = command("upscale", part, *words)
    assert done.status == 0, done.out
    assert tree(tmp_path) == ["part.mp4", "part_x2.mp4", "whole.mp4", "whole_x2.mp4"]
    expected, made = frames_of(tmp_path / "whole_x2.mp4"), frames_of(tmp_path / "part_x2.mp4")
    assert len(expected) == len(made) == 700
    for one, other in zip(expected, made, strict=True):
        assert one.pts == other.pts
        assert np.array_equal(luma_of(one), luma_of(other))


def test_a_full_disk_leaves_no_film_and_is_said(command, model_file, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mount_tmpfs(disk, "300k"):
        pytest.skip("needs to mount a tmpfs")
    try:
        source = store_clip(tmp_path / "clip.mkv", 60, size=(160, 120), codec="ffv1")
        words = ("upscale", source, "-o", disk, "--model", model_file, "--backend", "onnx", "--json")
        done = command(*words, "--codec", "ffv1")
        assert done.status == 1
        [failed] = done.named("failed")
        assert failed["error"] == "OutputError"
        assert "disk is full" in failed["message"]
        assert not [name for name in tree(disk) if not name.startswith(".addersesr-")]
    finally:
        unmount(disk)


def test_an_unknown_codec_is_wrong_usage(command, model_file, tmp_path):
    source = store_clip(tmp_path / "clip.mp4", 2)
    done = command("upscale", source, "--model", model_file, "--codec", "x266")
    assert done.status == 2
    assert "x265" in done.err


def test_a_plan_is_told_and_a_part_made(command, model_file, tmp_path):
    source = store_clip(tmp_path / "clip.mp4", 50, sound=True)
    words = ("upscale", source, "--model", model_file, "--backend", "onnx", "--from", "0:00.4", "--to", "1.2s", "--quality", "small")
    done = command(*words, "--plan", "--json")
    assert done.status == 0, done.out
    [planned] = done.named("planned")
    assert (planned["frames"], planned["width"], planned["height"]) == (20, 96, 64)
    assert planned["predicted"]["least_bytes"] < planned["predicted"]["bytes"] < planned["predicted"]["most_bytes"]
    assert set(planned["predicted"]["energy"]) == {"arithmetic_mj", "estimated_mj", "measured_mj"}
    assert tree(tmp_path) == ["clip.mp4"]
    told = command(*words, "--plan")
    assert "20 frames" in told.out
    assert "about" in told.out
    assert command(*words).status == 0
    assert planned["output"] == str(tmp_path / "clip_x2_0.4s-1.2s.mp4")
    assert len(frames_of(tmp_path / "clip_x2_0.4s-1.2s.mp4")) == 20


@pytest.mark.parametrize("wrong", [("--from", "x"), ("--from", "5", "--to", "4"), ("--quality", "lovely"), ("--quality", "0")])
def test_wrong_times_and_qualities_are_wrong_usage(command, tmp_path, wrong):
    done = command("upscale", tmp_path / "clip.mp4", *wrong)
    assert done.status == 2, done.err
    assert wrong[0].strip("-") in done.err or "part of a film" in done.err


def test_the_doctor_says_which_encoders_work(command):
    encoders = command.without_torch()("doctor", "--json").value["film_encoders"]
    assert encoders["x264"] == "works"
    assert encoders.keys() == set(CODECS)


class Terminal:
    """Collects what is written and calls itself a terminal."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.fixture
def shown():
    out, err = Terminal(), Terminal()
    now = iter(range(0, 1000, 2))
    return JobPrinter(Console(as_json=False, out=out, err=err), lambda: next(now)), out, err


def test_the_progress_line_tells_speed_and_time_left_of_this_run_alone(shown):
    printer, out, err = shown
    first = Progress("a.mp4", 101, 201, "frame", Energy(10.0), 1000)
    for event in (Started("a.mp4", "b.mp4"), first, Progress("a.mp4", 110, 201, "frame", Energy(1500.0, None, 9000.0), 2_500_000)):
        printer.show(event)
    assert err.text.endswith("110/201  2.5 fps  36 s left  2.5 MB  9 J measured")
    assert "\n" not in err.text
    printer.show(Finished("a.mp4", "b.mp4", 4.0, "m", "onnx", "fp32", Energy(1500.0, None, 7.2e6), 10, 10, frames=10))
    assert "10 frames, 2.5 fps" in out.text
    assert "1.5 J arithmetic (45 nm)" in out.text
    assert "2 Wh measured" in out.text
    assert "estimated" not in out.text
    predicted = Prediction(5.0, Energy(1400.0, 3000.0), 2_000_000, 1, 2)
    printer.show(Finished("a.mp4", "b.mp4", 4.0, "m", "onnx", "fp32", Energy(1500.0, 3100.0), 10, 10, 10, 7, predicted))
    assert "10 frames, 2.5 fps (predicted 2.0)" in out.text
    assert "1.5 J arithmetic (45 nm) (predicted 1.4 J)  3.1 J estimated on this machine (predicted 3 J)" in out.text
    printer.show(Summary(1, 0, 0))
    assert err.text.endswith("1 done\n")
