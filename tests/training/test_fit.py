from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from engine import weights
from engine.errors import DataError, TrainingError, VideoError
from engine.network import NetworkSpec
from tests.networks import random_model
from tests.training.drawings import draw, page, screen, store
from training.clips import sample_frames
from training.data import Pair
from training.fit import Fit, check_output, pairs_of, split
from training.models import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from training.events import Problem


def film(path: Path, frames: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def gathered(inputs: list[Path]) -> tuple[list[Pair], list[Problem]]:
    """All pairs at scale 2, and what was left out."""
    problems, gathering = [], pairs_of(inputs, 2)
    while True:
        try:
            problems.append(next(gathering))
        except StopIteration as end:
            return end.value, problems


@pytest.mark.parametrize("drawn", [page, screen])
def test_a_short_fit_gains_on_what_it_has_not_seen(tmp_path: Path, drawn: object) -> None:
    for number in range(10):
        store(tmp_path / "material" / f"{number}.png", drawn(number, 160, 240))
    model = find_model("sesr-m5-x2")
    *_, saved, fitted = Fit([tmp_path / "material"], model, tmp_path / "mine.safetensors", steps=40).events()
    assert fitted.name == "fitted"
    assert fitted.after_db > fitted.before_db + 0.15
    assert (saved.file, fitted.file) == (str(tmp_path / "mine.safetensors"),) * 2
    mine = weights.read(tmp_path / "mine.safetensors")
    assert mine.id == "mine"
    assert mine.spec == model.spec
    assert mine.about["fitted"]["from"] == "sesr-m5-x2"
    assert "psnr" not in mine.about


def test_worse_than_before_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.fit.RATE", 0.9)
    store(tmp_path / "a.png", page(0, 200, 240))
    *_, fitted = Fit([tmp_path / "a.png"], find_model("sesr-m5-x2"), tmp_path / "mine.safetensors", steps=12).events()
    assert fitted.after_db < fitted.before_db
    assert fitted.file is None
    assert not (tmp_path / "mine.safetensors").exists()


def test_time_is_kept_and_the_rate_falls_to_zero(tmp_path: Path) -> None:
    store(tmp_path / "a.png", draw(0, 120, 240))
    model = random_model(NetworkSpec(2, 1, 4))
    events = list(Fit([tmp_path / "a.png"], model, tmp_path / "mine.safetensors", minutes=0.06).events())
    steps = [event for event in events if event.name == "step"]
    assert steps
    assert steps[-1].rate < steps[0].rate
    assert events[-1].name == "fitted"


def test_adder_networks_can_be_fitted(tmp_path: Path) -> None:
    store(tmp_path / "a.png", draw(0, 160, 200))
    model = random_model(NetworkSpec(2, 1, 4, "adder"))
    *_, fitted = Fit([tmp_path / "a.png"], model, tmp_path / "mine.safetensors", steps=30).events()
    assert fitted.after_db > fitted.before_db


def test_few_pictures_are_split_and_many_are_held_out_whole() -> None:
    low = np.arange(100 * 60, dtype=np.float32).reshape(100, 60)
    pair = Pair("one", low, low.repeat(2, 0).repeat(2, 1))
    (train,), (held,) = split([pair])
    assert train.lr.shape == (80, 60)
    assert held.lr.shape == (16, 60)
    assert np.intersect1d(train.lr, held.lr).size == 0
    assert np.array_equal(held.hr[::2, ::2], held.lr)
    train_many, held_many = split([Pair(str(i), low, low) for i in range(11)])
    assert [pair.name for pair in held_many] == ["2", "7"]
    assert len(train_many) == 9
    with pytest.raises(DataError, match="too little"):
        split([Pair("small", low[:30, :30], low[:30, :30])])


def test_clips_give_frames_that_differ(tmp_path: Path) -> None:
    frames = [draw(number // 3) for number in range(9)]
    clip = film(tmp_path / "clip.mkv", frames)
    assert len(sample_frames(clip)) == 3
    assert len(sample_frames(film(tmp_path / "long.mkv", [draw(number) for number in range(40)]), most=8)) <= 8
    pairs = gathered([clip])[0]
    assert [pair.name for pair in pairs] == ["clip.mkv#0", "clip.mkv#1", "clip.mkv#2"]
    assert pairs[0].lr.shape == (32, 40)
    assert np.corrcoef(pairs[0].hr.ravel(), draw(0)[..., 1].ravel())[0, 1] > 0.7


def test_a_folder_of_clips_alone_is_material_too(tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    (folder / "day two").mkdir(parents=True)
    film(folder / "a.mkv", [screen(number, 96, 128) for number in range(4)])
    film(folder / "day two" / "b.avi", [screen(number, 96, 128) for number in range(10, 14)])
    (folder / "broken.mp4").write_bytes(b"no film")
    pairs, problems = gathered([folder])
    assert {pair.name.split("#")[0] for pair in pairs} == {"a.mkv", "b.avi"}
    assert [(problem.file, problem.kind) for problem in problems] == [(str(folder / "broken.mp4"), "unusable")]
    model = random_model(NetworkSpec(2, 1, 4))
    *_, fitted = Fit([folder], model, tmp_path / "mine.safetensors", steps=30).events()
    assert fitted.after_db > fitted.before_db
    with pytest.raises(VideoError):
        gathered([folder / "broken.mp4"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="neither pictures nor clips"):
        gathered([empty])


def test_outputs_are_checked_before_time_is_spent(tmp_path: Path) -> None:
    (tmp_path / "there.safetensors").write_bytes(b"")
    for name, words in (
        ("mine.bin", "safetensors"),
        ("there.safetensors", "exists"),
        ("none/mine.safetensors", "no such folder"),
    ):
        with pytest.raises(TrainingError, match=words):
            check_output(tmp_path / name, overwrite=False)
    check_output(tmp_path / "there.safetensors", overwrite=True)
    with pytest.raises(ValueError, match="minutes"):
        Fit([], random_model(NetworkSpec(2, 1, 4)), tmp_path / "x.safetensors", minutes=0)
