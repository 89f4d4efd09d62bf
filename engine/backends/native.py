"""The native engine as a back end: SESR and AdderSESR by this project's own kernels, compiled for this processor.

Nothing but the halide package is needed, and that only when a kernel is compiled for the first time on a machine.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from engine import cpu
from engine.backends import native_fp32, native_int8
from engine.backends.native_strips import Band, Rows
from engine.errors import BackendError
from engine.integer import parse
from engine.kernels.compile import Kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from engine.backends.native_strips import Plan
    from engine.network import NetworkSpec, Precision
    from engine.weights import Model

FEWEST_ROWS = 32
"""Bands are not cut thinner than this: where two meet, both compute the rows around the seam."""


LOWEST_PRIORITY = 19


def never() -> bool:
    """The answer of nobody who wants to cancel."""
    return False


@cache
def shared_kernels() -> Kernels:
    """The kernels of this process, kept between starts in the user's cache folder."""
    return Kernels(user_cache_path("addersesr") / "kernels")


class NativeBackend:
    """A network in this project's kernels, on the CPU.

    ``threads`` None: one for each processor that this process may use. ``kernels`` lets several back ends share what is compiled;
    by default compiled kernels are kept in the user's cache folder. ``low_priority`` lets everything else on the machine go first
    (on Linux; elsewhere it changes nothing). Raises BackendError where the kernels cannot run,
    ModelError for a precision that the model does not have.
    """

    name = "native"
    device = "cpu"

    def __init__(
        self,
        model: Model,
        precision: Precision = "fp32",
        threads: int | None = None,
        device: str = "auto",
        kernels: Kernels | None = None,
        low_priority: bool = False,
    ) -> None:
        if device not in ("auto", "cpu"):
            raise BackendError(f"the native back end runs on the CPU, not on {device}")
        if find_spec("halide") is None:
            raise BackendError("the native back end needs the halide package, which is not installed")
        self.spec: NetworkSpec = model.spec
        self.precision: Precision = precision
        kernels = kernels or shared_kernels()
        threads = threads or cpu.cores()
        self._plan = _plan(model, precision, kernels, threads)
        self._threads = threads if kernels.mapped else 1
        self._size = (0, 0)
        self._shared: list[Rows] = []
        self._kept: list[Band] = []
        self._pool = ThreadPoolExecutor(self._threads, "native", _step_back if low_priority else None)
        self._here = self._wait_for if low_priority else _call

    def run(self, y_hw: NDArray[np.float32], cancelled: Callable[[], bool] = never) -> NDArray[np.float32]:
        """Upscale luma as `engine.backends.Backend.run` promises. ``cancelled`` is asked between strips; then Cancelled is raised."""
        height, width = y_hw.shape
        wide = self._plan.widened(width)
        plane = np.ascontiguousarray(np.pad(y_hw, ((0, 0), (0, wide - width))) if wide > width else y_hw, np.float32)
        picture = np.empty((height * self.spec.scale, wide * self.spec.scale), np.float32)
        *others, last = self._bands(height, width)
        running = [self._pool.submit(band.run, plane, picture, cancelled) for band in others]
        try:
            self._here(last.run, plane, picture, cancelled)
        finally:
            wait(running)  # all of them, also after an error: bands keep their windows for the next picture
        for band in running:
            band.result()
        return picture if wide == width else np.ascontiguousarray(picture[:, : width * self.spec.scale])

    def _wait_for(self, run: Callable[..., None], *arguments: object) -> None:
        """Run the band that would run on the calling thread on one of ours, which steps back."""
        self._pool.submit(run, *arguments).result()

    def _bands(self, height: int, width: int) -> list[Band]:
        """The bands of a picture of this size, kept for the next one."""
        if self._size != (height, width):
            self._shared = self._shares(height)
            self._kept = [Band(self._plan, height, width, rows, upward) for rows in self._shared for upward in (False, True)[: rows.takers]]
            self._size = (height, width)
        for rows in self._shared:
            rows.begin()
        return self._kept

    def _shares(self, height: int) -> list[Rows]:
        """The picture's rows for each two threads, the last one's perhaps for a single one; none has fewer than `FEWEST_ROWS`."""
        bands = max(1, min(self._threads, height // FEWEST_ROWS))
        cuts = [*range(0, bands, 2), bands]
        return [Rows(height * first // bands, height * end // bands, end - first) for first, end in pairwise(cuts)]


def _call(run: Callable[..., None], *arguments: object) -> None:
    run(*arguments)


def _step_back() -> None:
    """Make this thread, on Linux, one that runs when nothing else wants to."""
    if sys.platform.startswith("linux"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _plan(model: Model, precision: Precision, kernels: Kernels, threads: int) -> Plan:
    if precision == "int8":
        return native_int8.plan(model.spec, parse(model.spec, model.int8, model.id), kernels, threads)
    return native_fp32.plan(model, kernels, threads)
