"""Two processes under torchrun's environment train as one does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TrainingError
from training.control import Control, send
from training.distributed import Processes

START = "import sys; from addersesr_app.cli import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[2]


def train(folder: Path, settings: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Train with that many processes; the events of the first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    command = [
        sys.executable,
        "-c",
        START,
        "train",
        "--json",
        "--run",
        str(folder),
    ]
    started = []
    for rank in range(count):
        place = {
            "RANK": str(rank),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        environment = {**os.environ, **(place if count > 1 else {})}
        started.append(
            subprocess.Popen([*command, *flags], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    try:
        outcomes = [process.communicate(timeout=120) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * count, outcomes
    assert all(out == "" for out, _ in outcomes[1:])
    return [json.loads(line) for line in outcomes[0][0].splitlines()]


@pytest.mark.parametrize("block", ["collapsed", "collapsed_adder"])
def test_two_processes_train_as_one(tiny: dict[str, Any], tmp_path: Path, block: str) -> None:
    settings = {**tiny, "linear_block_type": block, "steps": 8, "validate_every": 8, "clip": 0.5}
    one, two = (train(tmp_path / str(count), settings, count) for count in (1, 2))
    for name, field, tolerance in (("step", "loss", 2e-4), ("validated", "psnr", 2e-3)):
        values = [[event[field] for event in events if event["event"] == name] for events in (one, two)]
        assert values[0] == pytest.approx(values[1], rel=tolerance)
        assert len(values[0]) == (8 if name == "step" else 1)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(TrainingError, match="batch_size 5"):
        Processes(0, 2).check_batch(5)


def test_another_process_leaves_the_first_ones_socket_alone(tmp_path: Path) -> None:
    with Control(tmp_path):
        Control(tmp_path)
        assert send(tmp_path, "status")["step"] == 0


@pytest.mark.timeout(60)
def test_a_run_that_has_just_answered_ends_at_once(tmp_path: Path) -> None:
    """Whether the thread that serves waits for a connection again by then, or not yet."""
    for _ in range(200):
        with Control(tmp_path):
            assert send(tmp_path, "status")["ok"]
