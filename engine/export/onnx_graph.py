"""A list of ONNX nodes under construction: names for outputs, constants stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray


class Nodes:
    """Nodes in the order in which they run, and the constants that they use."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._named: set[str] = set()

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append a node with one output; returns the output's name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """Store a constant under ``name`` unless it is there already; returns the name."""
        if name not in self._named:
            self._named.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name))
        return name

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Store a one-dimensional int64 constant; returns its name."""
        return self.constant(name, np.array(values, np.int64))

    def conv(
        self,
        name: str,
        x: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        *,
        pads: Sequence[int] = (0, 0, 0, 0),
        strides: Sequence[int] = (1, 1),
        group: int = 1,
    ) -> str:
        """A convolution whose output is called ``name``; ``weight`` OIHW."""
        inputs = [x, self.constant(f"{name}.weight", weight)]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias))
        shape = {"kernel_shape": weight.shape[2:], "pads": list(pads), "strides": list(strides), "group": group}
        return self.add("Conv", inputs, name, **shape)

    def size(self, x: str) -> str:
        """The (height, width) of an NCHW tensor, int64, computed once a tensor."""
        name = f"{x}.size"
        if name not in self._named:
            self._named.add(name)
            self.add("Shape", [x], name, start=2, end=4)
        return name


def float_value(name: str, shape: Sequence[int | str] | None) -> onnx.ValueInfoProto:
    """A float32 input or output of a graph."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def integer_value(name: str, shape: Sequence[int | str] | None) -> onnx.ValueInfoProto:
    """An int64 input or output of a graph."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def bool_value(name: str) -> onnx.ValueInfoProto:
    """A scalar boolean input or output of a graph."""
    return helper.make_tensor_value_info(name, TensorProto.BOOL, [])
