"""Kernels made ready to call: compiled once a shape, shared by all networks of a process, kept on disk for the next start."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine import cpu
from engine.errors import BackendError
from engine.kernels.jit import JitKernel
from engine.kernels.objects import MappedCode, ObjectFile, can_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.kernels.buffers import View
    from engine.kernels.define import Definition
    from engine.kernels.planes import Program

ENTRY = "kernel"
DIGEST_BYTES = 32
TWICE = 2


class Kernel(Protocol):
    """A kernel ready to run, called with one `View` a buffer, the output's last."""

    def __call__(self, *views: View) -> None:
        """Fill the last view from the others."""


class ThreadedKernel(Kernel, Protocol):
    """A kernel that may have threads of its own."""

    def within(self, threads: int) -> Kernel:
        """The kernel on at most so many threads of its own, if it has any."""


@dataclass(frozen=True)
class Shape:
    """Which kernel: ``build`` names a function ``module.name`` of this package, given ``arguments``."""

    build: str
    arguments: tuple[int | str, ...]

    @property
    def assembled(self) -> bool:
        """Whether it is a kernel in machine code, with a `program` instead of a definition."""
        return self.build.startswith("planes_")

    def define(self) -> Definition:
        """The kernel's Halide definition (imports Halide)."""
        definition: Definition = self._built()
        return definition

    def program(self) -> Program:
        """The kernel's machine code."""
        program: Program = self._built()
        return program

    def _built(self) -> Any:
        module, name = self.build.split(".")
        return getattr(import_module(f"engine.kernels.{module}"), name)(*self.arguments)

    @property
    def label(self) -> str:
        """The kernel in one word, for file names."""
        return "-".join(str(part) for part in (self.build, *self.arguments))


def packs_sums() -> int:
    """How often this processor should pack sums of bytes before it adds them: AMD's have units to spare for that.

    Intel's do not (0), and with AVX-512 the second packing takes more than one shuffle (1). See `engine.kernels.adder_u8_twice`.
    """
    if cpu.maker() != "AuthenticAMD":
        return 0
    return 1 if "avx512bw" in cpu.features() else TWICE


def dots_bytes() -> bool:
    """Whether Halide uses this processor's `vpdpbusd`: AMD's since Zen 4, Intel's servers since Sapphire Rapids.

    For older ones with AVX-512's VNNI, and for those with AVX-VNNI alone, Halide 21 has no name that makes it do so.
    """
    return {"avx512_vnni", "avx512_bf16"} <= set(cpu.features())


def has_fours() -> bool:
    """Whether kernels in machine code may be taken, those of `engine.kernels.planes`: Intel's processors with AVX-512 and VNNI.

    AMD's have AVX-512 too, but nobody has measured there what `vdbpsadbw` takes.
    """
    return can_map() and cpu.maker() == "GenuineIntel" and {"avx512bw", "avx512_vnni"} <= set(cpu.features())


def register_bytes() -> int:
    """How many bytes kernels take a vector register to have: 64 with AVX-512, else 32."""
    return 64 if "avx512bw" in cpu.features() else 32


@dataclass
class Kernels:
    """The kernels of one process. ``folder`` keeps compiled objects between starts (None: nothing is kept).

    ``mapped``: kernels are objects mapped into memory, which start fast and run on as many threads as call them; that is
    for x86-64 Linux. Elsewhere Halide's own just-in-time compiler runs them, on Halide's own threads.
    ``sums_bytes``: the processor adds up neighbouring bytes in one instruction (x86's `vpsadbw`); ARM's does not.
    ``dots_bytes``: it adds up products of bytes in one instruction, and Halide knows (see `dots_bytes`).
    ``packs_sums``: how often it packs such sums before adding them (see `packs_sums`).
    ``fours``: kernels in machine code may be taken (see `has_fours`).
    ``register``: how many bytes a vector register has, 64 with AVX-512; kernels that have a ``register`` then use whole ones.
    Safe to use from any thread.
    """

    folder: Path | None = None
    mapped: bool = field(default_factory=can_map)
    sums_bytes: bool = platform.machine() in ("x86_64", "AMD64")
    dots_bytes: bool = field(default_factory=dots_bytes)
    packs_sums: int = field(default_factory=packs_sums)
    fours: bool = field(default_factory=has_fours)
    register: int = field(default_factory=register_bytes)
    _ready: dict[Shape, ThreadedKernel] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, shape: Shape, threads: int = 1) -> Kernel:
        """The kernel, compiled now unless this process or an earlier one has done so. Raises BackendError.

        ``threads``: how many of its own it may use where it is not ``mapped``.
        """
        with self._lock:
            if shape not in self._ready:
                self._ready[shape] = self._make(shape)
            return self._ready[shape].within(threads)

    def ready(self) -> tuple[Shape, ...]:
        """The kernels that need not be made any more."""
        with self._lock:
            return tuple(self._ready)

    def _make(self, shape: Shape) -> ThreadedKernel:
        if shape.assembled:
            return AssembledKernel(shape.program())
        return MappedKernel(self._load(shape) or self._compile(shape)) if self.mapped else _just_in_time(shape)

    def _compile(self, shape: Shape) -> bytes:
        with tempfile.TemporaryDirectory(prefix="addersesr-") as folder:
            path = Path(folder) / "kernel.o"
            compile_object(shape, path)
            elf = path.read_bytes()
        self._keep(shape, elf)
        return elf

    def _load(self, shape: Shape) -> bytes | None:
        """The object of an earlier start, if it is whole."""
        if self.folder is None:
            return None
        try:
            kept = self._path(self.folder, shape).read_bytes()
        except OSError:
            return None
        elf = kept[DIGEST_BYTES:]
        return elf if hashlib.sha256(elf).digest() == kept[:DIGEST_BYTES] else None

    def _keep(self, shape: Shape, elf: bytes) -> None:
        """Store an object, aside and then renamed. A folder that cannot be written only costs time at the next start."""
        if self.folder is None:
            return
        path = self._path(self.folder, shape)
        aside = path.with_name(f".{path.name}.{os.getpid()}.part")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(hashlib.sha256(elf).digest() + elf)
            aside.replace(path)
        with suppress(OSError):
            aside.unlink()

    def _path(self, folder: Path, shape: Shape) -> Path:
        """Where a kernel is kept: a name that changes with its source, Halide's version and the processor."""
        return folder / f"{shape.label}-{self._state[:16]}.kernel"

    @cached_property
    def _state(self) -> str:
        """A digest of all that compiled code depends on: these sources, Halide's version and the processor."""
        sources = sorted(Path(__file__).parent.glob("*.py"))
        machine = f"{version('halide')} {platform.machine()} {cpu.name()} {' '.join(cpu.features())}"
        return hashlib.sha256(b"\0".join([machine.encode(), *(path.read_bytes() for path in sources)])).hexdigest()


class MappedKernel:
    """Machine code to call. Python's lock is free while it runs, and any number of threads may call it."""

    def __init__(self, elf: bytes) -> None:
        self._mapped = ObjectFile(elf).mapped(ENTRY)
        self._function: Callable[..., int] = self._mapped.function()

    def __call__(self, *views: View) -> None:
        """Fill the last view from the others. Nothing is checked: the caller keeps the kernel's promises."""
        status = self._function(*[view.pointer for view in views])
        if status:
            raise BackendError(f"a kernel failed with status {status}")

    def within(self, threads: int) -> Kernel:
        """Itself: it runs on the thread that calls it."""
        del threads
        return self


class AssembledKernel:
    """As `MappedKernel`, of a `Program`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._mapped = MappedCode(program.code)
        self._function: Callable[..., int] = self._mapped.function(ctypes.c_void_p)

    def __call__(self, *views: View) -> None:
        """Fill the last view, whose columns are a multiple of the program's block, from the others. Nothing is checked."""
        target = views[-1]
        numbers = (target.rows, target.columns // self._program.block, *self._program.arguments(views))
        self._function((ctypes.c_int64 * len(numbers))(*numbers))

    def within(self, threads: int) -> Kernel:
        """Itself: it runs on the thread that calls it."""
        del threads
        return self


def _just_in_time(shape: Shape) -> ThreadedKernel:
    with _halide(shape) as hl:
        return JitKernel(shape.define(), hl)


def compile_object(shape: Shape, path: Path, target: str | None = None, assembly: bool = False) -> None:
    """Write the kernel's object file (or its assembly) for ``target``, Halide's name of a machine, by default this one.

    The kernel calls nothing: no allocation, no runtime, no assertions. Raises BackendError where Halide is missing or refuses.
    """
    with _halide(shape) as hl:
        machine = hl.Target(target) if target else hl.get_host_target()
        for feature in (hl.TargetFeature.NoRuntime, hl.TargetFeature.NoAsserts, hl.TargetFeature.NoBoundsQuery):
            machine = machine.with_feature(feature)
        definition = shape.define()
        write = definition.function.compile_to_assembly if assembly else definition.function.compile_to_object
        write(str(path), list(definition.inputs), ENTRY, machine)


@contextmanager
def _halide(shape: Shape) -> Iterator[Any]:
    """Halide, imported only now; missing or refusing a kernel, it is a BackendError."""
    try:
        hl: Any = import_module("halide")
    except ImportError as error:
        raise BackendError(f"the native back end needs the halide package ({error})") from error
    try:
        yield hl
    except hl.HalideError as error:
        raise BackendError(f"Halide cannot compile {shape.label}: {error}") from error
