from __future__ import annotations

import dataclasses
import itertools
import json
import math
import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from engine import weights
from engine.backends.torch import TorchBackend
from engine.errors import Cancelled, ConfigError, TrainingError
from engine.network import NetworkSpec
from tests.training import processes
from training import checkpoint
from training.control import Control, send
from training.data import Pair, make_pair
from training.folder import RunFolder, read_events
from training.loop import NotFiniteError
from training.network import build, collapse_to_model
from training.networks import collapse_error
from training.session import begin, train
from training.sources import Source
from training.validate import score

if TYPE_CHECKING:
    from pathlib import Path

    from engine.network import Block


def run(folder: Path, given: dict[str, Any], *, resume: bool = False, act: Any = None) -> list[dict[str, Any]]:
    """Train in this process; ``act(event, control)`` is called behind every event."""
    place = RunFolder(folder)
    settings = begin(place, given, resume=resume)
    told = []
    with Control(place.path) as control:
        for event in train(place, settings, control):
            told.append(event.to_dict())
            if act:
                act(event, control)
    return told


def losses(folder: Path) -> list[tuple[int, float]]:
    return [(event["step"], event["loss"]) for event in read_events(RunFolder(folder)) if event["event"] == "step"]


def named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def test_a_run_leaves_what_it_should(tiny: dict[str, Any], tmp_path: Path) -> None:
    told = run(tmp_path / "run", {**tiny, "keep_every": 5})
    folder = RunFolder(tmp_path / "run")
    assert read_events(folder) == json.loads(json.dumps(told))
    assert [event["event"] for event in told[:3]] == ["checked", "begun", "saved"]
    assert told[0] == {"event": "checked", "pictures": 6, "validation": 2, "left_out": 0}
    assert told[-1]["event"] == "finished"
    assert [event["step"] for event in named(told, "step")] == list(range(1, 13))
    assert {path.name for path in folder.last.parent.iterdir()} == {
        "last.pt",
        "best.pt",
        "step-00000005.pt",
        "step-00000010.pt",
    }
    best = max(named(told, "validated"), key=lambda event: event["psnr"])
    assert told[-1]["psnr"] == best["psnr"]
    assert checkpoint.read(folder.best).step == best["step"]
    assert not (folder.path / "control.json").exists()
    sample, original = (
        cv2.imread(str(folder.path / name), cv2.IMREAD_GRAYSCALE) for name in (named(told, "sample")[-1]["file"], "samples/original.png")
    )
    assert sample.shape == original.shape == (64, 80)


def test_a_sample_of_ones_own_is_shown_in_its_colours(tiny: dict[str, Any], tmp_path: Path) -> None:
    pixels = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8), (81, 65), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "mine.png"), pixels)
    told = run(tmp_path / "run", {**tiny, "sample": str(tmp_path / "mine.png"), "steps": 6})
    folder = tmp_path / "run"
    original, bicubic, step = (
        cv2.imread(str(folder / name)).astype(int)
        for name in ("samples/original.png", "samples/bicubic.png", named(told, "sample")[-1]["file"])
    )
    assert np.abs(original - pixels[:64, :80]).max() <= 2
    assert np.abs(bicubic - original).mean() < 8
    for channel in (1, 2):
        assert (
            np.corrcoef(*(cv2.cvtColor(x.astype(np.uint8), cv2.COLOR_BGR2YCrCb)[..., channel].ravel() for x in (step, bicubic)))[0, 1] > 0.9
        )


def test_the_stored_model_is_what_was_validated(tiny: dict[str, Any], held: Path, tmp_path: Path) -> None:
    told = run(tmp_path / "run", {**tiny, "linear_block_type": "collapsed_adder"})
    model = weights.read(tmp_path / "run" / told[-1]["file"])
    assert model.spec.block == "adder"
    assert model.about["recipe"]["batch_size"] == 4
    pairs = [Pair(file.stem, *make_pair(Source(file.stem, file), 2)) for file in sorted(held.iterdir())]
    assert score(TorchBackend(model, device="cpu").run, pairs, 2).psnr == pytest.approx(told[-1]["psnr"], abs=5e-3)


@pytest.mark.parametrize("given", [{}, {"linear_block_type": "collapsed_adder"}, {"val": ""}])
def test_the_stored_model_says_how_little_its_collapse_changed(tiny: dict[str, Any], tmp_path: Path, given: dict[str, Any]) -> None:
    told = run(tmp_path / "run", {**tiny, **given, "steps": 2})
    error = weights.read(tmp_path / "run" / told[-1]["file"]).about["collapse_error"]
    assert 0 < error < 1e-5, "two ways of rounding differ, but by no more than rounding"


@pytest.mark.parametrize("block", ["convolution", "adder"])
def test_a_collapse_that_went_wrong_is_measured(block: Block) -> None:
    y_hw = np.random.default_rng(0).random((20, 24), np.float32)
    network = build(NetworkSpec(2, 2, 4, block), expansion=16)
    right = collapse_to_model(network, "right", {})
    assert collapse_error(network, right, y_hw) < 1e-5
    for name in ("first.weight", "body.1.weight", "last.bias"):
        tampered = {**right.tensors, name: right.tensors[name] + np.float32(0.05)}
        assert collapse_error(network, dataclasses.replace(right, tensors=tampered), y_hw) > 1e-3, name


def test_energy_time_and_eta_are_told(tiny: dict[str, Any], tmp_path: Path) -> None:
    steps = named(run(tmp_path / "run", tiny), "step")
    assert all(a["seconds"] < b["seconds"] for a, b in itertools.pairwise(steps))
    assert steps[-1]["eta_s"] == 0
    assert steps[5]["steps_per_second"] > 0
    energies = [step["energy"] for step in steps]
    assert energies[-1]["arithmetic_mj"] == pytest.approx(12 * energies[0]["arithmetic_mj"])
    # 3 passes over 4 patches of 16 x 16 pixels, 644 taps of 4.6 pJ
    assert energies[0]["arithmetic_mj"] == pytest.approx(3 * 4 * 256 * 644 * 4.6e-9)
    assert energies[-1]["estimated_mj"] > energies[0]["estimated_mj"] > 0


KINDS: dict[str, dict[str, Any]] = {
    "convolution": {"optimiser": "soap", "feature_size": 0, "learning_rate": 5e-3},
    "wide convolution": {},
    "adder": {"linear_block_type": "collapsed_adder"},
    "quantised adder": {"linear_block_type": "collapsed_adder", "quant_W": True, "quant_A": True},
}


@pytest.mark.parametrize(("kind", "kills"), [("convolution", 4), ("wide convolution", 2), ("adder", 2), ("quantised adder", 2)])
def test_killed_and_resumed_the_losses_are_the_same_to_the_bit(tiny: dict[str, Any], tmp_path: Path, kind: str, kills: int) -> None:
    given = {**tiny, **KINDS[kind], "steps": 40, "save_every": 3, "validate_every": 7}
    run(tmp_path / "whole", given)
    rng = np.random.default_rng(kills)
    folder, first = tmp_path / "killed", True
    for at in sorted(int(step) for step in rng.choice(np.arange(2, 36), kills, replace=False)):
        process = processes.start(folder, given if first else None)
        first = False
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.is_alive() and not _reached(folder, at):
            time.sleep(0.002)
        process.kill()
        process.join()
        assert process.exitcode == -9
    run(folder, {}, resume=True)
    assert losses(folder) == losses(tmp_path / "whole")
    ends = [checkpoint.read(RunFolder(path).last).trainer["average"] for path in (folder, tmp_path / "whole")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    scores = [
        [event["psnr"] for event in read_events(RunFolder(path)) if event["event"] == "validated"] for path in (folder, tmp_path / "whole")
    ]
    assert scores[0] == scores[1]


def _reached(folder: Path, step: int) -> bool:
    try:
        return f'"step", "step": {step},'.encode() in (folder / "events.jsonl").read_bytes()
    except FileNotFoundError:
        return False


def test_pause_holds_the_run_and_resume_goes_on(tiny: dict[str, Any], tmp_path: Path) -> None:
    undisturbed = named(run(tmp_path / "whole", tiny), "step")
    answers: list[dict[str, Any]] = []

    def waker() -> None:
        answers.append(send(tmp_path / "run", "status"))
        before = time.process_time()
        time.sleep(0.3)
        answers.append({"processor": time.process_time() - before})
        answers.append(send(tmp_path / "run", "resume"))

    def act(event: Any, _control: Control) -> None:
        if event.name == "step" and event.step == 5:
            assert send(tmp_path / "run", "pause")["state"] == "paused"
        if event.name == "paused":
            threading.Thread(target=waker).start()

    told = run(tmp_path / "run", tiny, act=act)
    assert [event["step"] for event in named(told, "paused") + named(told, "resumed")] == [5, 5]
    assert answers[0]["state"] == "paused"
    assert answers[0]["step"] == 5
    assert answers[1]["processor"] < 0.1
    assert [event["loss"] for event in named(told, "step")] == [event["loss"] for event in undisturbed]
    assert named(told, "step")[-1]["seconds"] < named(told, "step")[4]["seconds"] + 60


def test_stop_keeps_what_was_trained(tiny: dict[str, Any], tmp_path: Path) -> None:
    def act(event: Any, _control: Control) -> None:
        if event.name == "step" and event.step == 5:
            send(tmp_path / "run", "stop")

    told = run(tmp_path / "run", tiny, act=act)
    assert (told[-1]["event"], told[-1]["reason"], told[-1]["step"]) == ("finished", "stopped", 5)
    assert weights.read(tmp_path / "run" / told[-1]["file"]).spec.m == 1
    more = run(tmp_path / "run", {}, resume=True)
    assert (more[-1]["reason"], more[-1]["step"]) == ("done", 12)


def test_extending_while_it_runs_and_after_it_ended(tiny: dict[str, Any], tmp_path: Path) -> None:
    def act(event: Any, _control: Control) -> None:
        if event.name == "step" and event.step == 3:
            send(tmp_path / "run", "extend", steps=15)
            send(tmp_path / "run", "rate", rate=1e-3)

    told = run(tmp_path / "run", tiny, act=act)
    (changed,) = named(told, "changed")
    assert (changed["steps"], changed["rate"], told[-1]["step"]) == (15, 1e-3, 15)
    assert RunFolder(tmp_path / "run").settings().steps == 15
    with pytest.raises(TrainingError, match="finished"):
        run(tmp_path / "run", {}, resume=True)
    assert run(tmp_path / "run", {"steps": 18}, resume=True)[-1]["step"] == 18


def test_orders_that_make_no_sense_are_refused(tiny: dict[str, Any], tmp_path: Path) -> None:
    def act(event: Any, _control: Control) -> None:
        if event.name == "step" and event.step == 1:
            for command, values in (("jump", {}), ("extend", {}), ("extend", {"steps": -3}), ("rate", {"rate": 7.0})):
                with pytest.raises(TrainingError, match="not understood"):
                    send(tmp_path / "run", command, **values)

    assert run(tmp_path / "run", tiny, act=act)[-1]["reason"] == "done"
    with pytest.raises(TrainingError, match="no training is going on"):
        send(tmp_path / "run", "pause")


def test_an_interrupt_leaves_a_checkpoint(tiny: dict[str, Any], tmp_path: Path) -> None:
    def act(event: Any, control: Control) -> None:
        if event.name == "step" and event.step == 5:
            control.interrupt()

    with pytest.raises(Cancelled, match="step 5"):
        run(tmp_path / "run", tiny, act=act)
    assert checkpoint.read(RunFolder(tmp_path / "run").last).step == 5


def test_what_is_not_finite_names_step_rate_and_checkpoint(tiny: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "run", {**tiny, "steps": 4})
    folder = RunFolder(tmp_path / "run")
    good = checkpoint.read(folder.last)
    bad = checkpoint.read(folder.last)
    bad.trainer["network"]["first.expand.bias"].fill_(math.nan)
    checkpoint.write(bad, folder.last)
    with pytest.raises(NotFiniteError, match="step 4"):
        run(tmp_path / "run", {"steps": 12}, resume=True)
    failed = read_events(folder)[-1]
    assert (failed["event"], failed["step"], failed["checkpoint"]) == ("failed", 4, "checkpoints/last.pt")
    assert failed["rate"] > 0
    assert "checkpoints/last.pt" in failed["message"]
    checkpoint.write(good, folder.last)
    assert run(tmp_path / "run", {"steps": 6}, resume=True)[-1]["step"] == 6
    assert named(read_events(folder), "failed") == []


def test_a_folder_is_not_used_twice(tiny: dict[str, Any], tmp_path: Path) -> None:
    def act(event: Any, _control: Control) -> None:
        if event.name == "begun":
            with pytest.raises(TrainingError, match="already"):
                begin(RunFolder(tmp_path / "run"), {}, resume=True)

    run(tmp_path / "run", {**tiny, "steps": 2}, act=act)
    with pytest.raises(TrainingError, match="--resume"):
        begin(RunFolder(tmp_path / "run"), tiny, resume=False)
    with pytest.raises(ConfigError, match="int_features"):
        begin(RunFolder(tmp_path / "run"), {"int_features": 8}, resume=True)
    with pytest.raises(TrainingError, match="no run is here"):
        begin(RunFolder(tmp_path / "none"), {}, resume=True)


def test_larger_scales_start_from_smaller_ones(tiny: dict[str, Any], tmp_path: Path) -> None:
    told = run(tmp_path / "two", tiny)
    model = weights.read(tmp_path / "two" / told[-1]["file"])
    four = {
        **tiny,
        "scale": 4,
        "hr_patch": 32,
        "start": str(tmp_path / "two" / told[-1]["file"]),
        "steps": 1,
        "learning_rate": 1e-9,
        "ema": 0.0,
    }
    told = run(tmp_path / "four", four)
    started = weights.read(tmp_path / "four" / told[-1]["file"])
    for name, tensor in model.tensors.items():
        if not name.startswith("last."):
            assert np.allclose(started.tensors[name], tensor, atol=1e-5), name
    assert started.tensors["last.weight"].shape[0] == 16


def test_without_validation_pictures_the_last_network_is_kept(tiny: dict[str, Any], tmp_path: Path) -> None:
    told = run(tmp_path / "run", {**tiny, "val": "", "tensorboard": True})
    assert named(told, "validated") == []
    assert weights.read(tmp_path / "run" / told[-1]["file"]).about["step"] == 12
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


def test_quantised_runs_leave_an_integer_form_and_a_tflite_file(tiny: dict[str, Any], tmp_path: Path) -> None:
    given = {
        **tiny,
        "quant_W": True,
        "quant_A": True,
        "gen_tflite": True,
        "tflite_height": 24,
        "tflite_width": 32,
        "steps": 4,
    }
    told = run(tmp_path / "run", given)
    model = weights.read(tmp_path / "run" / told[-1]["file"])
    assert model.precisions == ("fp32", "int8")
    assert (tmp_path / "run" / told[-1]["file"]).with_suffix(".tflite").read_bytes()[4:8] == b"TFL3"


def test_settings_come_back_from_the_folder(tiny: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "run", {**tiny, "steps": 2})
    stored = RunFolder(tmp_path / "run").settings()
    assert {name: dataclasses.asdict(stored)[name] for name in tiny} == {**tiny, "steps": 2}
