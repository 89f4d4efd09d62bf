"""Kills, full disks and files that vanish: afterwards every file is whole, and the one that failed is named."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine import images, storing
from engine.picture import Picture

ROOT = Path(__file__).parents[2]
KILLS = 50
WRITER = """
import sys
from pathlib import Path
import numpy as np
from engine import images
from engine.picture import Picture
folder, turn = Path(sys.argv[1]), int(sys.argv[2])
level = np.random.default_rng(turn).integers(0, 256, (240, 320, 3)).astype(np.uint8)
print("ready", flush=True)
for i in range(100000):
    ending = (".png", ".jpg", ".tif", ".webp", ".bmp")[i % 5]
    images.write(Picture(level), folder / f"{turn}-{i}{ending}")
    images.write(Picture(level), folder / f"replaced{ending}", overwrite=True)
"""


def killed(folder: Path, turn: int, delay_s: float) -> None:
    """A process that writes pictures into ``folder``, killed after a while."""
    command = [sys.executable, "-c", WRITER, str(folder), str(turn)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay_s)  # the moment of the kill is what is tested
        process.kill()


def check_whole(path: Path) -> None:
    picture = images.read(path)
    assert (picture.width, picture.height) == (320, 240), path.name
    path.unlink()


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX matter")
@pytest.mark.parametrize("lot", range(5))
def test_a_kill_at_any_moment_leaves_whole_files_only(tmp_path: Path, lot: int) -> None:
    draw = random.Random(lot)
    precious = tmp_path / "0-0.png"
    precious.write_bytes(b"somebody else's")
    for turn in range(1, KILLS // 5 + 1):
        killed(tmp_path, turn, draw.random() * 0.15)
        left = [path for path in tmp_path.iterdir() if path != precious]
        for path in left:
            if not path.name.startswith(storing.PREFIX):
                check_whole(path)
    storing.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [precious]
    assert precious.read_bytes() == b"somebody else's"


def events(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def upscale(*arguments: str | Path, prefix: tuple[str, ...] = ()) -> tuple[int, list[dict], str]:
    command = [*prefix, sys.executable, "-m", "addersesr_app", "upscale", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, events(done.stdout), done.stderr


def noise(path: Path, side: int) -> Path:
    images.write(Picture(np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)), path)
    return path


def small_disk(tmp_path: Path) -> tuple[str, ...]:
    """The start of a command that sees a file system of 400 kB at ``tmp_path / "disk"``."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    (tmp_path / "disk").mkdir()
    script = (
        f'mount -t tmpfs -o size=400k tmpfs "{tmp_path}/disk" && "$@"; status=$?; ls -A "{tmp_path}/disk" > "{tmp_path}/left"; exit $status'
    )
    prefix = ("unshare", "-rm", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mounting in a name space here")
    return prefix


def test_a_full_disk_stops_one_file_with_one_line_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    prefix = small_disk(tmp_path)
    pictures = tmp_path / "in"
    pictures.mkdir()
    noise(pictures / "a-large.png", 400)
    noise(pictures / "b-small.png", 60)
    status, told, errors = upscale(pictures, "-o", tmp_path / "disk", prefix=prefix)
    assert status == 1
    assert "Traceback" not in errors
    assert told[-1] == {"event": "summary", "done": 1, "failed": 1, "skipped": 0}
    [failed] = [event for event in told if event["event"] == "failed"]
    assert failed["input"].endswith("a-large.png")
    assert "the disk is full" in failed["message"]
    assert (tmp_path / "left").read_text().split() == ["b-small.png"]


def test_one_bad_file_of_each_kind_stops_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    good = noise(folder / "good.png", 30)
    whole = good.read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("not a picture\n")
    (folder / "empty.png").touch()
    (folder / "junk.png").write_bytes(bytes(range(256)) * 4)
    (folder / os.fsdecode(b"latin-\xe9.png")).write_bytes(whole)
    (folder / "\u05ea\u05de\u05d5\u05e0\u05d4 \U0001f4f7.png").write_bytes(whole)
    (folder / ("n" * 251 + ".png")).write_bytes(whole)
    os.mkfifo(folder / "pipe.png")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    status, told, errors = upscale(folder, "-o", tmp_path / "out")
    assert status == 1
    assert "Traceback" not in errors
    outputs = sorted((tmp_path / "out").iterdir())
    assert len(outputs) == 4
    for path in outputs:
        assert images.read(path).width == 60
    summary = told[-1]
    assert (summary["event"], summary["done"]) == ("summary", 4)
    failed = {Path(event["input"]).name for event in told if event["event"] == "failed"}
    assert {"cut.png", "text.jpg", "empty.png", "junk.png"} <= failed
    for event in told:
        assert "\n" not in event.get("message", "")


def test_two_inputs_that_would_write_one_output_get_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        noise(tmp_path / name / "same.png", 20)
    status, told, _ = upscale(tmp_path / "one" / "same.png", tmp_path / "two" / "same.png", "-o", tmp_path / "out")
    assert status == 0
    assert len({event["output"] for event in told if event["event"] == "finished"}) == 2
    assert len(list((tmp_path / "out").iterdir())) == 2
