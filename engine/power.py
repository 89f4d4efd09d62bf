"""Measured energy: what this machine's own meters say. Nothing here is computed from a network.

Sources: Linux's powercap (RAPL: the processor's packages; reading it usually needs root), power_supply (a battery that is
being discharged: the whole computer), and NVIDIA's NVML through the optional ``nvidia-ml-py`` (the graphics card).
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSFS = Path("/sys")
MICRO = 1e-6
JOULES_PER_WH = 3600.0


class MeterError(Exception):
    """A meter cannot be read: missing, not permitted, or gone. Never leaves the code that measures."""


class Meter(Protocol):
    """Something that counts energy."""

    name: str
    """What is measured, in words, such as ``processor (RAPL)``."""

    def joules(self) -> float:
        """Joules since the meter was made; never falls. Call it at least every few minutes. Raises MeterError."""


class RaplZone:
    """One powercap zone: a counter of microjoules that starts again from 0 after ``max_energy_range_uj``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._range_uj = _integer(folder / "max_energy_range_uj")
        self._last_uj = _integer(folder / "energy_uj")
        self._total_uj = 0

    def joules(self) -> float:
        """Joules since the zone was opened. One turn-over between two calls is accounted for."""
        now_uj = _integer(self._folder / "energy_uj")
        step_uj = now_uj - self._last_uj
        self._total_uj += step_uj if step_uj >= 0 else step_uj + self._range_uj + 1
        self._last_uj = now_uj
        return self._total_uj * MICRO


class RaplMeter:
    """The processor's packages, added up."""

    name = "processor (RAPL)"

    def __init__(self, sysfs: Path = SYSFS) -> None:
        folders = sorted((sysfs / "class/powercap").glob("*-rapl:[0-9]*"))
        packages = [folder for folder in folders if _text(folder / "name").startswith("package")]
        if not packages:
            raise MeterError("no RAPL counters")
        self._zones = [RaplZone(folder) for folder in packages]

    def joules(self) -> float:
        """Joules of all packages since the meter was made."""
        return sum(zone.joules() for zone in self._zones)


class BatteryMeter:
    """Batteries that are being discharged: the whole computer, in the coarse steps that the battery reports."""

    name = "whole computer (battery)"

    def __init__(self, sysfs: Path = SYSFS) -> None:
        supplies = sorted((sysfs / "class/power_supply").glob("*"))
        self._batteries = [folder for folder in supplies if _is_battery(folder)]
        if not self._batteries:
            raise MeterError("no battery")
        self._start = self._remaining()

    def joules(self) -> float:
        """Joules taken from the batteries since the meter was made. Raises MeterError once they are being charged."""
        return max(0.0, self._start - self._remaining())

    def _remaining(self) -> float:
        if not any(_text(folder / "status") == "Discharging" for folder in self._batteries):
            raise MeterError("the battery is not being discharged")
        return sum(map(_battery_joules, self._batteries))


class NvmlMeter:
    """All NVIDIA graphics cards, by the driver's own counters (Volta and later). ``nvml`` is the module ``pynvml``."""

    name = "graphics card (NVML)"

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        try:
            nvml.nvmlInit()
            self._devices = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
            self._start_mj = self._millijoules()
        except nvml.NVMLError as error:
            raise MeterError(f"NVML: {error}") from error
        if not self._devices:
            raise MeterError("no NVIDIA graphics card")

    def joules(self) -> float:
        """Joules of all cards since the meter was made."""
        try:
            return (self._millijoules() - self._start_mj) / 1000
        except self._nvml.NVMLError as error:
            raise MeterError(f"NVML: {error}") from error

    def _millijoules(self) -> int:
        return sum(int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(device)) for device in self._devices)


class Measurement:
    """Energy from now on, by whichever meters were given. One that fails leaves the measurement without a figure."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = tuple(meters)
        self._failed = not meters
        self._start = self._sum()

    def millijoules(self) -> float | None:
        """Energy in mJ since this was made, None where nothing measures or a meter has failed meanwhile."""
        total = self._sum()
        return None if self._failed else (total - self._start) * 1000

    def _sum(self) -> float:
        try:
            return sum(meter.joules() for meter in self._meters)
        except MeterError:
            self._failed = True
            return 0.0


def find_meters(sysfs: Path = SYSFS) -> tuple[tuple[Meter, ...], tuple[str, ...]]:
    """The meters that work here and may be added up, and for each other one the reason why not.

    A battery measures the whole computer, so it is taken only where nothing finer is.
    """
    meters: list[Meter] = []
    missing: list[str] = []
    for make in (lambda: RaplMeter(sysfs), _nvml_meter, lambda: BatteryMeter(sysfs)):
        try:
            meter: Meter = make()
        except MeterError as error:
            missing.append(str(error))
        else:
            if not meters or not isinstance(meter, BatteryMeter):
                meters.append(meter)
    return tuple(meters), tuple(missing)


def _nvml_meter() -> Meter:
    try:
        return NvmlMeter(import_module("pynvml"))
    except ImportError:
        raise MeterError("NVML: nvidia-ml-py is not installed") from None


def _is_battery(folder: Path) -> bool:
    """Whether a power supply is this computer's battery (a mouse's has the scope Device)."""
    try:
        return _text(folder / "type") == "Battery" and not ((folder / "scope").exists() and _text(folder / "scope") == "Device")
    except MeterError:
        return False


def _battery_joules(folder: Path) -> float:
    """What a battery holds: from energy_now (µWh), or charge_now (µAh) times voltage_now (µV)."""
    if (folder / "energy_now").exists():
        return _integer(folder / "energy_now") * MICRO * JOULES_PER_WH
    return _integer(folder / "charge_now") * MICRO * _integer(folder / "voltage_now") * MICRO * JOULES_PER_WH


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except PermissionError:
        raise MeterError(f"{path}: not permitted (run as root, or let your user read it)") from None
    except OSError as error:
        raise MeterError(f"{path}: {error.strerror}") from error


def _integer(path: Path) -> int:
    text = _text(path)
    try:
        return int(text)
    except ValueError:
        raise MeterError(f"{path}: not a number ({text[:20]!r})") from None
