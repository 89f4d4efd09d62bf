"""ONNX Runtime as a back end: works wherever Python does, and is what the native engine is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from engine.backends.runtimes import FLAVOURS
from engine.errors import BackendError, DeviceError
from engine.export.onnx import INPUT, OUTPUT, graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.network import NetworkSpec, Precision
    from engine.weights import Model

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "rocm": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
}
"""Our name of a device and the runtime's provider for it. Azure's provider sends data away: never used."""
NUMBERED = ("cuda", "rocm", "directml")
OPENVINO_KINDS = ("cpu", "gpu", "npu")
"""What OpenVINO can be told to run on, as in ``openvino:gpu``."""
SEVERITY_FATAL = 4
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    MemoryError,
    *(kind for kind in vars(states).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)
"""The runtime's exceptions have no common root of their own."""


def devices() -> tuple[str, ...]:
    """Names of the devices that the installed runtime has a provider for, the CPU first."""
    available = onnxruntime.get_available_providers()
    return tuple(name for name, provider in PROVIDERS.items() if provider in available)


class OnnxBackend:
    """A network in ONNX Runtime, on the CPU unless a device is named (``cuda``, ``cuda:1``, ``coreml``, …).

    Raises as `session` does, ModelError for a precision that the model does not have.
    """

    name = "onnx"

    def __init__(self, model: Model, precision: Precision = "fp32", threads: int | None = None, device: str = "auto") -> None:
        self.spec: NetworkSpec = model.spec
        self.precision: Precision = precision
        self.device = "cpu" if device == "auto" else device
        self._session = session(graph(model, precision).SerializeToString(), model.id, threads, self.device)

    def run(self, y_hw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale luma as `engine.backends.Backend.run` promises."""
        y_nchw = np.ascontiguousarray(y_hw, np.float32)[None, None]
        try:
            (out,) = self._session.run([OUTPUT], {INPUT: y_nchw})
        except RUNTIME_ERRORS as error:
            raise BackendError(
                f"ONNX Runtime failed on {y_hw.shape[1]}x{y_hw.shape[0]} pixels: {line(error)}; try smaller tiles"
            ) from error
        upscaled: NDArray[np.float32] = out[0, 0]
        return upscaled


def session(graph: bytes, name: str, threads: int | None, device: str) -> onnxruntime.InferenceSession:
    """The network of an ONNX file, ``name`` in errors, made ready on ``device``; its ``run`` raises `RUNTIME_ERRORS`.

    ``threads`` is the CPU threads to use, None for one a physical core. Raises DeviceError for a device that cannot be used (which the
    runtime itself would replace by the CPU without a word), BackendError for one that is not there or where the CPU refuses the network.
    """
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(SEVERITY_FATAL)  # what it writes to standard error is told as our errors
    chosen = providers(device)
    said = _load_cuda() if device.startswith("cuda") else ""
    try:
        made = onnxruntime.InferenceSession(graph, session_options(threads), providers=chosen, enable_fallback=0)
    except RUNTIME_ERRORS as error:
        kind = BackendError if device == "cpu" else DeviceError
        raise kind(f"ONNX Runtime cannot run {name} on {device}: {line(error)}") from error
    if _provider(device) not in made.get_providers():
        raise DeviceError(f"ONNX Runtime cannot use {device}: {said or 'its driver or libraries are missing'} (docs/back-ends.md)")
    return made


def _load_cuda() -> str:
    """Load CUDA's libraries from their Python packages, where those are installed; what could not be loaded, in words."""
    said: list[str] = []
    onnxruntime.print = said.append  # it prints what is missing, and standard output is for events
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    return " ".join("; ".join(said[:1]).split())


def session_options(threads: int | None) -> onnxruntime.SessionOptions:
    """How the runtime works here; ``threads`` as `OnnxBackend` has it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SEVERITY_FATAL  # errors are raised anyway
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # planning buffers ahead doubles the peak for pictures, whose sizes differ
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the cores to others
    return options


def providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """The runtime's provider for ``device``, with the CPU for what it cannot do. Raises BackendError."""
    kind, _, which = device.partition(":")
    numbered = kind in NUMBERED and which.isdecimal()
    if kind not in devices() or (which and not numbered and (kind != "openvino" or which not in OPENVINO_KINDS)):
        other = f" (another of its packages has it: pip install '.[{kind}]', see docs/back-ends.md)" if kind in FLAVOURS else ""
        raise BackendError(f"ONNX Runtime has no device {device!r} here; it has {', '.join(devices())}{other}")
    if kind == "cpu":
        return [CPU]
    options = {"device_id" if numbered else "device_type": which.upper()} if which else {}
    if kind == "cuda":
        options["use_tf32"] = "0"  # its products have 10 bits
    return [(PROVIDERS[kind], options), CPU]


def _provider(device: str) -> str:
    """The runtime's name of what does ``device``."""
    return PROVIDERS[device.partition(":")[0]]


def line(error: Exception) -> str:
    """The runtime's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
