from __future__ import annotations

import io
import shutil

import numpy as np
import onnx
import pytest

from addersesr_app.commands import doctor
from addersesr_app.console import Console
from engine import bench, weights
from engine.network import NetworkSpec
from engine.reference import run as reference
from tests.commands import size_of, store, store_model, tree


def test_models_lists_the_users_own_beside_those_that_ship(command, model_file):
    models = command.home / ".local/share/addersesr/models"
    models.mkdir(parents=True)
    shutil.copy(model_file, models / "mine.safetensors")
    (models / "broken.safetensors").write_bytes(b"broken")
    done = command("models", "--json")
    assert done.status == 0
    [mine] = [entry for entry in done.value if entry["file"] == str(models / "mine.safetensors")]
    model = weights.read(model_file)
    expected = {
        "id": model.id,
        "scale": 2,
        "m": 1,
        "f": 4,
        "block": "convolution",
        "precision": "fp32",
        "parameters": model.spec.parameters,
    }
    assert {key: mine[key] for key in expected} == expected
    assert {"psnr", "licence", "parameters"} <= set(mine)
    assert "broken.safetensors" in done.err
    assert "mine.safetensors" in command("models").out


def test_energy_prints_the_published_table(command):
    rows = {(row["id"], row["precision"]): row for row in command("energy", "--json").value}
    m5 = rows["sesr-m5-x2", "fp32"]
    assert set(m5) == {"id", "block", "precision", "parameters", "macs", "multiplies", "additions", "energy_mj"}
    assert m5["macs"] == 13520 * 640 * 360
    assert m5["energy_mj"] == pytest.approx(14.31, rel=0.003)
    assert rows["addersesr-m5-x2", "fp32"]["energy_mj"] == pytest.approx(6.895, rel=0.003)
    assert rows["sesr-m5-x2-expanded", "fp32"]["energy_mj"] == pytest.approx(84.59, rel=0.003)
    assert rows["fsrcnn-x2", "fp32"]["energy_mj"] == pytest.approx(27.6, rel=0.003)
    assert rows["vdsr-x2", "fp32"]["energy_mj"] == pytest.approx(2817.96, rel=0.003)
    assert ("addersesr-xl-x2", "int8") in rows
    twice = {(row["id"], row["precision"]): row for row in command("energy", "--width", "1280", "--scale", "4", "--json").value}
    assert twice["sesr-m5-x4", "fp32"]["macs"] == NetworkSpec(4, 5, 16).parameters * 1280 * 360
    assert "arithmetic (45 nm)" in command("energy").out


def test_eval_scores_a_folder_of_pictures(command, model_file, tmp_path):
    for seed in range(2):
        store(tmp_path / f"{seed}.png", 48, 40, seed)
    done = command("eval", "--model", model_file, "--data", tmp_path, "--json")
    assert done.status == 0, done.err
    value = done.value
    assert set(value) == {"model", "scale", "psnr", "ssim", "pictures"}
    assert len(value["pictures"]) == 2
    assert value["psnr"] == pytest.approx(np.mean([picture["psnr"] for picture in value["pictures"]]))
    crops = command.home / "crops"
    more = command("eval", "--model", model_file, "--data", tmp_path, "--json", "--crops", crops, "--timed", "64x48").value
    assert more["psnr"] == value["psnr"]
    assert (more["timed"]["width"], more["timed"]["height"]) == (64, 48)
    assert more["timed"]["median_ms"] > 0
    assert tree(crops) == sorted(f"{seed}{part}.png" for seed in range(2) for part in ("", "-difference", "-original"))
    assert size_of(crops / "0.png") == (48, 40)
    assert command("eval", "--model", model_file, "--data", tmp_path / "none").status == 1
    plain = command("eval", "--model", "bicubic", "--data", tmp_path, "--json").value
    spoilt = command("eval", "--model", "bicubic", "--data", tmp_path, "--jpeg", "30", "--json").value
    assert (plain["model"], plain["scale"]) == ("bicubic", 2)
    assert spoilt["psnr"] < plain["psnr"]
    assert command("eval", "--model", "bicubic", "--data", tmp_path, "--jpeg", "101").status == 2
    assert command("eval", "--model", model_file, "--data", tmp_path, "--scale", "4").status == 2


def test_doctor_tells_what_is_here_and_where_things_are(command):
    report = command.without_torch()("doctor", "--json").value
    assert report["versions"]["numpy"] == np.__version__
    assert {backend["name"] for backend in report["backends"]} == {"native", "onnx", "torch"}
    assert report["cpu"]["cores"] >= 1
    assert report["folders"]["user_models"].startswith(str(command.home))
    shown = io.StringIO()
    doctor.show(report, Console(as_json=False, out=shown))
    assert report["cpu"]["name"] in shown.getvalue()


def test_export_writes_a_graph_that_is_the_network(command, tmp_path):
    model_file = store_model(tmp_path / "small.safetensors")
    out = tmp_path / "small.onnx"
    done = command("export", "--model", model_file, "--format", "onnx", "-o", out, "--width", 7, "--height", 9, "--json")
    assert done.status == 0, done.out
    assert done.value == {"file": str(out), "format": "onnx", "precision": "fp32", "bytes": out.stat().st_size}
    onnx.checker.check_model(onnx.load(out))
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(out.read_bytes(), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 1, 9, 7]
    assert session.get_outputs()[0].shape == [1, 1, 18, 14]
    y = np.random.default_rng(0).random((9, 7), np.float32)
    [upscaled] = session.run(None, {session.get_inputs()[0].name: y[None, None]})
    np.testing.assert_allclose(upscaled[0, 0], reference(weights.read(model_file), y), atol=1e-4)


def test_export_to_safetensors_gives_the_model_back(command, model_file, tmp_path):
    out = tmp_path / "copy.safetensors"
    assert command("export", "--model", model_file, "--format", "safetensors", "-o", out).status == 0
    assert out.read_bytes() == model_file.read_bytes()
    assert command("export", "--model", model_file, "--format", "onnx", "-o", out, "--precision", "int8").status == 2


def test_bench_measures_side_by_side_and_remembers(command, model_file):
    models = command.home / ".local/share/addersesr/models"
    models.mkdir(parents=True)
    shutil.copy(model_file, models / "mine.safetensors")
    words = ("bench", "--width", "32", "--height", "24", "--rounds", "1")
    done = command(*words, "--model", model_file, "--backend", "onnx", "--json")
    assert done.status == 0, done.err
    [row] = done.value
    assert set(row) == {"backend", "model", "precision", "width", "height", "median_ms", "min_ms", "max_ms"}
    assert 0 < row["min_ms"] <= row["median_ms"] <= row["max_ms"]


def test_bench_of_everything_is_a_table_and_calibrates(command, model_file, tmp_path):
    models = command.home / ".local/share/addersesr/models"
    models.mkdir(parents=True)
    shutil.copy(model_file, models / "mine.safetensors")
    done = command.without_torch()("bench", "--width", "32", "--height", "24", "--rounds", "1", "--watts", "10")
    assert done.status == 0, done.err
    assert "| bicubic-x2 | opencv |" in done.out
    assert "| lanczos-x2 | opencv |" in done.out
    calibration = bench.load(command.home / ".cache/addersesr/calibration.json")
    assert calibration is not None
    assert calibration.watts == 10
    source = store(tmp_path / "photo.png")
    [finished] = command("upscale", source, "--model", model_file, "--backend", "onnx", "--json").named("finished")
    assert finished["energy"]["estimated_mj"] > finished["energy"]["arithmetic_mj"]


@pytest.mark.parametrize("words", [("train", "--data", "."), ("fit", "x.png", "--model", "sesr-m5-x2", "-o", "y.safetensors")])
def test_training_without_torch_says_how_to_add_it(command, words):
    done = command.without_torch()(*words, "--json")
    assert done.status == 1
    [event] = done.events
    assert event["error"] == "TrainingError"
    assert "pip install" in event["message"]
