from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import bench, cpu
from engine.bench import Calibration, Candidate, Rate
from engine.network import NetworkSpec

M5, M11, ADDER = NetworkSpec(2, 5, 16), NetworkSpec(2, 11, 16), NetworkSpec(2, 5, 16, "adder")


def calibration(watts: float | None = 20.0) -> Calibration:
    rates = (Rate("onnx", "fp32", M5, 100.0), Rate("onnx", "fp32", ADDER, 300.0), Rate("native", "int8", ADDER, 10.0))
    return Calibration(bench.machine(), rates, watts)


def test_a_measured_network_is_predicted_by_its_own_rate():
    assert calibration().seconds(M5, "onnx", "fp32", 1000, 1000) == pytest.approx(0.1)
    assert calibration().seconds(ADDER, "onnx", "fp32", 1000, 1000) == pytest.approx(0.3)


def test_another_network_is_predicted_by_its_taps_from_the_nearest_of_its_kind():
    assert calibration().seconds(M11, "onnx", "fp32", 1000, 1000) == pytest.approx(0.1 * M11.parameters / M5.parameters)
    adder = replace(M11, block="adder")
    assert calibration().seconds(adder, "onnx", "fp32", 1000, 1000) == pytest.approx(0.3 * M11.parameters / M5.parameters)


def test_what_was_never_measured_is_not_predicted():
    assert calibration().seconds(M5, "torch", "fp32", 1000, 1000) is None
    assert calibration().estimate_mj(M5, "native", "fp32", 10, 10) is None
    assert calibration(watts=None).estimate_mj(M5, "onnx", "fp32", 10, 10) is None


def test_measured_is_this_very_network_on_this_back_end():
    assert calibration().measured(M5, "onnx", "fp32") == 100.0
    assert calibration().measured(M5, "onnx", "int8") is None
    assert calibration().measured(M5, "native", "fp32") is None
    assert calibration().measured(replace(M5, activation="relu"), "onnx", "fp32") is None


def test_estimated_energy_is_watts_times_seconds():
    assert calibration().estimate_mj(M5, "onnx", "fp32", 1000, 1000) == pytest.approx(2000)


def test_a_calibration_survives_its_file_and_damage_to_it(tmp_path):
    path = tmp_path / "cache" / "calibration.json"
    assert bench.load(path) is None
    bench.save(calibration(), path)
    assert bench.load(path) == calibration()
    text = path.read_text()
    for damaged in (
        "",
        "{",
        "[]",
        "{}",
        text[: len(text) // 2],
        text.replace('"format": 1', '"format": 2'),
        text.replace('"m": 5', '"m": 0'),
    ):
        path.write_text(damaged)
        assert bench.load(path) is None, damaged
    bench.save(replace(calibration(), machine="another"), path)
    assert bench.load(path) is None


def test_candidates_are_timed_in_turn_after_warming_up():
    calls: list[str] = []

    def candidate(name: str) -> Candidate:
        return Candidate("onnx", name, "fp32", M5, lambda y: calls.append(f"{name}{y.shape}"))

    timings = bench.measure([candidate("a"), candidate("b")], 8, 4, rounds=2)
    assert calls == ["a(4, 8)", "b(4, 8)"] * 3
    assert [timing.model for timing in timings] == ["a", "b"]
    made = bench.calibrate([candidate("a"), candidate("b")], timings, None)
    assert made.rates[0].ns_a_pixel == pytest.approx(timings[0].median_ms * 1e6 / 32)


def test_resamplers_are_timed_beside_networks():
    y = np.zeros((3, 5), np.float32)
    assert bench.resampler("lanczos", 3).run(y).shape == (9, 15)


def test_the_processor_is_read_from_linux_own_words(tmp_path):
    text = "processor\t: 0\nvendor_id\t: GenuineTest\nmodel name\t: Test CPU @ 2 GHz\nflags\t\t: fpu avx2 fma avx_vnni\n\nprocessor\t: 1\n"
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu.name(tmp_path / "cpuinfo") == "Test CPU @ 2 GHz"
    assert cpu.features(tmp_path / "cpuinfo") == ("avx2", "fma", "avx_vnni")
    assert cpu.maker(tmp_path / "cpuinfo") == "GenuineTest"
    assert cpu.features(tmp_path / "none") == ()
    assert cpu.name(tmp_path / "none")
    assert cpu.cores() >= 1
