from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from engine import weights
from engine.errors import Cancelled
from training.control import Control, send
from training.folder import RunFolder
from training.imitation import imitation_losses
from training.network import SESR, AdderSESR
from training.networks import frozen
from training.session import begin, train

if TYPE_CHECKING:
    from pathlib import Path


def result(folder: Path, given: dict[str, Any]) -> Path:
    place = RunFolder(folder)
    settings = begin(place, given, resume=False)
    with Control(place.path) as control:
        events = list(train(place, settings, control))
    return folder / events[-1].to_dict()["file"]


def distance(adder: Path, twin: Path) -> float:
    """How far the adder layers' maps are from the twin's: 1 is what doing nothing scores."""
    network, model = frozen(weights.read(adder)), frozen(weights.read(twin))
    assert isinstance(network, AdderSESR)
    assert isinstance(model, SESR)
    torch.manual_seed(0)
    with torch.no_grad():
        return float(torch.stack(imitation_losses(network, model, torch.rand(2, 1, 24, 24))).mean())


def test_an_adder_network_begins_by_imitating_its_twin(tiny: dict[str, Any], tmp_path: Path) -> None:
    twin = result(tmp_path / "twin", {**tiny, "learning_rate": 1e-2})
    adder = {**tiny, "linear_block_type": "collapsed_adder", "start": str(twin), "steps": 1, "learning_rate": 1e-6}
    with_it = distance(result(tmp_path / "with", {**adder, "imitate": 300}), twin)
    without = distance(result(tmp_path / "without", {**adder, "imitate": 0}), twin)
    assert with_it < 0.7 * without


def test_the_twins_outer_layers_are_taken_over(tiny: dict[str, Any], tmp_path: Path) -> None:
    twin = weights.read(result(tmp_path / "twin", tiny))
    start = tmp_path / "twin.safetensors"
    weights.write(twin, start)
    given = {**tiny, "linear_block_type": "collapsed_adder", "start": str(start), "steps": 1, "learning_rate": 1e-9, "imitate": 5}
    adder = weights.read(result(tmp_path / "adder", given))
    for name in ("first.weight", "last.weight"):
        assert adder.tensors[name] == pytest.approx(twin.tensors[name], abs=1e-4)


@pytest.mark.parametrize(("changes", "part"), [({}, 0.8), ({"recipe": "reference"}, 0), ({"linear_block_type": "collapsed"}, 0)])
def test_until_when_layers_are_turning_is_told(changes: dict[str, Any], part: float, tiny: dict[str, Any], tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "run")
    settings = begin(place, {**tiny, "linear_block_type": "collapsed_adder", **changes}, resume=False)
    with Control(place.path) as control:
        begun = next(event for event in train(place, settings, control) if event.name == "begun")
    assert begun.turning_until == round(part * begun.steps)


def test_an_adder_network_goes_on_as_one(tiny: dict[str, Any], tmp_path: Path) -> None:
    given = {**tiny, "linear_block_type": "collapsed_adder"}
    first = result(tmp_path / "first", given)
    place = RunFolder(tmp_path / "second")
    settings = begin(place, {**given, "start": str(first)}, resume=False)
    with Control(place.path) as control:
        begun = next(event for event in train(place, settings, control) if event.name == "begun")
    assert begun.turning_until == 0


def test_imitating_is_told_and_obeys(tiny: dict[str, Any], tmp_path: Path) -> None:
    twin = result(tmp_path / "twin", tiny)
    given = {**tiny, "linear_block_type": "collapsed_adder", "start": str(twin), "imitate": 10**6}
    place = RunFolder(tmp_path / "adder")
    settings = begin(place, given, resume=False)
    with Control(place.path) as control:
        run = train(place, settings, control)
        first = next(event for event in run if event.name == "imitated")
        assert (first.done, first.steps) == (1, 10**6)
        assert first.loss > 0
        send(place.path, "pause")
        assert next(event for event in run if event.name != "imitated").name == "paused"
        assert not place.last.exists(), "half a start is nothing to go on from"
        send(place.path, "resume")
        assert next(run).name == "resumed"
        assert next(run).name == "imitated"
        send(place.path, "stop")
        rest = [event for event in run if event.name != "imitated"]
    assert (rest[-1].name, rest[-1].reason) == ("finished", "stopped")
    assert weights.read(place.path / rest[-1].file).spec.block == "adder", "what it has learnt is kept"


def test_a_start_that_is_broken_off_begins_anew(tiny: dict[str, Any], tmp_path: Path) -> None:
    twin = result(tmp_path / "twin", tiny)
    given = {**tiny, "linear_block_type": "collapsed_adder", "start": str(twin), "imitate": 20, "steps": 2}
    place = RunFolder(tmp_path / "adder")
    settings = begin(place, given, resume=False)
    with Control(place.path) as control:
        run = train(place, settings, control)
        next(event for event in run if event.name == "imitated")
        control.interrupt()
        with pytest.raises(Cancelled):
            list(run)
    settings = begin(place, {}, resume=True)
    with Control(place.path) as control:
        again = list(train(place, settings, control))
    assert [event.done for event in again if event.name == "imitated"] == list(range(1, 21))
    assert again[-1].name == "finished"
