"""ONNX Runtime as a back end: works wherever Python does, and is what the native engine is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from engine.errors import BackendError
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

    ``threads`` is the CPU threads to use, None for one a physical core. Raises BackendError for a device that is not there or
    where the runtime refuses the network, ModelError for a precision that the model does not have.
    """

    name = "onnx"

    def __init__(self, model: Model, precision: Precision = "fp32", threads: int | None = None, device: str = "auto") -> None:
        self.spec: NetworkSpec = model.spec
        self.precision: Precision = precision
        self.device = "cpu" if device == "auto" else device
        onnxruntime.disable_telemetry_events()
        try:
            self._session = onnxruntime.InferenceSession(
                graph(model, precision).SerializeToString(), session_options(threads), providers=providers(self.device)
            )
        except RUNTIME_ERRORS as error:
            raise BackendError(f"ONNX Runtime cannot run {model.id} on {self.device}: {line(error)}") from error

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
    kind, _, number = device.partition(":")
    if kind not in devices() or (number and not (number.isdecimal() and kind in NUMBERED)):
        raise BackendError(f"ONNX Runtime has no device {device!r} here; it has {', '.join(devices())}")
    if kind == "cpu":
        return [CPU]
    chosen = PROVIDERS[kind]
    return [(chosen, {"device_id": number}) if number else chosen, CPU]


def line(error: Exception) -> str:
    """The runtime's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__
