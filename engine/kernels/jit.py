"""A kernel on Halide's just-in-time compiler and its threads: for systems whose object files `objects` does not map."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.kernels.buffers import View
    from engine.kernels.define import Definition

ROWS_A_TASK = 8


class JitKernel:
    """A definition compiled in this process. Its inputs are set before it runs, so one caller at a time; rows run in parallel."""

    def __init__(self, definition: Definition, halide: Any) -> None:
        self._halide = halide
        self._definition = definition
        self._lock = threading.Lock()
        if definition.tasks is not None:
            definition.function.parallel(definition.tasks)
        else:
            definition.function.parallel(definition.function.args()[-1], ROWS_A_TASK, halide.TailStrategy.GuardWithIf)
        definition.function.compile_jit()

    def __call__(self, *views: View) -> None:
        """Fill the last view from the others; Python's lock is free while it runs."""
        buffers = [self._buffer(view) for view in views]
        with self._lock:
            for image, buffer in zip(self._definition.inputs, buffers, strict=False):
                image.set(buffer)
            self._definition.function.realize(buffers[-1])

    def _buffer(self, view: View) -> Any:
        array, minimum = view.shown()
        buffer = self._halide.Buffer(array)
        buffer.set_min(minimum)
        return buffer
