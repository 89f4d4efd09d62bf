"""Which back end runs a model: the fastest that is installed and can, or the one that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, get_args

from engine.backends import runtimes
from engine.errors import BackendError, DeviceError
from engine.network import NetworkSpec, Precision
from engine.weights import Model

if TYPE_CHECKING:
    from engine.backends import Backend
    from engine.foreign import AnyModel, ForeignModel

INT8_COST_DB = 0.1
"""int8 is taken unasked only where its card says that it costs no more than this on any test set."""
Measured = Callable[[NetworkSpec, str, str], float | None]
"""Nanoseconds an input pixel of exactly this network on the back end of that name at that precision, None if never measured."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A back end that may be installed: where its class is, and what it needs."""

    name: str
    module: str
    attribute: str
    package: str
    remedy: str

    def load(self) -> Callable[..., Backend]:
        """The back end's class, made with (model, precision, threads=, device=). Raises BackendError where it cannot be imported."""
        try:
            loaded: Callable[..., Backend] = getattr(import_module(self.module), self.attribute)
        except ImportError as error:
            raise BackendError(f"the {self.name} back end is not available: {error}; {self.remedy}") from error
        return loaded


KINDS = (
    Kind("native", "engine.backends.native", "NativeBackend", "halide", "it needs the halide package, which not every system has"),
    Kind("onnx", "engine.backends.onnx", "OnnxBackend", "onnxruntime", runtimes.REMEDY),
    Kind("torch", "engine.backends.torch", "TorchBackend", "torch", "install it with: pip install '.[train]'"),
)
"""In the order in which ``auto`` tries them."""


STAND_INS = ("onnx", "native", "torch")
"""The back ends to go on with, on the CPU, where another one fails: the plainest first."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """One back end on this machine. ``version`` is its package's, ``problem`` says why it cannot be used (None: it can).

    ``note`` is what else a person should know of it, such as packages that exclude one another.
    """

    name: str
    version: str | None
    devices: tuple[str, ...]
    problem: str | None
    note: str = ""


def found() -> tuple[BackendInfo, ...]:
    """Every back end, usable or not, in the order in which ``auto`` tries them. Imports what it finds."""
    return tuple(_info(kind) for kind in KINDS)


def create(
    model: AnyModel,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    measured: Measured | None = None,
    told: Callable[[str], None] | None = None,
) -> Backend:
    """Make ``model`` ready to run.

    ``backend`` is ``auto``, ``native``, ``onnx`` or ``torch``; ``device`` ``auto``, ``cpu``, ``cuda:0``, …. ``precision``
    ``auto`` is fp32, but int8 where the model's card allows it (`int8_allowed`). What ``auto`` stands for is decided by ``measured``,
    this machine's calibration: of several back ends the one that ran this network fastest, if the one that is tried first was
    measured at all, and int8 only where it ran faster than fp32. With ``told``, a device that fails is replaced by the CPU, and ``told`` is
    given why. Raises BackendError with every reason why nothing fits (DeviceError where the CPU would), ModelError where a file is not
    what it was.
    """
    _check(model, backend, precision)
    try:
        if isinstance(model, Model):
            return _own(model, backend, device, precision, threads, measured)
        return _foreign(model, backend, device, threads)
    except DeviceError as error:
        if told is None:
            raise
        made = create(model, backend, "cpu", precision, threads, measured)
        told(f"{error}: {made.name} on the CPU is used")
        return made


def stand_in(model: AnyModel, failed: Backend, error: BackendError, before: set[str], backend: str, threads: int | None) -> Backend:
    """What goes on in place of ``failed``: on the CPU, of a device the same back end, else the plainest other one.

    ``before`` holds the names of the back ends that failed on the CPU, and gets this one's; ``backend`` is what the user chose, which
    only ``auto`` allows to be replaced. Raises ``error`` where nothing is left.
    """
    if failed.device == "cpu":
        before.add(failed.name)
    for name in STAND_INS if backend == "auto" else (failed.name,):
        with suppress(BackendError):
            if name not in before:
                return create(model, name, "cpu", failed.precision, threads)
    raise error


def _own(model: Model, backend: str, device: str, precision: str, threads: int | None, measured: Measured | None) -> Backend:
    """The first of the back ends that can. Raises as `create`."""
    errors: list[BackendError] = []
    forms = {kind: _precision(model, precision, kind.name, measured) for kind in KINDS if backend in ("auto", kind.name)}
    for kind in _fastest_first(forms, model, measured):
        try:
            return kind.load()(model, forms[kind], threads=threads, device=device)
        except BackendError as error:
            errors.append(error)
    failing = [error for error in errors if isinstance(error, DeviceError)]
    if failing:
        raise DeviceError("; ".join(map(str, failing)))
    raise BackendError("; ".join(map(str, errors)))


def _foreign(model: ForeignModel, backend: str, device: str, threads: int | None) -> Backend:
    """Somebody else's graph, which ONNX Runtime alone can run."""
    if backend not in ("auto", "onnx"):
        raise BackendError(f"{model.id} is an ONNX file, which only the onnx back end runs, not {backend}")
    kind = Kind("onnx", "engine.backends.foreign", "ForeignBackend", "onnxruntime", runtimes.REMEDY)
    return kind.load()(model, "fp32", threads=threads, device=device)


def int8_allowed(model: Model) -> bool:
    """Whether the model has an int8 form whose card says that it costs at most `INT8_COST_DB`."""
    card = model.about.get("int8")
    cost_db = card.get("cost_db") if isinstance(card, dict) else None
    return "int8" in model.precisions and isinstance(cost_db, int | float) and cost_db <= INT8_COST_DB


def _check(model: AnyModel, backend: str, precision: str) -> None:
    """Raises BackendError for names that do not exist or a precision that the model does not have."""
    names = ("auto", *(kind.name for kind in KINDS))
    if backend not in names:
        raise BackendError(f"there is no back end {backend!r}; choose one of {', '.join(names)}")
    if precision not in ("auto", *get_args(Precision)):
        raise BackendError(f"there is no precision {precision!r}; choose auto, {' or '.join(get_args(Precision))}")
    if precision not in ("auto", *model.precisions):
        raise BackendError(f"{model.id} has no {precision} form; use --precision {' or '.join(model.precisions)}")


def _precision(model: Model, wanted: str, backend: str, measured: Measured | None) -> Precision:
    if wanted == "auto" and measured is not None and int8_allowed(model):
        int8, fp32 = (measured(model.spec, backend, precision) for precision in ("int8", "fp32"))
        return "int8" if int8 is not None and fp32 is not None and int8 < fp32 else "fp32"
    return "int8" if wanted == "int8" else "fp32"


def _fastest_first(forms: Mapping[Kind, Precision], model: Model, measured: Measured | None) -> list[Kind]:
    """The back ends in the order in which they are tried, with the precision that each would run at."""
    speeds = {kind: measured(model.spec, kind.name, precision) for kind, precision in forms.items()} if measured else {}
    first = next(iter(forms))
    if speeds.get(first) is None:
        return list(forms)
    return sorted(forms, key=lambda kind: math.inf if (speed := speeds[kind]) is None else speed)


def _info(kind: Kind) -> BackendInfo:
    packages = runtimes.installed() if kind.name == "onnx" else {}
    version = ", ".join(f"{number} ({package})" for package, number in packages.items()) or runtimes.installed_version(kind.package)
    note = (runtimes.clash() or "") if packages else ""
    try:
        kind.load()
        devices = getattr(import_module(kind.module), "devices", lambda: ("cpu",))()
    except BackendError as error:
        reason = str(error).removeprefix(f"the {kind.name} back end is not available: ")
        return BackendInfo(kind.name, version, (), reason, note)
    return BackendInfo(kind.name, version, devices, None, note)
