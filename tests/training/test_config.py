from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

from engine.errors import ConfigError
from training import command
from training.config import TrainConfig
from training.settings import Settings, help_of, read_toml, resolve

REFERENCE = {
    "epochs",
    "batch_size",
    "learning_rate",
    "model_name",
    "quant_W",
    "quant_A",
    "gen_tflite",
    "tflite_height",
    "tflite_width",
    "scale",
    "feature_size",
    "int_features",
    "m",
    "linear_block_type",
}
"""The reference implementation's flags."""
DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--json", action="store_true")
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_every_flag_of_the_reference_exists_and_the_docs_map_it() -> None:
    names = {item.name for item in fields(Settings)}
    assert names >= REFERENCE
    text = DOCS.read_text("utf-8")
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_flags_are_taken_with_dashes_and_underscores() -> None:
    given = command.given_settings(
        parse(
            "--linear-block-type",
            "expanded",
            "--int_features",
            "8",
            "--quant-A",
            "--quant_W=false",
            "--batch-size",
            "3",
        )
    )
    assert given == {
        "linear_block_type": "expanded",
        "int_features": 8,
        "quant_A": True,
        "quant_W": False,
        "batch_size": 3,
    }


def test_flags_count_more_than_the_file_and_the_file_more_than_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "m11"\nm = 9\nbatch_size = 7\nlearning_rate = 1e-3\n')
    settings = resolve(command.given_settings(parse("--config", str(file), "--batch-size", "5")))
    assert (settings.m, settings.int_features, settings.optimiser) == (9, 16, "soap")
    assert resolve({"preset": "m11", "optimiser": "adam"}).feature_size == 64
    assert (settings.batch_size, settings.learning_rate) == (5, 1e-3)


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = resolve({"preset": "xl", "scale": 4, "model_name": 'odd "näme"', "quant_A": True, "learning_rate": 3e-5})
    file = tmp_path / "config.toml"
    file.write_text(settings.to_toml(), "utf-8")
    assert resolve(read_toml(file)) == settings


def test_the_reference_recipe_is_the_published_one() -> None:
    two, four = (resolve({"recipe": "reference", "scale": scale}) for scale in (2, 4))
    assert (two.hr_patch, four.hr_patch) == (128, 200)
    assert (two.epochs, two.patches_per_picture, two.batch_size, two.learning_rate, two.amsgrad, two.loss) == (
        100,
        64,
        32,
        2e-4,
        True,
        "l1",
    )
    assert two.total_steps(pictures=800) == 100 * 800 * 64 // 32
    config = four.train_config(pictures=800)
    assert (config.patch, config.schedule, config.warm_up, config.ema) == (50, "constant", 0, 0.0)


def test_presets_are_the_published_sizes() -> None:
    sizes = {name: resolve({"preset": name}).spec.parameters for name in ("m3", "m5", "m7", "m11", "xl")}
    assert sizes == {"m3": 8912, "m5": 13520, "m7": 18128, "m11": 27344, "xl": 105376}


def test_block_types_and_quantisation_choose_the_network() -> None:
    adder = resolve({"linear_block_type": "collapsed_adder"})
    assert (adder.spec.block, adder.name) == ("adder", "addersesr-m5-x2")
    assert resolve({"quant_A": True}).spec.activation == "prelu"
    assert resolve({"quant_A": True, "linear_block_type": "collapsed_adder"}).spec.activation == "prelu"
    assert resolve({"linear_block_type": "expanded"}).train_config(1).form == "expanded"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batchsize": 3}, "batchsize.*batch_size"),
        ({"batch_size": "many"}, "batch_size.*whole number.*many"),
        ({"batch_size": True}, "batch_size.*whole number"),
        ({"batch_size": 0}, "batch_size.*at least 1.*0"),
        ({"scale": 5}, "scale.*5"),
        ({"preset": "m6"}, "preset.*m6"),
        ({"loss": "l3"}, "loss.*l3.*l1"),
        ({"learning_rate": 2.0}, "learning_rate.*2.0"),
        ({"hr_patch": 97}, "hr_patch.*97"),
        ({"linear_block_type": "expanded", "quant_W": True}, "quant_W.*expanded"),
        ({"distil": 0.5}, "distil.*teacher"),
        ({"model_name": "../x"}, "model_name"),
        ({"device": "tpu"}, "device.*tpu"),
        ({"m": 65}, "m and int_features"),
    ],
)
def test_a_wrong_setting_names_itself(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(given)


def test_a_wrong_file_names_itself(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("epoch = 3\n")
    with pytest.raises(ConfigError, match=r"bad\.toml.*epoch.*epochs"):
        read_toml(file)
    file.write_text("epochs = = 3\n")
    with pytest.raises(ConfigError, match="not TOML"):
        read_toml(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")


def test_every_setting_says_what_it_is_for() -> None:
    assert all(len(help_of(item.name)) > 8 for item in fields(Settings))


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"rate": 1.0}, {"ema": 1.0}, {"clip": -1.0}, {"l2_from": 2.0}, {"loss": "l3"}, {"schedule": "step"}],
)
def test_the_loop_checks_what_it_is_given(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("l2_from", "l2_from")):
        TrainConfig(**wrong)
