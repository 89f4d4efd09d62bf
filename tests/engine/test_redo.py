"""A result made again is the same to the last bit, or it is said why not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine import images, jobs, weights
from engine.catalogue import Catalogue
from engine.errors import ModelError, PictureError, UsageError
from engine.events import Failed, Finished, Warned
from engine.jobs import Job, Settings, Tools
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.selection import Target
from tests.commands import mild_model, store
from tests.foreign import network, saved

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    keep(folder / "one.safetensors", "one", 1)
    keep(folder / "two.safetensors", "two", 2)
    saved(network(), folder / "theirs.onnx")
    return folder


def keep(file: Path, identity: str, seed: int) -> None:
    weights.write(replace(mild_model(NetworkSpec(2, 2, 8), seed), id=identity), file)


def events(models: Path, source: Path, **settings: object) -> list[Event]:
    return list(jobs.run(Job((source,), Settings(**settings)), Tools(Catalogue([models]))))


def made(models: Path, source: Path, **settings: object) -> Path:
    found = events(models, source, **settings)
    [finished] = [event for event in found if isinstance(event, Finished)]
    return source.parent / finished.output


def redone(models: Path, source: Path, result: Path, **more: object) -> tuple[Path, str]:
    """The new file, and what was said of it."""
    found = events(models, source, redo=result, **more)
    [finished] = [event for event in found if isinstance(event, Finished)]
    [warned] = [event for event in found if isinstance(event, Warned)]
    return source.parent / finished.output, warned.message


WAYS = {
    "plain": {},
    "other model": {"model": "two"},
    "small tiles": {"model": "one", "tile": 7, "backend": "onnx"},
    "another size": {"target": Target(width=77), "model": "two"},
    "lossy": {"extension": ".jpg", "quality": 71},
    "theirs": {"model": "theirs"},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_pixels_whatever_the_settings_were(tmp_path: Path, models: Path, way: str) -> None:
    source = store(tmp_path / "photo.png", 41, 29)
    result = made(models, source, **WAYS[way])
    again, said = redone(models, source, result)
    assert again != result
    assert again.suffix == result.suffix
    np.testing.assert_array_equal(images.read(again).pixels, images.read(result).pixels)
    assert again.read_bytes() == result.read_bytes(), "the record is the same as well"
    assert said == f"pixel for pixel the same as {result}"


def test_the_network_is_known_by_its_weights_not_its_name(tmp_path: Path, models: Path) -> None:
    source = store(tmp_path / "photo.png", 30, 20)
    result = made(models, source, model="two")
    (models / "two.safetensors").rename(models / "renamed.safetensors")
    again, said = redone(models, source, result)
    assert "the same" in said
    np.testing.assert_array_equal(images.read(again).pixels, images.read(result).pixels)


def test_a_network_that_is_missing_or_another_is_named(tmp_path: Path, models: Path) -> None:
    source = store(tmp_path / "photo.png", 30, 20)
    result = made(models, source, model="two")
    away = (models / "two.safetensors").rename(tmp_path / "away.safetensors")
    with pytest.raises(ModelError, match=r"was made with two \(SHA-256 [0-9a-f]{16}…\), which is not here; name its file with --model"):
        events(models, source, redo=result)
    keep(models / "two.safetensors", "two", 3)
    with pytest.raises(ModelError, match="was made with another two"):
        events(models, source, redo=result)
    with pytest.raises(ModelError, match="was made with another two than one is"):
        events(models, source, redo=result, model="one")
    assert "the same" in redone(models, source, result, model=str(away))[1]
    assert not any(path.name.startswith("photo_x2-2") for path in tmp_path.iterdir())


def test_another_original_is_told_of(tmp_path: Path, models: Path) -> None:
    source = store(tmp_path / "photo.png", 30, 20)
    result = made(models, source)
    other = store(tmp_path / "other.png", 30, 20, seed=5)
    _, said = redone(models, other, result)
    assert said.startswith(f"not the same as {result}: samples differ by up to ")
    assert "not the file that it was made from" in said
    smaller = store(tmp_path / "smaller.png", 15, 10)
    assert images.read(redone(models, smaller, result)[0]).pixels.shape == (40, 60, 3), "the size is the record's"


def test_a_result_that_says_nothing_and_inputs_that_cannot_be_it(tmp_path: Path, models: Path) -> None:
    source = store(tmp_path / "photo.png", 30, 20)
    silent = made(models, source, provenance=False)
    with pytest.raises(PictureError, match="does not say how it was made"):
        events(models, source, redo=silent)
    result = made(models, source)
    with pytest.raises(UsageError, match="the one picture"):
        list(jobs.run(Job((source, source), Settings(redo=result)), Tools(Catalogue([models]))))
    with pytest.raises(UsageError, match="the one picture"):
        events(models, tmp_path, redo=result)


def test_replacing_the_result_itself_does_not_count_as_the_same(tmp_path: Path, models: Path) -> None:
    source = store(tmp_path / "photo.png", 30, 20)
    result = made(models, source)
    found = events(models, source, redo=result, destination=result, existing="overwrite")
    assert not [event for event in found if isinstance(event, Failed)]
    [warned] = [event for event in found if isinstance(event, Warned)]
    assert "cannot be told any more" in warned.message


def test_alpha_and_pages_are_compared_too(tmp_path: Path, models: Path) -> None:
    pixels = images.read(store(tmp_path / "photo.png", 30, 20)).pixels
    alpha = np.tile(np.arange(0, 240, 8, np.uint8), (20, 1))
    images.write(Picture(pixels, alpha), tmp_path / "clear.png")
    result = made(models, tmp_path / "clear.png")
    assert "the same" in redone(models, tmp_path / "clear.png", result)[1]
    images.write(Picture(pixels, alpha[:, ::-1].copy()), tmp_path / "turned.png")
    assert "samples differ" in redone(models, tmp_path / "turned.png", result)[1]
