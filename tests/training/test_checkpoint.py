from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from engine.errors import OutputError, TrainingError
from training import checkpoint
from training.checkpoint import Checkpoint, Progress

STATE = {
    "step": 7,
    "network": {"w": torch.arange(6.0)},
    "average": {"w": torch.ones(6)},
    "optimiser": {"state": {}, "param_groups": [{"lr": 0.1}]},
}


def test_a_checkpoint_comes_back_whole(tmp_path: Path) -> None:
    file = tmp_path / "last.pt"
    progress = Progress(losses=(0.25, 0.125), seconds=3.5, measured_mj=None, best_db=31.5, best_step=4)
    checkpoint.write(Checkpoint("m = 3\n", STATE, progress), file)
    stored = checkpoint.read(file)
    assert (stored.step, stored.settings, stored.progress) == (7, "m = 3\n", progress)
    assert torch.equal(stored.trainer["network"]["w"], STATE["network"]["w"])
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "last.pt"
    checkpoint.write(Checkpoint("", STATE, Progress()), file)
    with pytest.raises(AttributeError):
        checkpoint.write(Checkpoint("", {"step": lambda: 0}, Progress()), file)
    assert checkpoint.read(file).step == 7
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    with pytest.raises(OutputError):
        checkpoint.write(Checkpoint("", STATE, Progress()), tmp_path / "none" / "last.pt")


class Harm:
    """What a hostile file would run when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("harm-done"),))


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "last.pt"
    whole = tmp_path / "whole.pt"
    checkpoint.write(Checkpoint("", STATE, Progress()), whole)
    torch.save({"format": 99}, tmp_path / "new.pt")
    torch.save({"format": checkpoint.FORMAT, "trainer": Harm()}, tmp_path / "harm.pt")
    for content in (
        b"",
        b"text",
        whole.read_bytes()[:-300],
        pickle.dumps({"format": checkpoint.FORMAT}, protocol=2),
        *((tmp_path / name).read_bytes() for name in ("new.pt", "harm.pt")),
    ):
        file.write_bytes(content)
        with pytest.raises(TrainingError, match=r"last\.pt"):
            checkpoint.read(file)
    assert not Path("harm-done").exists()
    with pytest.raises(TrainingError, match=r"none\.pt"):
        checkpoint.read(tmp_path / "none.pt")
