"""Processes that outlive the window, and whether one that is not our child is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STILL_ACTIVE = 259
QUERY = 0x1000
DETACHED = 0x00000208
"""Windows: a process group of its own, and no console."""


class Detached:
    """A process in a session of its own: it goes on when we end. What it says about errors goes into a file."""

    def __init__(self, argv: Sequence[str], directory: str, log: Path) -> None:
        """Raises OSError where it cannot be started."""
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                creationflags=DETACHED if sys.platform == "win32" else 0,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask it to end."""
        if self.alive:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Give it so long to end."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def release(self) -> None:
        """Let go of it, whether it runs or not."""
        if self.alive:
            self._process.returncode = 0  # else Python complains that nobody waits for it


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs; one of somebody else's counts as running."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    """Ask for the exit code: there ``os.kill`` ends what it is asked about."""
    import ctypes  # noqa: PLC0415 (Windows alone needs it)

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 (other systems' type stubs lack it)
    handle = kernel.OpenProcess(QUERY, 0, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == STILL_ACTIVE
