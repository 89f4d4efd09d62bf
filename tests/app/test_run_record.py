"""A run's events, read as they lie in its folder."""

import json

import numpy as np
import pytest

from addersesr_app.run_record import SMOOTHING, Record
from engine.events import Energy
from training.events import Begun, Imitated, Paused, Saved, Step, Validated

ENERGY = Energy(12.5, 250.25, None)


def steps(first, last, seed=0):
    draw = np.random.default_rng(seed)
    return [
        Step(step, 500, float(draw.uniform(1e-6, 1e-2)), float(10 ** draw.uniform(-7, -3)), 5.25, 60.0, step / 4, ENERGY)
        for step in range(first, last)
    ]


def lines(events):
    return [event.to_json().encode() for event in events]


@pytest.fixture
def told():
    begun = Begun("mine", 0, 500, 7, 1234, "cpu", 30.0)
    return [begun, Imitated(3, 9, 0.5), *steps(1, 40), Validated(39, 31.0, 0.9, True), *steps(40, 41), Paused(40), *steps(41, 100, 1)]


def test_many_steps_are_read_as_one_by_one(told):
    at_once, singly = Record(), Record()
    at_once.take(lines(told))
    for line in lines(told):
        singly.apply(json.loads(line))
    for name in ("at", "loss", "rate", "speed", "smooth"):
        np.testing.assert_array_equal(getattr(at_once, name).values, getattr(singly, name).values)
    assert (at_once.step, at_once.steps, at_once.seconds, at_once.eta_s) == (99, 500, 24.75, 60.0)
    assert at_once.energy == {"arithmetic_mj": 12.5, "estimated_mj": 250.25, "measured_mj": None}
    assert [one.step for one in at_once.validations] == [39]
    assert (at_once.imitated, at_once.paused) == ((3, 9), True)
    assert at_once.smooth.values[1] == pytest.approx(SMOOTHING * told[2].loss + (1 - SMOOTHING) * told[3].loss)


@pytest.mark.parametrize(
    "damage", [b'{"event": "step", "step": 17, "loss": 1..2}', b'{"event": "step", "st', b"\xff\xfe", b'{"event": "saved"}']
)
def test_a_damaged_line_costs_its_own_event_alone(told, damage):
    record = Record()
    record.take([*lines(told)[:20], damage, *lines(told)[20:], *lines([Saved(99, "checkpoints/last.pt")])])
    assert record.at.values.tolist() == list(range(1, 100))
    assert record.saved_step == 99


def test_steps_are_not_read_one_by_one(told, monkeypatch):
    read = []
    monkeypatch.setattr("addersesr_app.run_record.json.loads", lambda line: read.append(line) or {"event": "nothing"})
    record = Record()
    record.take(lines(steps(1, 1001)))
    assert len(read) == 1
    assert len(record.loss) == 999
