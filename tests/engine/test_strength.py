"""Between a network and its plain twin every strength is a network: itself at 1, the twin at 0, and in a result's record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import card, images, jobs, strength, weights
from engine.backends import choose
from engine.catalogue import Catalogue
from engine.errors import ModelError, UsageError
from engine.events import Failed, Finished, Warned
from engine.jobs import Job, Settings, Tools
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.quantise import quantise
from engine.selection import Target, select
from engine.serve.protocol import Network
from engine.serve.runners import Runners
from tests.commands import photo, store_model
from tests.networks import random_model

if TYPE_CHECKING:
    from engine.weights import Model

SPEC = NetworkSpec(2, 2, 8)
SHIPPED = Path(__file__).parents[2] / "resources" / "models"


def model(folder: Path, identity: str, seed: int) -> Model:
    """A model that keeps pictures whole, stored in a folder."""
    found = weights.read(store_model(folder / "made.safetensors", SPEC))
    draw = np.random.default_rng(seed)
    tensors = {name: (array * draw.uniform(0.97, 1.03, array.shape)).astype(np.float32) for name, array in found.tensors.items()}
    tensors["last.weight"] *= np.float32(20 * seed - 19)
    return replace(found, id=identity, tensors=tensors, about={"title": identity, "psnr": {"Set5": 37.0}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Models with one pair of twins among them."""
    where = tmp_path / "models"
    where.mkdir()
    plain = model(tmp_path, "some-x2", 1)
    tuned = strength.with_plain(model(tmp_path, "some-x2-photo", 2), plain)
    for each in (plain, tuned, model(tmp_path, "other-x2", 3)):
        weights.write(each, where / f"{each.id}.safetensors")
    return where


def both(folder: Path) -> tuple[Model, Model]:
    catalogue = Catalogue([folder])
    plain, tuned = catalogue.find("some-x2"), catalogue.find("some-x2-photo")
    assert isinstance(plain, weights.Model)
    assert isinstance(tuned, weights.Model)
    return plain, tuned


def test_the_ends_are_the_two_networks_and_the_middle_is_between(folder: Path) -> None:
    plain, tuned = both(folder)
    models = Catalogue([folder]).models
    assert strength.at(tuned, 1, models) is tuned
    at_0, at_half = (strength.at(tuned, share, models) for share in (0, 0.5))
    for name in tuned.tensors:
        np.testing.assert_array_equal(at_0.tensors[name], plain.tensors[name])
        middle = (plain.tensors[name].astype(np.float64) + tuned.tensors[name]) / 2
        np.testing.assert_allclose(at_half.tensors[name], middle, rtol=1e-6)
    assert (at_half.id, at_half.about["title"]) == ("some-x2-photo", "some-x2-photo")
    assert "psnr" not in at_half.about, "figures are those of full strength"
    assert len({tuned.digest, at_0.digest, at_half.digest, plain.digest}) == 4


def test_who_has_no_twin_here_has_no_strength(folder: Path) -> None:
    catalogue = Catalogue([folder])
    with pytest.raises(UsageError, match=r"--strength 0\.5: other-x2 has no plain twin"):
        select(catalogue, "other-x2", Target(), strength=0.5)
    with pytest.raises(UsageError, match="not between 0"):
        select(catalogue, "some-x2-photo", Target(), strength=1.5)
    with pytest.raises(ModelError, match="another network"):
        strength.with_plain(random_model(SPEC), random_model(NetworkSpec(2, 3, 8)))
    (folder / "some-x2.safetensors").unlink()
    with pytest.raises(UsageError, match="mixed with some-x2, which is not here"):
        select(catalogue, "some-x2-photo", Target(), strength=0.5)


def test_a_twin_that_was_trained_on_is_no_twin_any_more(folder: Path, tmp_path: Path) -> None:
    plain, tuned = both(folder)
    weights.write(replace(model(tmp_path, "some-x2", 9), about=plain.about), folder / "some-x2.safetensors")
    assert strength.twin(tuned, Catalogue([folder]).models()) is None
    weights.write(plain.with_about(summary="another card, the same weights"), folder / "some-x2.safetensors")
    assert strength.twin(tuned, Catalogue([folder]).models()) is not None


def test_without_a_name_it_is_for_those_that_have_a_twin(folder: Path) -> None:
    chosen = select(Catalogue([folder]), None, Target(), strength=0.25)
    assert strength.strength_of(chosen.for_size(10, 10, "photo")) == 0.25
    assert strength.strength_of(chosen.for_size(10, 10, "clean")) == 1


def upscaled(folder: Path, source: Path, out: Path, **settings: Any) -> np.ndarray:
    wanted = Settings(**{"model": "some-x2-photo", "destination": out, "existing": "overwrite", **settings})
    found = list(jobs.run(Job((source,), wanted), Tools(Catalogue([folder]))))
    assert not [event for event in found if isinstance(event, Failed)], found
    [finished] = [event for event in found if isinstance(event, Finished)]
    return images.read(Path(finished.output)).pixels.astype(int)


def test_pixels_go_from_one_to_the_other(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    images.write(Picture(photo(60, 48)), source)
    full, none = (upscaled(folder, source, tmp_path / f"{share}.png", strength=share) for share in (1.0, 0.0))
    half = upscaled(folder, source, tmp_path / "half.png", strength=0.5)
    np.testing.assert_array_equal(none, upscaled(folder, source, tmp_path / "plain.png", model="some-x2"))
    assert np.abs(full - none).max() > 2
    assert np.abs(half - (full + none) / 2).mean() < np.abs(full - none).mean() / 4


def test_a_mixture_has_float32_alone_and_says_so(folder: Path) -> None:
    _, tuned = both(folder)
    small = replace(tuned, id="small", int8=quantise(tuned, [np.zeros((8, 8), np.float32)]))
    weights.write(small, folder / "small.safetensors")
    catalogue = Catalogue([folder])
    assert select(catalogue, "small", Target(), precision="int8").named is not None
    with pytest.raises(UsageError, match=r"small has no int8 form at strength 0\.5 \(it has fp32\)"):
        select(catalogue, "small", Target(), precision="int8", strength=0.5)


def test_a_result_is_made_again_at_its_strength(folder: Path, tmp_path: Path) -> None:
    source, made = tmp_path / "photo.png", tmp_path / "made.png"
    images.write(Picture(photo(60, 48)), source)
    wanted = upscaled(folder, source, made, strength=0.35)
    again = Settings(redo=made, destination=tmp_path / "again.png")
    found = list(jobs.run(Job((source,), again), Tools(Catalogue([folder]))))
    assert [event.message for event in found if isinstance(event, Warned)] == [f"pixel for pixel the same as {made}"]
    np.testing.assert_array_equal(images.read(tmp_path / "again.png").pixels, wanted)
    (folder / "some-x2.safetensors").unlink()
    with pytest.raises(ModelError, match="was made with another some-x2-photo"):
        list(jobs.run(Job((source,), again), Tools(Catalogue([folder]))))


def test_the_windows_server_keeps_strengths_apart_and_not_all_of_them(folder: Path) -> None:
    runners, y = Runners(Catalogue([folder]), None, 64), np.random.default_rng(0).random((12, 12), np.float32)
    network = Network("some-x2-photo", "onnx", threads=1)
    shares = np.linspace(0, 1, 31)
    found = [runners.upscaler(replace(network, strength=float(share))).backend.run(y) for share in shares]
    assert np.abs(found[0] - found[-1]).max() > 1e-3
    plain = runners.upscaler(replace(network, model="some-x2")).backend.run(y)
    np.testing.assert_array_equal(found[0], plain)
    assert len(runners._own.kept) < len(shares)


def test_a_twin_that_changes_is_noticed(folder: Path, tmp_path: Path) -> None:
    runners, network = Runners(Catalogue([folder]), None, 64), Network("some-x2-photo", "onnx", threads=1, strength=0.5)
    runners.upscaler(network)
    weights.write(model(tmp_path, "some-x2", 9).with_about(summary="longer than before"), folder / "some-x2.safetensors")
    with pytest.raises(UsageError, match="not here with the weights"):
        runners.upscaler(network)


@pytest.mark.parametrize("named", [each.id for each in Catalogue([SHIPPED]).models() if strength.plain_id(each)])
def test_what_ships_with_a_twin_ships_with_that_twin(named: str) -> None:
    catalogue = Catalogue([SHIPPED])
    tuned = catalogue.find(named)
    plain = strength.twin(tuned, catalogue.models())
    assert plain is not None, f"python -m engine.card {named}.safetensors --data DIR --plain {strength.plain_id(tuned)}.safetensors"
    y = np.random.default_rng(0).random((24, 24), np.float32)
    ends = [choose.create(each, "onnx", threads=1).run(y) for each in (plain, tuned)]
    middle = choose.create(strength.at(tuned, 0.5, catalogue.models), "onnx", threads=1).run(y)
    assert np.abs(middle - (ends[0] + ends[1]) / 2).mean() < np.abs(ends[0] - ends[1]).mean() / 2, "the path between them is smooth"


def test_a_card_names_the_twin(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("Set5", "Set14"):
        (data / name / "x2").mkdir(parents=True)
        large = photo(96, 80)
        images.write(Picture(large), data / name / "x2" / "001_HR.png")
        images.write(Picture(np.ascontiguousarray(large[::2, ::2])), data / name / "x2" / "001_LR.png")
    file, plain = folder / "other-x2.safetensors", folder / "some-x2.safetensors"
    assert card.main([str(file), "--data", str(data), "--plain", str(plain)]) == 0
    assert strength.twin(weights.read(file), [weights.read(plain)]) is not None
