from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from engine.power import BatteryMeter, Measurement, MeterError, NvmlMeter, RaplMeter, find_meters

if TYPE_CHECKING:
    from pathlib import Path


def rapl(root: Path, zone: str, name: str, energy_uj: int, top: int = 262143328850) -> Path:
    folder = root / "class/powercap" / zone
    folder.mkdir(parents=True)
    for key, value in (("name", name), ("energy_uj", energy_uj), ("max_energy_range_uj", top)):
        (folder / key).write_text(f"{value}\n")
    return folder / "energy_uj"


def battery(root: Path, name: str = "BAT0", **values: object) -> Path:
    folder = root / "class/power_supply" / name
    folder.mkdir(parents=True)
    for key, value in {"type": "Battery", "status": "Discharging", **values}.items():
        (folder / key).write_text(f"{value}\n")
    return folder


def test_packages_are_added_and_their_parts_are_not(tmp_path):
    first = rapl(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    second = rapl(tmp_path, "intel-rapl:1", "package-1", 5_000_000)
    rapl(tmp_path, "intel-rapl:0:0", "core", 0).write_text("900000000")
    rapl(tmp_path, "intel-rapl:2", "psys", 0)
    meter = RaplMeter(tmp_path)
    assert meter.joules() == 0
    first.write_text("3500000\n")
    second.write_text("6000000\n")
    assert meter.joules() == pytest.approx(3.5)


def test_a_counter_that_starts_again_keeps_counting(tmp_path):
    counter = rapl(tmp_path, "intel-rapl:0", "package-0", 990, top=999)
    meter = RaplMeter(tmp_path)
    counter.write_text("5")
    assert meter.joules() == pytest.approx(15e-6)
    counter.write_text("4")
    assert meter.joules() == pytest.approx((15 + 999) * 1e-6)


def test_a_counter_that_vanishes_leaves_no_figure(tmp_path):
    counter = rapl(tmp_path, "intel-rapl:0", "package-0", 0)
    measurement = Measurement([RaplMeter(tmp_path)])
    counter.write_text("2000000")
    assert measurement.millijoules() == pytest.approx(2000)
    counter.unlink()
    assert measurement.millijoules() is None
    counter.write_text("3000000")
    assert measurement.millijoules() is None, "what was missed meanwhile is not known"


def test_nothing_to_measure_with_gives_no_figure(tmp_path):
    meters, missing = find_meters(tmp_path)
    assert meters == ()
    assert "no RAPL counters" in missing
    assert "no battery" in missing
    assert Measurement(meters).millijoules() is None


def test_permission_denied_is_a_reason_and_not_a_crash(tmp_path):
    rapl(tmp_path, "intel-rapl:0", "package-0", 0).chmod(0)
    pid = os.fork()
    if pid == 0:
        tmp_path.chmod(0o755)
        os.chdir(tmp_path)
        os.setuid(65534) if os.getuid() == 0 else None
        _, missing = find_meters(tmp_path.relative_to(tmp_path))
        os._exit(0 if any("not permitted" in reason for reason in missing) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_damaged_counters_are_a_reason(tmp_path):
    rapl(tmp_path, "intel-rapl:0", "package-0", 0).write_text("garbage")
    with pytest.raises(MeterError, match="not a number"):
        RaplMeter(tmp_path)


def test_a_battery_counts_only_while_it_is_discharged(tmp_path):
    folder = battery(tmp_path, energy_now=50_000_000)
    battery(tmp_path, "mouse", scope="Device", energy_now=1)
    battery(tmp_path, "AC", type="Mains")
    meter = BatteryMeter(tmp_path)
    (folder / "energy_now").write_text("49990000")
    assert meter.joules() == pytest.approx(36)
    (folder / "status").write_text("Charging")
    with pytest.raises(MeterError, match="not being discharged"):
        meter.joules()


def test_a_battery_that_tells_charge_is_read_by_its_voltage(tmp_path):
    folder = battery(tmp_path, charge_now=4_000_000, voltage_now=12_000_000)
    meter = BatteryMeter(tmp_path)
    (folder / "charge_now").write_text("3999000")
    assert meter.joules() == pytest.approx(0.001 * 12 * 3600)


def test_the_finer_meter_is_taken_before_the_battery(tmp_path):
    rapl(tmp_path, "intel-rapl:0", "package-0", 0)
    battery(tmp_path, energy_now=1000)
    meters, _ = find_meters(tmp_path)
    assert [meter.name for meter in meters] == ["processor (RAPL)"]


class Nvml(SimpleNamespace):
    """The part of ``pynvml`` that is used, on recorded counters; an index beyond them fails as a lost card does."""

    class NVMLError(Exception):
        pass

    def nvmlInit(self):
        pass

    def nvmlDeviceGetCount(self):
        return len(self.counters)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, index):
        if self.counters[index] is None:
            raise self.NVMLError("GPU is lost")
        return self.counters[index]


def test_graphics_cards_are_added_and_a_lost_one_leaves_no_figure():
    nvml = Nvml(counters=[1000, 2000])
    measurement = Measurement([NvmlMeter(nvml)])
    nvml.counters = [1500, 2250]
    assert measurement.millijoules() == pytest.approx(750)
    nvml.counters = [1500, None]
    assert measurement.millijoules() is None


def test_no_graphics_card_is_a_reason():
    with pytest.raises(MeterError, match="no NVIDIA"):
        NvmlMeter(Nvml(counters=[]))
