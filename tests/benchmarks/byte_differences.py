"""What this processor can do at best: absolute differences of bytes a second, in registers, with no memory in the way."""

from __future__ import annotations

import ctypes
import mmap
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAD = "vpsadbw"
PAIR = "vpsadbw and vpaddq"
TAPS = 32
UNROLLED = 8
ITERATIONS = 8_000_000

LOOPS = {
    # mov rcx, rdi; then eight times vpsadbw ymm2..9, ymm1, ymm0; dec rcx; jnz; vzeroupper; ret
    SAD: "4889f9" "c5f5f6d0c5f5f6d8c5f5f6e0c5f5f6e8c5f5f6f0c5f5f6f8c575f6c0c575f6c8" "48ffc975dbc5f877c3",
    # the same with each result added to one of eight accumulators: vpsadbw ymm2..5, ymm1, ymm0; vpaddq ymm8..15, ymm8..15, ymm2..5
    PAIR: "4889f9" "c5f5f6d0c53dd4c2c5f5f6d8c535d4cbc5f5f6e0c52dd4d4c5f5f6e8c525d4dd"
    "c5f5f6d0c51dd4e2c5f5f6d8c515d4ebc5f5f6e0c50dd4f4c5f5f6e8c505d4fd" "48ffc975bbc5f877c3",
}  # fmt: skip


class ByteDifferences:
    """The two loops as machine code (x86-64 with AVX2, System V calling convention), to be run on ``threads`` threads."""

    def __init__(self, threads: int, clock: Callable[[], float]) -> None:
        self._threads = threads
        self._clock = clock
        self._memory = {name: self._map(bytes.fromhex(code)) for name, code in LOOPS.items()}

    def rate(self, name: str) -> float:
        """Absolute differences a second on all threads together."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory[name]))
        loop = ctypes.CFUNCTYPE(None, ctypes.c_long)(address)
        others = [threading.Thread(target=loop, args=(ITERATIONS,)) for _ in range(self._threads - 1)]
        start = self._clock()
        for other in others:
            other.start()
        loop(ITERATIONS)
        for other in others:
            other.join()
        return TAPS * UNROLLED * ITERATIONS * self._threads / (self._clock() - start)

    @staticmethod
    def _map(code: bytes) -> mmap.mmap:
        memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(code)
        return memory
