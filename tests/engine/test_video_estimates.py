"""What a film is predicted to take, against what it takes; and what is told while it is done."""

from __future__ import annotations

import itertools

import pytest

from engine import jobs, video_work
from engine.bench import Calibration, Rate, machine
from engine.catalogue import Catalogue
from engine.events import Finished, Planned, Progress
from engine.video_options import Excerpt
from engine.weights import read
from tests.clips import store_clip, store_walk
from tests.films import upscaled

STATED_FACTOR = 1.5
"""How far a real film may be from its estimate."""


def planned(events):
    [event] = [event for event in events if isinstance(event, Planned)]
    return event


def finished(events):
    [event] = [event for event in events if isinstance(event, Finished)]
    return event


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A film of 12 s that is like one from a camera, with sound."""
    options = {"preset": "veryfast"}
    return store_walk(tmp_path_factory.mktemp("film") / "walk.mp4", 300, size=(96, 64), options=options, sound=True)


@pytest.mark.parametrize(
    "wish", [{"codec": "x264"}, {"codec": "x265"}, {"codec": "av1"}, {"codec": "x264", "grade": "small"}, {"excerpt": Excerpt(3.0, 9.0)}]
)
def test_a_films_size_is_within_the_stated_factor_of_its_estimate(tmp_path, film_model, walk, wish):
    told = planned(upscaled(film_model, walk, dry=True, effort="fast", destination=tmp_path / "out.mp4", **wish))
    made = finished(upscaled(film_model, walk, effort="fast", destination=tmp_path / "out.mp4", **wish))
    assert made.bytes == (tmp_path / "out.mp4").stat().st_size
    assert told.predicted.bytes / STATED_FACTOR < made.bytes < told.predicted.bytes * STATED_FACTOR
    assert told.predicted.least_bytes < made.bytes < told.predicted.most_bytes
    assert told.frames == made.frames
    assert told.predicted.seconds > 0
    assert (told.width, told.height, told.output) == (made.width, made.height, made.output)


def test_an_estimate_tells_films_apart(tmp_path, film_model):
    """Of three films of one length and size each is said to be what it is; nothing is written."""
    noisy = store_walk(tmp_path / "noisy.mkv", 120, size=(64, 64), noise=12.0)
    calm = store_walk(tmp_path / "calm.mkv", 120, size=(64, 64), noise=0.0)
    slide = store_clip(tmp_path / "slide.mkv", 120, size=(64, 64), moments=[0] * 120)
    before = sorted(tmp_path.iterdir())
    sizes = [planned(upscaled(film_model, film, dry=True)).predicted for film in (noisy, calm, slide)]
    assert sizes[0].bytes > 1.5 * sizes[1].bytes > 3 * sizes[2].bytes
    assert sizes[2].energy.arithmetic_mj < sizes[1].energy.arithmetic_mj / 20, "frames that are the same are not upscaled again"
    assert sorted(tmp_path.iterdir()) == before


def test_sound_is_part_of_the_estimate(tmp_path, film_model):
    """A tiny film with much sound is as large as its sound."""
    film = store_clip(tmp_path / "loud.mp4", 500, size=(16, 16), moments=[0] * 500, sound=True, options={"preset": "ultrafast"})
    told, made = planned(upscaled(film_model, film, dry=True)), finished(upscaled(film_model, film))
    assert told.predicted.bytes == pytest.approx(made.bytes, rel=0.2)


def test_energy_and_size_so_far_are_told_and_at_the_end_set_against_the_prediction(tmp_path, film_model, monkeypatch):
    monkeypatch.setattr(video_work, "WORTH_PREDICTING", 50)
    model = read(film_model)
    rate = Rate("onnx", "fp32", model.spec, 100.0)
    tools = jobs.Tools(Catalogue([]), Calibration(machine(), (rate,), 20.0), (StepMeter(),))
    film = store_walk(tmp_path / "walk.mkv", 120, size=(64, 48))
    job = jobs.Job((film,), jobs.Settings(model=str(film_model), backend="onnx", threads=1))
    events = list(jobs.run(job, tools))
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == 120
    for name in ("arithmetic_mj", "estimated_mj", "measured_mj"):
        spent = [getattr(event.energy, name) for event in progress]
        assert all(a <= b for a, b in itertools.pairwise(spent))
        assert spent[-1] > 0
    sizes = [event.bytes for event in progress]
    assert all(a <= b for a, b in itertools.pairwise(sizes))
    end, told = finished(events), planned(events)
    assert events.index(told) < events.index(progress[0])
    assert end.predicted == told.predicted
    assert end.energy.arithmetic_mj == pytest.approx(told.predicted.energy.arithmetic_mj, rel=0.02)
    assert end.energy.estimated_mj == pytest.approx(120 * 64 * 48 * 100e-9 * 20 * 1000, rel=0.02), "calibrated watts times time"
    assert told.predicted.energy.measured_mj is None, "nothing is measured before it is spent"
    assert end.energy.measured_mj != end.energy.estimated_mj
    assert sizes[-1] <= end.bytes * 1.2


class StepMeter:
    """Counts a joule each time that it is read."""

    name = "a counter"

    def __init__(self):
        self.read = 0

    def joules(self):
        self.read += 1
        return float(self.read)


def test_a_slow_network_is_tried_on_fewer_frames(tmp_path, film_model, monkeypatch):
    film = store_walk(tmp_path / "walk.mkv", 200, size=(64, 48))
    monkeypatch.setattr("engine.video_estimate.BUDGET_S", 0.0)
    seen = []
    monkeypatch.setattr("engine.video_estimate.Run.bytes_of", lambda self, frames: seen.append(self.frames) or 1.0)
    upscaled(film_model, film, dry=True)
    assert seen == [3, 3, 3, 3]
