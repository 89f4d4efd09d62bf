"""A network as data: what SESR and AdderSESR are, without a framework, and what is known of somebody else's.

SESR (arXiv 2103.09404) works on luma alone. For an input Y in [0, 1]::

    x = first(Y - 0.5)                       5x5, 1 -> f
    for each of the m body layers:           3x3, f -> f
        convolution:  x = activation(body(x))              (the block's identity is inside the collapsed kernel)
        adder:        x = activation(multiplier * -sum|x - w| + bias + x)
    x = last(x + first's output)             5x5, f -> scale^2
    Y_out = clip(depth_to_space(x + Y, scale), 0, 1)

All convolutions are zero-padded ("SAME") and every one has a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

Block = Literal["convolution", "adder"]
Activation = Literal["prelu", "relu"]
Precision = Literal["fp32", "int8"]

SCALES = (2, 3, 4)
BODY_KERNEL = 3
OUTER_KERNEL = 5


@dataclass(frozen=True, slots=True)
class Layer:
    """One collapsed layer: a square kernel over ``inputs`` channels giving ``outputs`` channels."""

    name: str
    kernel: int
    inputs: int
    outputs: int
    adder: bool

    @property
    def taps(self) -> int:
        """Kernel weights, that is multiply-accumulates (or absolute differences) a pixel."""
        return self.kernel * self.kernel * self.inputs * self.outputs

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the kernel, OIHW."""
        return (self.outputs, self.inputs, self.kernel, self.kernel)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The shape of a collapsed network. ``m`` body layers of ``f`` channels; output ``scale`` times the input's size."""

    scale: int
    m: int
    f: int
    block: Block = "convolution"
    activation: Activation = "prelu"

    channels: ClassVar[int] = 1
    window: ClassVar[tuple[int, int] | None] = None
    multiple: ClassVar[int] = 1
    grid: ClassVar[int] = 4
    """Contexts begin at multiples of this: kernels work on so many pixels at once, and a pixel's last bit depends on its place there."""

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale must be one of {SCALES}, not {self.scale!r}")
        for name, value, most in (("m", self.m, 64), ("f", self.f, 256)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, not {value!r}")
        if self.block not in get_args(Block):
            raise ValueError(f"block must be one of {get_args(Block)}, not {self.block!r}")
        if self.activation not in get_args(Activation):
            raise ValueError(f"activation must be one of {get_args(Activation)}, not {self.activation!r}")

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The m + 2 collapsed layers, first to last."""
        adder = self.block == "adder"
        body = (Layer(f"body.{i}", BODY_KERNEL, self.f, self.f, adder) for i in range(self.m))
        first = Layer("first", OUTER_KERNEL, 1, self.f, False)
        last = Layer("last", OUTER_KERNEL, self.f, self.scale**2, False)
        return (first, *body, last)

    @property
    def parameters(self) -> int:
        """Kernel weights (biases and slopes not counted, as published)."""
        return sum(layer.taps for layer in self.layers)

    @property
    def features(self) -> int:
        """Channels of the widest activation at the input's size."""
        return self.f

    @property
    def receptive_radius(self) -> int:
        """Input pixels on each side of a pixel that its outputs depend on: the overlap that tiles need."""
        return sum(layer.kernel // 2 for layer in self.layers)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that the network's float form consists of, in order, with its shape. All are float32."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            shapes[f"{layer.name}.weight"] = layer.weight_shape
            if layer.adder:
                shapes[f"{layer.name}.multiplier"] = (layer.outputs,)
            shapes[f"{layer.name}.bias"] = (layer.outputs,)
            if layer.name.startswith("body.") and self.activation == "prelu":
                shapes[f"{layer.name}.slope"] = (layer.outputs,)
        return shapes


PRESETS: dict[str, tuple[int, int]] = {"m3": (3, 16), "m5": (5, 16), "m7": (7, 16), "m11": (11, 16), "xl": (11, 32)}
"""Name of each published size and its (m, f)."""


def model_id(spec: NetworkSpec) -> str:
    """The catalogue's name for a network of this shape, such as ``addersesr-m5-x2``."""
    size = next((name for name, shape in PRESETS.items() if shape == (spec.m, spec.f)), f"m{spec.m}f{spec.f}")
    family = "addersesr" if spec.block == "adder" else "sesr"
    return f"{family}-{size}-x{spec.scale}"


MAX_RADIUS, MAX_MULTIPLE, MAX_WINDOW, MAX_FEATURES = 512, 64, 4096, 8192


@dataclass(frozen=True, slots=True)
class ForeignSpec:
    """Somebody else's network, as far as it is known from outside: an ONNX graph that was looked over and tried out.

    It takes luma or RGB (``channels``), from 0 to ``white``, as NCHW or (``channels_last``) NHWC. ``receptive_radius`` is the context, in
    input pixels, that tiles need: measured, or declared by who made the file. ``window`` is the only input size (height, width) that
    it takes, None for any that ``multiple`` divides. ``features`` are the channels of its widest activation, brought to the input's size.
    ``macs`` are multiply-accumulates an input pixel, counted in the graph; None where the graph does not tell.
    """

    scale: int
    channels: int
    receptive_radius: int
    parameters: int
    features: int
    white: float = 1.0
    window: tuple[int, int] | None = None
    multiple: int = 1
    channels_last: bool = False
    macs: int | None = None

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale must be one of {SCALES}, not {self.scale!r}")
        if self.channels not in (1, 3) or self.white not in (1.0, 255.0):
            raise ValueError(f"a network takes 1 or 3 channels from 0 to 1 or 255, not {self.channels!r} to {self.white!r}")
        least_most = {"receptive_radius": (0, MAX_RADIUS), "features": (1, MAX_FEATURES), "multiple": (1, MAX_MULTIPLE)}
        for name, (least, most) in least_most.items():
            if not least <= (value := getattr(self, name)) <= most:
                raise ValueError(f"{name} must be from {least} to {most}, not {value!r}")
        if self.window is not None and not all(2 * self.receptive_radius < side <= MAX_WINDOW for side in self.window):
            raise ValueError(f"a window of {self.window!r} does not fit a radius of {self.receptive_radius}")

    @property
    def grid(self) -> int:
        """Contexts begin at multiples of this."""
        return self.multiple


Spec = NetworkSpec | ForeignSpec
