"""Networks as other people make them: small ONNX graphs of every shape that upscales, and of some that must be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    import onnx


def weights(channels: int, scale: int, kernel: int = 3, seed: int = 0) -> np.ndarray:
    """Of a convolution that gives each of ``scale**2`` subpixels of each channel nearly the pixel itself: OIHW float32."""
    draw = np.random.default_rng(seed)
    kernels = np.zeros((channels * scale**2, channels, kernel, kernel), np.float32)
    for out in range(len(kernels)):
        kernels[out, out // scale**2, kernel // 2, kernel // 2] = 1
    noise = draw.normal(0, 0.01 / inputs_root(channels), kernels.shape).astype(np.float32)
    noise += noise[..., ::-1, ::-1]  # so that nothing moves
    return kernels + noise - noise.mean(axis=(1, 2, 3), keepdims=True)


def inputs_root(channels: int) -> float:
    """What noise from several inputs adds up by."""
    return float(channels**0.5)


def nodes(channels: int, scale: int, *, kernel: int = 3, layers: int = 1, channels_last: bool = False) -> tuple[list[Any], list[Any]]:
    """Convolutions and a depth to space, and their weights."""
    made, stored, x = [], [], "picture"
    if channels_last:
        made.append(helper.make_node("Transpose", [x], ["nchw"], perm=[0, 3, 1, 2]))
        x = "nchw"
    for layer in range(layers - 1):
        stored.append(numpy_helper.from_array(weights(channels, 1, kernel, layer + 1), f"w{layer}"))
        made.append(helper.make_node("Conv", [x, f"w{layer}"], [f"x{layer}"], pads=[kernel // 2] * 4))
        x = f"x{layer}"
    stored.append(numpy_helper.from_array(weights(channels, scale, kernel), "w"))
    made.append(helper.make_node("Conv", [x, "w"], ["deep"], pads=[kernel // 2] * 4))
    last = "larger_nchw" if channels_last else "larger"
    made.append(helper.make_node("DepthToSpace", ["deep"], [last], blocksize=scale, mode="CRD"))
    if channels_last:
        made.append(helper.make_node("Transpose", [last], ["larger"], perm=[0, 2, 3, 1]))
    return made, stored


def network(
    channels: int = 3,
    scale: int = 2,
    size: tuple[int, int] | None = None,
    *,
    name: str = "input.1",
    white: float = 1,
    multiple: int = 1,
    channels_last: bool = False,
    **more: Any,
) -> onnx.ModelProto:
    """A network that enlarges. ``size`` (height, width) fixes its input; ``multiple`` makes it work on that many pixels a side at once."""
    made, stored = nodes(channels, scale, channels_last=channels_last, **more)
    if multiple > 1:
        made, stored = unshuffled(channels, scale, multiple)
    if white != 1:  # as networks do that subtract a mean: wrong for any other range
        stored.append(numpy_helper.from_array(np.full((channels, 1, 1), 0.4 * white, np.float32), "mean"))
        stored.append(numpy_helper.from_array(np.full((channels, 1, 1), 0.41 * white, np.float32), "mean_and_bias"))
        made = [
            helper.make_node("Sub", ["picture", "mean"], ["centred"]),
            *_renamed(made, {"picture": "centred", "larger": "offset"}),
            helper.make_node("Add", ["offset", "mean_and_bias"], ["larger"]),
        ]
    height, width = size or ("height", "width")
    shape = [1, height, width, channels] if channels_last else [1, channels, height, width]
    return model(_renamed(made, {"picture": name}), stored, name, shape)


def unshuffled(channels: int, scale: int, multiple: int) -> tuple[list[Any], list[Any]]:
    """Space to depth first, as Real-ESRGAN's x2 does: sides that ``multiple`` does not divide cannot be had."""
    inside = channels * multiple**2
    stored = [numpy_helper.from_array(weights(inside, scale), "w")]
    return [
        helper.make_node("SpaceToDepth", ["picture"], ["small"], blocksize=multiple),
        helper.make_node("Conv", ["small", "w"], ["deep"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["deep"], ["between"], blocksize=scale, mode="CRD"),
        helper.make_node("DepthToSpace", ["between"], ["larger"], blocksize=multiple),
    ], stored


def model(made: list[Any], stored: list[Any], name: str = "picture", shape: list[Any] | None = None, **options: Any) -> onnx.ModelProto:
    """A graph with one float input and the output ``larger``."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape or [1, 3, "height", "width"])]
    outputs = [helper.make_tensor_value_info("larger", TensorProto.FLOAT, [None] * 4)]
    opset = [helper.make_opsetid("", 17), *options.pop("opsets", [])]
    return helper.make_model(helper.make_graph(made, "g", inputs, outputs, stored), opset_imports=opset, ir_version=8, **options)


def saved(proto: onnx.ModelProto, path: Path) -> Path:
    """The file of a graph."""
    path.write_bytes(proto.SerializeToString())
    return path


def _renamed(made: list[Any], names: dict[str, str]) -> list[Any]:
    for node in made:
        for field in (node.input, node.output):
            field[:] = [names.get(each, each) for each in field]
    return made
