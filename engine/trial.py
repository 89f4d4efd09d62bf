"""Somebody else's ONNX graph tried out: what it does to a small picture tells its scale, its range and how far it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnxruntime

from engine import graph_cost
from engine.backends.onnx import CPU, RUNTIME_ERRORS, line, session_options
from engine.errors import ModelError
from engine.graph_check import Port, check, check_memory, parsed, port_of, shape_of
from engine.network import MAX_FEATURES, MAX_MULTIPLE, MAX_RADIUS, SCALES, ForeignSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx
    from numpy.typing import NDArray

    Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]

DECLARED = "receptive_radius"
"""The key of a file's metadata under which its maker may say how far the network looks."""
LIKENESS = 0.06
"""How far, on average and of the whole range, a network's result may be from the picture that it was shown."""
EXACT, LOOSE = 1e-6, 1 / 1024
"""Changes of a result that count as none: by rounding alone, or a quarter of an 8-bit level."""
MOST_EXACT = 32
FAR = 64
"""The context, in input pixels, that a network is given which looks at the whole picture."""
SIDES = (64, 128, 256)
SHIFTS = (0, 3, 7, 15)
"""Where a network that works on a grid of its own (of 8 or 16 pixels) is cut beside the middle: its reach depends on that."""
GRIDDED = frozenset({"MatMul", "Reshape", "SpaceToDepth"})
"""Operators by which networks have such a grid."""


def examine(data: bytes, name: str) -> tuple[ForeignSpec, dict[str, Any]]:
    """What an ONNX file's network does, and what the file says of it (licence). Raises ModelError, which says why it cannot be used."""
    proto = parsed(data, name)
    parameters = check(proto, name)
    port = port_of(proto.graph, name)
    multiple, scale = 1, 0
    tried = _Trial(data, port, name)
    for multiple in [1 << power for power in range(MAX_MULTIPLE.bit_length())] if port.window is None else [1]:
        size = port.window or _size(multiple)
        check_memory(proto, port, size, name)
        if scale := tried.scale(*size):
            break
    else:
        raise ModelError(f"{name}: the network cannot be run ({tried.problem})")
    white = tried.white(scale, *(port.window or _size(multiple)))
    radius, note = _radius(proto, tried, white, multiple)
    count = graph_cost.count(proto, port.name, lambda height, width: shape_of(port, height, width), port.window, multiple)
    features = min(max(1, count.features), MAX_FEATURES)
    spec = ForeignSpec(scale, port.channels, radius, parameters, features, white, port.window, multiple, port.channels_last, count.macs)
    return spec, _about(proto, note)


def _size(multiple: int) -> tuple[int, int]:
    """A size for the trial, both sides odd multiples of ``multiple``."""
    return multiple * (2 * (24 // multiple) + 1), multiple * (2 * (36 // multiple) + 1)


class _Trial:
    """A session to run pictures, (H, W, channels) in [0, white], through the graph."""

    def __init__(self, data: bytes, port: Port, name: str) -> None:
        self._port, self._name = port, name
        self.problem = ""
        self._last = np.zeros((0, 0, 0), np.float32)
        try:
            self._session = onnxruntime.InferenceSession(data, session_options(None), providers=[CPU])
        except RUNTIME_ERRORS as error:
            raise ModelError(f"{name}: ONNX Runtime cannot run it: {line(error):.300}") from error

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raise ModelError where the runtime refuses, or what comes out is no picture."""
        batch = np.ascontiguousarray((x if self._port.channels_last else x.transpose(2, 0, 1))[None])
        try:
            (out,) = self._session.run(None, {self._port.name: batch})
        except RUNTIME_ERRORS as error:
            raise ModelError(f"{self._name}: ONNX Runtime cannot run it: {line(error):.300}") from error
        if out.ndim != 4 or out.shape[0] != 1:
            raise ModelError(f"{self._name}: gives {out.shape}, which is not a picture")
        if not np.isfinite(out).all():
            raise ModelError(f"{self._name}: gives values that are not numbers")
        upscaled: NDArray[np.float32] = out[0] if self._port.channels_last else out[0].transpose(1, 2, 0)
        return upscaled

    def scale(self, height: int, width: int) -> int:
        """The factor by which a picture of this size grows; 0 where it cannot be of this size. Raises ModelError for a wrong one."""
        try:
            out = self._last = self.run(picture(height, width, self._port.channels))
        except ModelError as error:
            self.problem = str(error).removeprefix(f"{self._name}: ")
            return 0
        factor = out.shape[0] / height
        if factor != out.shape[1] / width or factor not in SCALES:
            self.problem = f"{width}×{height} pixels become {out.shape[1]}×{out.shape[0]}; ×{', ×'.join(map(str, SCALES))} are supported"
            return 0
        if out.shape[2] != self._port.channels:
            raise ModelError(f"{self._name}: {self._port.channels} channels become {out.shape[2]}; it must give what it takes")
        return int(factor)

    def white(self, scale: int, height: int, width: int) -> float:
        """The network's white, 1 or 255: that for which a picture comes back. Raises ModelError where neither does."""
        x = picture(height, width, self._port.channels)
        off = []
        for white in (1.0, 255.0):
            out = self._last if white == 1 and self._last.shape[:2] == (scale * height, scale * width) else self.run(x * np.float32(white))
            small = cv2.resize(out / np.float32(white), (width, height), interpolation=cv2.INTER_AREA).reshape(x.shape)
            off.append(float(np.abs(small - x).mean(dtype=np.float64)))
            if off[-1] <= LIKENESS:
                return white
        raise ModelError(
            f"{self._name}: does not give a picture back larger (it is off by {min(off):.3g} of the range on average, at ×{scale})"
        )

    def changes(self, white: float, side: int, multiple: int, shifts: Sequence[int]) -> list[NDArray[np.float32]]:
        """How much a result changes, of the whole range, with its distance in input pixels from a part that another picture has.

        For each direction, and for cuts at the middle and ``shifts`` before it. The pictures are square, ``side`` pixels or so.
        """
        height, width = self._port.window or (side // multiple * multiple, side // multiple * multiple)
        first = picture(height, width, self._port.channels) * np.float32(white)
        other = picture(height, width, self._port.channels, seed=2) * np.float32(white)
        whole, found = self.run(first), []
        for axis, length in ((0, height), (1, width)):
            for cut in (length // 2 - shift for shift in shifts if shift < length // 4):
                keep = np.arange(length).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1)) >= cut
                changed = np.abs(self.run(np.where(keep, first, other)) - whole).max(axis=(1 - axis, 2))
                found.append(changed.reshape(length, -1).max(axis=1)[cut:] / np.float32(white))
        return found


def _radius(proto: onnx.ModelProto, tried: _Trial, white: float, multiple: int) -> tuple[int, str]:
    """The context that tiles need, and what a person should know of it."""
    window = port_of(proto.graph, "").window
    declared = next((entry.value for entry in proto.metadata_props if entry.key == DECLARED), "")
    if declared.isdecimal() and int(declared) <= MAX_RADIUS:
        radius, note = int(declared), ""
    else:
        radius, note = _measured(proto, tried, white, multiple, fixed=window is not None)
        radius += multiple - 1  # it was measured from a border of the network's own grid
    most = MAX_RADIUS if window is None else min(window) // 4
    if radius > most:
        return most, "its tiles leave it less to see than it looks at: they may show"
    return radius, note


def _measured(proto: onnx.ModelProto, tried: _Trial, white: float, multiple: int, *, fixed: bool) -> tuple[int, str]:
    gridded = any(node.op_type in GRIDDED for node in proto.graph.node)
    for side in (0,) if fixed else SIDES:
        changes = tried.changes(white, side, multiple, SHIFTS if gridded else (0,))
        exact = _reach(changes, EXACT)
        if exact is not None and exact <= MOST_EXACT:
            return exact, ""
        loose = _reach(changes, LOOSE)
        if loose is not None:
            return loose, ""
    return FAR, "it looks at the whole picture: its tiles may show"


def _reach(changes: Sequence[NDArray[np.float32]], tolerance: float) -> int | None:
    """The distance from which on nothing changes by more than ``tolerance``; None where that is not well within the picture."""
    reach = 0
    for change in changes:
        beyond = np.flatnonzero(change > tolerance)
        found = int(beyond[-1]) + 1 if len(beyond) else 0
        if 3 * found > 2 * len(change):
            return None
        reach = max(reach, found)
    return reach


def picture(height: int, width: int, channels: int, seed: int = 1) -> NDArray[np.float32]:
    """Something to show to a network, (height, width, channels) in [0.1, 0.9]: soft areas with some fine grain."""
    draw = np.random.default_rng(seed)
    coarse = draw.random((max(2, height // 8), max(2, width // 8), channels), np.float32)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels)
    grain = draw.random((height, width, channels), np.float32) - np.float32(0.5)
    shown: NDArray[np.float32] = np.clip(0.15 + 0.7 * soft + 0.05 * grain, 0.1, 0.9).astype(np.float32)
    return shown


def _about(proto: onnx.ModelProto, note: str) -> dict[str, Any]:
    props = {entry.key.lower(): entry.value for entry in proto.metadata_props}
    licence = props.get("licence") or props.get("license")
    summary = ". ".join(text for text in ("An ONNX file", note) if text) + "."
    return {"summary": summary, **({"licence": licence[:100]} if licence else {})}
