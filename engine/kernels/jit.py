"""A kernel on Halide's just-in-time compiler and its threads: for systems whose object files `objects` does not map."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.kernels.buffers import View
    from engine.kernels.compile import Kernel
    from engine.kernels.define import Definition


class JitKernel:
    """A definition compiled in this process. Its inputs are set before it runs, so one caller at a time; rows run in parallel.

    Halide's threads are as many as the machine's processors. Called within fewer, the rows are cut into so many shares, and no more
    of the threads find anything to do.
    """

    def __init__(self, definition: Definition, halide: Any) -> None:
        self._halide = halide
        self._definition = definition
        self._lock = threading.Lock()
        self._turns_a_share = halide.Param(halide.Int(32), "turns_a_share")
        function = definition.function
        turns = function.args()[-1] if definition.turns is None else definition.turns
        share, turn = halide.Var("share"), halide.Var("turn")
        function.split(turns, share, turn, self._turns_a_share, halide.TailStrategy.GuardWithIf).parallel(share)
        self._turns_a_share.set(1)
        function.compile_jit()

    def __call__(self, *views: View) -> None:
        """Fill the last view from the others on one thread."""
        self.run(1, *views)

    def within(self, threads: int) -> Kernel:
        """The same on so many threads."""
        return partial(self.run, threads)

    def run(self, threads: int, *views: View) -> None:
        """Fill the last view from the others; Python's lock is free meanwhile."""
        buffers = [self._buffer(view) for view in views]
        turns = -(-views[-1].rows // self._definition.rows_a_turn)
        with self._lock:
            self._turns_a_share.set(-(-turns // threads))
            for image, buffer in zip(self._definition.inputs, buffers, strict=False):
                image.set(buffer)
            self._definition.function.realize(buffers[-1])

    def _buffer(self, view: View) -> Any:
        array, minimum = view.shown()
        buffer = self._halide.Buffer(array)
        buffer.set_min(minimum)
        return buffer
