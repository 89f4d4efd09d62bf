"""Models are found by id and by file, in order; what is wrong with one never hides the others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import resources
from engine import weights
from engine.catalogue import Catalogue
from engine.errors import ModelError
from engine.network import NetworkSpec
from tests.networks import random_model

if TYPE_CHECKING:
    from pathlib import Path

M3, M5 = NetworkSpec(2, 3, 16), NetworkSpec(2, 5, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three models (two of them in the listed order), a damaged one, and things that are none."""
    folder = tmp_path / "models"
    folder.mkdir()
    for spec in (M3, M5, NetworkSpec(4, 5, 16, "adder")):
        model = random_model(spec)
        weights.write(model, folder / f"{model.id}.safetensors")
    (folder / "broken.safetensors").write_bytes(b"not a model")
    (folder / ".hidden.safetensors").write_bytes(b"not a model")
    (folder / "notes.txt").write_text("hello")
    (folder / "catalogue.toml").write_text('order = ["sesr-m5-x2", "sesr-xl-x2", "addersesr-m5-x4"]')
    return folder


def ids(catalogue: Catalogue) -> list[str]:
    return [model.id for model in catalogue.models()]


def test_order(folder: Path) -> None:
    assert ids(Catalogue([folder])) == ["sesr-m5-x2", "addersesr-m5-x4", "sesr-m3-x2"]


def test_a_file_added_later_is_found(folder: Path) -> None:
    catalogue = Catalogue([folder])
    assert "sesr-m3-x4" not in ids(catalogue)
    weights.write(random_model(NetworkSpec(4, 3, 16)), folder / "any name.safetensors")
    assert "sesr-m3-x4" in ids(catalogue)
    (folder / "any name.safetensors").unlink()
    assert "sesr-m3-x4" not in ids(catalogue)


def test_find_by_id_and_by_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue([folder])
    assert catalogue.find("sesr-m3-x2").spec == M3
    file = folder / "sesr-m3-x2.safetensors"
    assert catalogue.find(str(file)).spec == catalogue.find(file).spec == M3
    monkeypatch.chdir(folder)
    assert Catalogue([]).find("sesr-m3-x2.safetensors").spec == M3


def test_the_first_folder_wins(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    weights.write(random_model(M5, seed=1).with_about(title="Mine"), mine / "sesr-m5-x2.safetensors")
    assert Catalogue([folder, mine]).entry("sesr-m5-x2").title == "sesr-m5-x2"
    assert Catalogue([mine, folder]).entry("sesr-m5-x2").title == "Mine"
    assert ids(Catalogue([mine, folder])) == ["sesr-m5-x2", "addersesr-m5-x4", "sesr-m3-x2"]


@pytest.mark.parametrize(("name", "near"), [("sesr-m5x2", "sesr-m5-x2"), ("SESR-M3-X2", "sesr-m3-x2"), ("adder-m5-x4", "addersesr-m5-x4")])
def test_an_unknown_id_names_what_is_near(folder: Path, name: str, near: str) -> None:
    with pytest.raises(ModelError, match=rf"no model '{name}'; did you mean .*{near}"):
        Catalogue([folder]).find(name)


def test_an_unknown_id_with_nothing_near_names_all(folder: Path) -> None:
    with pytest.raises(ModelError, match="there are: sesr-m5-x2, addersesr-m5-x4, sesr-m3-x2"):
        Catalogue([folder]).find("realesrgan")
    with pytest.raises(ModelError, match="there are: none"):
        Catalogue([]).find("realesrgan")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.safetensors: cannot be read \(No such file"):
        Catalogue([]).find(str(tmp_path / "nowhere.safetensors"))


def test_a_damaged_file_is_told(folder: Path) -> None:
    catalogue = Catalogue([folder])
    (problem,) = catalogue.problems()
    assert problem.file == folder / "broken.safetensors"
    assert "broken.safetensors: not a .safetensors file" in problem.message
    with pytest.raises(ModelError, match=r"broken\.safetensors: not a .safetensors file"):
        catalogue.find("broken")


@pytest.mark.parametrize("text", ["order = [", "order = 3", "order = [3, 4]", "\udcff"])
def test_a_damaged_order_is_no_order(folder: Path, text: str) -> None:
    (folder / "catalogue.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert ids(Catalogue([folder])) == ["addersesr-m5-x4", "sesr-m3-x2", "sesr-m5-x2"]


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert ids(Catalogue([tmp_path / "nowhere", tmp_path / "file"])) == []
    assert Catalogue([tmp_path / "nowhere", tmp_path / "file"]).problems() == ()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_without_permission(folder: Path) -> None:
    folder.chmod(0)
    try:
        assert "cannot be listed" in Catalogue([folder]).problems()[0].message
    finally:
        folder.chmod(0o700)


def test_row(folder: Path) -> None:
    model = random_model(M5, seed=2).with_about(psnr={"Set5": 37.5, "Set14": "?"}, licence="Apache-2.0", title="Five")
    file = folder / "sesr-m5-x2.safetensors"
    weights.write(model, file)
    row = Catalogue([folder]).entry("sesr-m5-x2").row()
    expected = {"id": "sesr-m5-x2", "scale": 2, "m": 5, "f": 16, "block": "convolution", "precision": "fp32", "parameters": 13520}
    assert {key: row[key] for key in expected} == expected
    assert (row["psnr"], row["licence"], row["file"], row["title"]) == ({"Set5": 37.5}, "Apache-2.0", str(file), "Five")
    assert list(row)[:10] == ["id", "scale", "m", "f", "block", "precision", "parameters", "psnr", "licence", "file"]


def test_every_model_that_ships_is_sound() -> None:
    catalogue = Catalogue([resources.MODELS])
    assert catalogue.problems() == ()
    for entry in catalogue.entries():
        assert entry.file.name == f"{entry.model.id}.safetensors"
        assert entry.model.about["licence"] == "Apache-2.0"
        assert entry.model.about["training"], "a model says what it was trained with"
        assert {"Set5", "Set14"} <= entry.psnr.keys(), "a model says how good it is"
