from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addersesr_app.cli import main
from addersesr_app.places import places
from engine import weights
from engine.events import Energy
from engine.network import NetworkSpec
from tests.networks import random_model
from tests.training.drawings import page, store
from training.events import Step, Validated
from training.folder import RunFolder
from training.tensorboard import Log, masked_crc

ROOT = Path(__file__).parents[2]


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The command line in this process: its exit status and events."""
    status = main([*words, "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def flags(settings: dict[str, Any]) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def test_train_from_a_folder_to_a_model_that_upscales(tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, events = command(capsys, "train", "--run", str(tmp_path / "run"), *flags(tiny))
    assert status == 0
    assert events[-1]["event"] == "finished"
    picture = store(tmp_path / "photo.png", page(0, 40, 60))
    model = tmp_path / "run" / events[-1]["file"]
    assert command(capsys, "upscale", str(picture), "--model", str(model))[0] == 0
    assert (tmp_path / "photo_x2.png").exists()


def test_people_get_lines_that_they_can_read(tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--run", str(tmp_path / "run"), *flags(tiny)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "6 pictures to train on, 2 to choose by, 0 left out"
    assert any("PSNR" in line and "dB" in line for line in lines)
    assert lines[-1] == "done at step 12: sesr-m1f4-x2.safetensors"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_sigterm_stores_a_checkpoint_and_resume_goes_on(tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--json", "--run", str(tmp_path / "run"), *flags({**tiny, "steps": 100_000})]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "addersesr_app", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "step":
                break
        process.send_signal(signal.SIGTERM)
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == 130
    reached = max(event["step"] for event in rest if event["event"] == "saved")
    status, events = command(capsys, "train", "--run", str(tmp_path / "run"), "--resume", "--steps", str(reached + 2))
    assert status == 0
    assert [event["step"] for event in events if event["event"] == "step"] == [reached + 1, reached + 2]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["train"], 2, "--data"),
        (["train", "--data", "x", "--batch-size", "0"], 2, "batch_size"),
        (["train", "--data", "x", "--batchsize", "3"], 2, "did you mean --batch"),
        (["train", "--data", "x", "--preset", "m6"], 2, "m5"),
        (["train", "--resume"], 2, "--run"),
        (["train", "--data", "nowhere-at-all", "--run", "r"], 1, "no such folder"),
        (["fit", "a.png", "-o", "x.bin"], 1, "safetensors"),
        (["fit", "a.png", "-o", "x.safetensors", "--minutes", "0"], 2, "minutes"),
        (["fit", "a.png", "-o", "x.safetensors", "--threads", "-1"], 2, "threads"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, (event,) = command(capsys, *words)
    assert (code, event["event"]) == (status, "failed")
    assert said in event["message"]


def test_check_names_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "data" / "good.png", page(0, 64, 64))
    (tmp_path / "data" / "bad.png").write_text("no picture")
    status, events = command(capsys, "train", "--check", "--data", str(tmp_path / "data"), "--hr-patch", "32")
    assert status == 1
    assert [(event["event"], event.get("kind")) for event in events] == [("problem", "unusable"), ("checked", None)]
    assert not (tmp_path / "runs").exists()


def test_fit_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "page.png", page(0, 160, 240))
    status, events = command(capsys, "fit", str(tmp_path / "page.png"), "-o", str(tmp_path / "mine.safetensors"), "--minutes", "0.1")
    assert set(events[-1]) == {"event", "before_db", "after_db", "file"}
    assert (status == 0) == (tmp_path / "mine.safetensors").exists() == (events[-1]["file"] is not None)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in the user's own folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    file = places().user_models / "my-own.safetensors"
    file.parent.mkdir(parents=True)
    weights.write(replace(random_model(NetworkSpec(2, 1, 4)), id="my-own"), file)
    return file


def test_models_of_ones_own_are_known_by_their_ids(
    tiny: dict[str, Any], own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = flags({**tiny, "m": 1, "steps": 1, "start": "my-own"})
    status, events = command(capsys, "train", "--run", str(tmp_path / "run"), *words)
    assert status == 0, events
    assert RunFolder(tmp_path / "run").settings().start == str(own)
    store(tmp_path / "page.png", page(0, 160, 240))
    output = str(tmp_path / "mine.safetensors")
    status, events = command(capsys, "fit", str(tmp_path / "page.png"), "-o", output, "--minutes", "0.03", "--model", "my-own")
    assert events[-1]["event"] == "fitted"
    status, events = command(capsys, "train", "--data", str(tmp_path), "--start", "my-ovn")
    assert status == 2
    assert "my-own" in events[-1]["message"]


def test_fit_works_with_as_many_threads_as_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    store(tmp_path / "page.png", page(0, 160, 240))
    words = ("fit", str(tmp_path / "page.png"), "-o", str(tmp_path / "mine.safetensors"), "--minutes", "0.02")
    before = torch.get_num_threads()
    try:
        command(capsys, *words, "--threads", str(before + 1))
        assert torch.get_num_threads() == before + 1
        command(capsys, *words, "--overwrite")
        assert torch.get_num_threads() == before + 1, "without --threads the number is left alone"
    finally:
        torch.set_num_threads(before)


def test_tensorboard_records_are_well_formed(tmp_path: Path) -> None:
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF  # RFC 3720's check value
    log = Log(tmp_path)
    log.add(Step(300, 900, 0.25, 1e-3, 5.0, 120.0, 60.0, Energy(1.0)))
    log.add(Validated(300, 31.5, 0.9, True))
    log.close()
    (file,) = tmp_path.iterdir()
    data, records = file.read_bytes(), []
    while data:
        (length,) = struct.unpack_from("<Q", data)
        assert struct.unpack_from("<I", data, 8)[0] == masked_crc(data[:8])
        record = data[12 : 12 + length]
        assert struct.unpack_from("<I", data, 12 + length)[0] == masked_crc(record)
        records.append(record)
        data = data[16 + length :]
    assert b"brain.Event:2" in records[0]
    assert records[1][9:12] == b"\x10\xac\x02"  # field 2, the varint 300
    assert b"\n\x04loss\x15" + struct.pack("<f", 0.25) in records[1]
    assert b"\n\x04psnr\x15" + struct.pack("<f", 31.5) in records[2]
