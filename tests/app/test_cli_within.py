"""`upscale --within`: a budget chooses the network from this machine's calibration."""

from __future__ import annotations

import pytest

import resources
from engine import bench
from engine.bench import Calibration, Rate
from engine.catalogue import Catalogue
from engine.network import NetworkSpec
from tests.commands import store

M5, ADDER = NetworkSpec(2, 5, 16), NetworkSpec(2, 5, 16, "adder")
FAST_NS, SLOW_NS = 100.0, 1e7


@pytest.fixture
def calibrated(command):
    """Where the convolution network, the better one, is far slower than the adder network, at 20 W."""
    rates = [Rate("onnx", precision, spec, ns) for spec, ns in ((M5, SLOW_NS), (ADDER, FAST_NS)) for precision in ("fp32", "int8")]
    bench.save(Calibration(bench.machine(), tuple(rates), 20.0), command.home / ".cache" / "addersesr" / "calibration.json")
    return command


@pytest.mark.parametrize(
    ("limit", "blocks"),
    [("10 h", {"adder", "convolution"}), ("1 s", {"adder"}), ("50 Wh", {"adder", "convolution"}), ("10 h, 20 J", {"adder"})],
)
def test_the_best_network_within_a_budget_is_used(calibrated, tmp_path, limit, blocks):
    known = [entry for entry in Catalogue([resources.MODELS]).entries() if entry.model.spec.scale == 2]
    model = max((entry for entry in known if entry.model.spec.block in blocks), key=lambda entry: entry.psnr["Set5"]).model.id
    source = store(tmp_path / "photo.png")
    done = calibrated("upscale", source, "--within", limit, "--backend", "onnx", "--json")
    assert done.status == 0, done.err
    [finished] = done.named("finished")
    assert finished["model"] == model
    assert f"{model} " in done.err
    assert "estimated on this machine" in done.err


def test_a_budget_that_nothing_meets_names_the_least(calibrated, tmp_path):
    source = store(tmp_path / "photo.png")
    done = calibrated("upscale", source, "--within", "0.001 ms")
    assert done.status == 2
    assert "the least is addersesr-" in done.err
    assert calibrated("upscale", source, "--within", "1 h", "--model", "sesr-m5-x2").status == 2
    assert "not a budget" in calibrated("upscale", source, "--within", "soon").err


def test_without_a_calibration_it_says_what_to_do(command, tmp_path):
    done = command("upscale", store(tmp_path / "photo.png"), "--within", "1 h")
    assert done.status == 2
    assert "addersesr bench" in done.err
