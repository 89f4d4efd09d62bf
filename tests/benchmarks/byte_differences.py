"""What this processor can do at best: absolute differences of bytes a second, in registers, with no memory in the way."""

from __future__ import annotations

import ctypes
import mmap
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAD, PAIR, WORDS = "vpsadbw", "vpsadbw and vpaddq", "vpsadbw and vpaddusw"
UNROLLED = 8
ITERATIONS = 8_000_000
REGISTERS = (32, 64)

HALF = {
    # mov rcx, rdi; then eight times vpsadbw ymm2..9, ymm1, ymm0; dec rcx; jnz; vzeroupper; ret
    SAD: "4889f9" "c5f5f6d0c5f5f6d8c5f5f6e0c5f5f6e8c5f5f6f0c5f5f6f8c575f6c0c575f6c8" "48ffc975dbc5f877c3",
    # the same with each result added to one of eight accumulators: vpsadbw ymm2..5, ymm1, ymm0; vpaddq ymm8..15, ymm8..15, ymm2..5
    PAIR: "4889f9" "c5f5f6d0c53dd4c2c5f5f6d8c535d4cbc5f5f6e0c52dd4d4c5f5f6e8c525d4dd"
    "c5f5f6d0c51dd4e2c5f5f6d8c515d4ebc5f5f6e0c50dd4f4c5f5f6e8c505d4fd" "48ffc975bbc5f877c3",
    # the same with vpaddusw
    WORDS: "4889f9" "c5f5f6d0c53dddc2c5f5f6d8c535ddcbc5f5f6e0c52dddd4c5f5f6e8c525dddd"
    "c5f5f6d0c51ddde2c5f5f6d8c515ddebc5f5f6e0c50dddf4c5f5f6e8c505ddfd" "48ffc975bbc5f877c3",
}  # fmt: skip
WHOLE = {
    # the same three with registers of 64 bytes
    SAD: "4889f9" "62f17548f6d062f17548f6d862f17548f6e062f17548f6e862f17548f6f062f17548f6f862717548f6c062717548f6c8" "48ffc975cbc5f877c3",
    PAIR: "4889f9" "62f17548f6d06271bd48d4c262f17548f6d86271b548d4cb62f17548f6e06271ad48d4d462f17548f6e86271a548d4dd"
    "62f17548f6d062719d48d4e262f17548f6d862719548d4eb62f17548f6e062718d48d4f462f17548f6e862718548d4fd" "48ffc9759bc5f877c3",
    WORDS: "4889f9" "62f17548f6d062713d48ddc262f17548f6d862713548ddcb62f17548f6e062712d48ddd462f17548f6e862712548dddd"
    "62f17548f6d062711d48dde262f17548f6d862711548ddeb62f17548f6e062710d48ddf462f17548f6e862710548ddfd" "48ffc9759bc5f877c3",
}  # fmt: skip


class ByteDifferences:
    """The loops as machine code (x86-64, System V calling convention), to be run on ``threads`` threads.

    ``register``: 32, the bytes of an AVX2 register, or 64, of an AVX-512 one.
    """

    def __init__(self, threads: int, clock: Callable[[], float], register: int) -> None:
        self._threads = threads
        self._register = register
        self._clock = clock
        self._memory = {name: self._map(bytes.fromhex(code)) for name, code in (HALF if register == min(REGISTERS) else WHOLE).items()}

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
        return self._register * UNROLLED * ITERATIONS * self._threads / (self._clock() - start)

    @staticmethod
    def _map(code: bytes) -> mmap.mmap:
        memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(code)
        return memory
