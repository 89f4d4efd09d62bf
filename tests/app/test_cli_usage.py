from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from addersesr_app import __version__
from addersesr_app.cli import main
from addersesr_app.commands import NAMES
from tests.commands import ROOT


@pytest.fixture(autouse=True)
def _signals_as_before():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


HEAVY = ["numpy", "cv2", "onnx", "onnxruntime", "halide", "torch", "PySide6", "pyqtgraph", "safetensors", "av", "platformdirs"]


def test_version_imports_nothing_heavy():
    code = (
        "import sys, json\n"
        "from addersesr_app.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit as end: status = end.code\n"
        f"print(json.dumps([status, [name for name in {HEAVY} if name in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    said, found = done.stdout.splitlines()
    assert said == f"addersesr {__version__}"
    assert json.loads(found) == [0, []]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_and_json(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    out, err = capsys.readouterr()
    assert "--json" in out
    assert err == ""


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["upscal", "x"], "upscale"),
        (["modles"], "models"),
        (["upscale", "x.png", "--overwrit"], "--overwrite"),
        (["upscale", "x.png", "--backnd=onnx"], "--backend"),
        (["upscale", "x.png", "--backend", "onxx"], "onnx"),
        (["upscale", "x.png", "--precision", "int88"], "int8"),
        (["upscale", "x.png", "--format", "jpge"], "jpe"),
        (["upscale", "x.png", "--name", "{stemm}_x"], "{stem}"),
        (["energy", "--widht", "3"], "--width"),
        (["models", "extra"], "extra"),
        (["gui", "--thme", "dark"], "--theme"),
        (["upscale"], "INPUT"),
        (["upscale", "x.png", "--threads", "0"], "less than 1"),
        (["upscale", "x.png", "--quality", "101"], "between 1 and 100"),
        (["upscale", "x.png", "--tile", "many"], "many"),
        (["upscale", "x.png", "--overwrite", "--skip-existing"], "not allowed with"),
        (["eval", "--model", "x"], "--data"),
    ],
)
def test_wrong_usage_is_2_and_names_what_is_near(words, near, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert near in err
    assert out == ""
    assert err.count("\n") == 1, "one line"
    assert main([*words, "--json"]) == 2
    event = json.loads(capsys.readouterr().out)
    assert set(event) == {"event", "error", "message"}
    assert (event["event"], event["error"]) == ("failed", "UsageError")
    assert near in event["message"]


def test_an_unknown_model_is_wrong_usage_and_names_the_near_ones(command, model_file, tmp_path):
    models = command.home / ".local/share/addersesr/models"
    models.mkdir(parents=True)
    (models / "mine.safetensors").write_bytes(model_file.read_bytes())
    [known] = [entry for entry in command("models", "--json").value if entry["file"] == str(models / "mine.safetensors")]
    done = command("upscale", tmp_path / "x.png", "--model", known["id"][:-1])
    assert done.status == 2
    assert known["id"] in done.err


def test_wrong_usage_in_a_process_of_its_own(command):
    done = command("upscal", "--json")
    assert done.status == 2
    assert "upscale" in done.events[0]["message"]


def test_a_closed_pipe_is_no_crash(command):
    process = command.start("energy")
    process.stdout.close()
    assert process.wait(60) in (0, 1)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_a_signal_ends_the_window_and_its_engine(command):
    process = command.start("gui", start_new_session=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        process.communicate()
        pytest.skip("needs Linux's /proc")
    try:
        engine = wait_for(lambda: children.read_text().split())
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM
        wait_for(lambda: not Path(f"/proc/{engine[0]}").exists())
    finally:
        process.kill()
        process.communicate()


def wait_for(condition, seconds=60):
    """What ``condition`` gives once it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value
