"""Torch as a back end: networks on a graphics card, and the trainer's own arithmetic at hand. Torch is imported at use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import BackendError, DeviceError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from engine.network import Layer, NetworkSpec, Precision
    from engine.weights import Model

REMEDY = "install it with: pip install '.[train]'"
ADDER_BYTES = 64 * 2**20
"""Most that an adder layer's differences may take at a time."""


def devices() -> tuple[str, ...]:
    """Names of the devices that torch can use here, the CPU first."""
    torch = _torch()
    found = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    return (*found, "mps") if torch.backends.mps.is_available() else tuple(found)


class TorchBackend:
    """A network in torch (fp32), on the first graphics card unless a device is named. ``threads`` counts CPU threads of the process.

    Raises BackendError where torch is missing, for a device that is not there, or for int8.
    """

    name = "torch"

    def __init__(self, model: Model, precision: Precision = "fp32", threads: int | None = None, device: str = "auto") -> None:
        if precision != "fp32":
            raise BackendError(f"the torch back end has no {precision}; use the native or the onnx back end")
        torch = _torch()
        self.spec: NetworkSpec = model.spec
        self.precision: Precision = precision
        self.device = _device(device)
        if threads is not None and self.device == "cpu":
            torch.set_num_threads(threads)
        try:
            self._tensors = {name: torch.from_numpy(np.array(array)).to(self.device) for name, array in model.tensors.items()}
        except RuntimeError as error:
            kind = BackendError if self.device == "cpu" else DeviceError
            raise kind(f"torch cannot use {self.device}: {_line(error)}") from error

    def run(self, y_hw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale luma as `engine.backends.Backend.run` promises."""
        torch = _torch()
        y_nchw = torch.from_numpy(np.array(y_hw, np.float32))[None, None].to(self.device)
        try:
            with torch.inference_mode():
                upscaled: NDArray[np.float32] = self._network(y_nchw)[0, 0].cpu().numpy()
        except RuntimeError as error:
            raise BackendError(f"torch failed on {y_hw.shape[1]}x{y_hw.shape[0]} pixels: {_line(error)}; try smaller tiles") from error
        return upscaled

    def _network(self, y: torch.Tensor) -> torch.Tensor:
        """The lines of `engine.network`, NCHW."""
        functional = _torch().nn.functional
        first, *body, last = self.spec.layers
        x = start = self._convolution(first, y - 0.5)
        for layer in body:
            x = self._activation(layer, self._adder(layer, x) if layer.adder else self._convolution(layer, x))
        x = self._convolution(last, x + start) + y
        upscaled: torch.Tensor = functional.pixel_shuffle(x, self.spec.scale).clamp(0, 1)
        return upscaled

    def _convolution(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self._tensors[f"{layer.name}.weight"], self._tensors[f"{layer.name}.bias"]
        out: torch.Tensor = _torch().nn.functional.conv2d(x, weight, bias, padding=layer.kernel // 2)
        return out

    def _adder(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        """The layer and its residual, multiplier * -sum|x - w| + bias + x, an output channel and some lines at a time to save memory."""
        lib = _torch()
        weight = self._tensors[f"{layer.name}.weight"].reshape(layer.outputs, -1, 1)
        *_, height, width = x.shape
        radius = layer.kernel // 2
        padded = lib.nn.functional.pad(x, (radius,) * 4)
        lines = max(1, ADDER_BYTES // (4 * width * weight.shape[1]))
        total: torch.Tensor = lib.empty_like(x)
        for top in range(0, height, lines):
            strip = padded[:, :, top : top + lines + 2 * radius]
            taps = lib.nn.functional.unfold(strip, layer.kernel)[0]
            sums = lib.stack([(taps - row).abs_().sum(0) for row in weight])
            total[0, :, top : top + lines] = sums.reshape(layer.outputs, -1, width)
        multiplier, bias = (self._tensors[f"{layer.name}.{part}"].reshape(1, -1, 1, 1) for part in ("multiplier", "bias"))
        out: torch.Tensor = x - multiplier * total + bias
        return out

    def _activation(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        functional = _torch().nn.functional
        relu = self.spec.activation == "relu"
        out: torch.Tensor = functional.relu(x) if relu else functional.prelu(x, self._tensors[f"{layer.name}.slope"])
        return out


def _torch() -> Any:
    """The torch module. Raises BackendError where it is not installed."""
    try:
        import torch  # noqa: PLC0415
    except ImportError as error:
        raise BackendError(f"torch is not installed; {REMEDY}") from error
    return torch


def _device(wanted: str) -> str:
    present = devices()
    if wanted == "auto":
        return next((name for name in present if name != "cpu"), "cpu")
    name = f"{wanted}:0" if wanted == "cuda" else wanted
    if name not in present:
        raise BackendError(f"torch has no device {wanted!r} here; it has {', '.join(present)}")
    return name


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
