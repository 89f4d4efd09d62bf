"""What processor this is."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
TELLING = (
    "sse4_1",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
"""Instruction sets that decide which kernels are fast, by Linux's names."""


def name(cpuinfo: Path = CPUINFO) -> str:
    """The processor's name as it calls itself, or the architecture where it does not say."""
    return _fields(cpuinfo).get("model name") or platform.processor() or platform.machine()


def maker(cpuinfo: Path = CPUINFO) -> str:
    """Who made the processor, as it says itself (``AuthenticAMD``, ``GenuineIntel``); empty where nothing tells."""
    return _fields(cpuinfo).get("vendor_id") or platform.processor().rpartition(" ")[2]


def features(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """Which of `TELLING` the processor has; empty where the system does not tell."""
    fields = _fields(cpuinfo)
    present = set((fields.get("flags") or fields.get("Features") or "").split())
    return tuple(feature for feature in TELLING if feature in present)


def cores() -> int:
    """Logical processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fields(cpuinfo: Path) -> dict[str, str]:
    """The first processor's fields."""
    try:
        lines = cpuinfo.read_text(errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}
