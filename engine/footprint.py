"""How much memory this process has taken at most."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
"""Where Linux says so. ``getrusage`` does too, but begins with the peak of the process that started this one."""


def peak_bytes() -> int:
    """The largest resident size so far in bytes; 0 where the system does not tell (Windows)."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text("ascii", "replace").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
