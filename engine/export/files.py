"""A network as the bytes of a file in a format that other programs read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal, cast

from engine import foreign, weights
from engine.errors import BackendError, ModelError
from engine.foreign import AnyModel, ForeignModel

if TYPE_CHECKING:
    import onnx

    from engine.network import Precision

Format = Literal["onnx", "tflite", "safetensors"]


def to_bytes(model: AnyModel, form: Format, precision: Precision = "fp32", size: tuple[int, int] | None = None) -> bytes:
    """The file. ``size`` (width, height) fixes the input's, None leaves it free where the format can.

    Raises ModelError for a form that the network does not have, BackendError where a library that the format needs is missing.
    """
    if isinstance(model, ForeignModel):
        if form != "onnx" or size is not None:
            raise ModelError(f"{model.id} is somebody else's ONNX file: it can be copied as it is, and not made into anything else")
        return foreign.to_bytes(model)
    if form == "safetensors":
        return weights.to_bytes(model)
    try:
        module = import_module(f"engine.export.{form}")
    except ImportError as error:
        raise BackendError(f"export to {form} is not available here: {error}") from error
    if form == "tflite":
        return cast("bytes", module.to_bytes(model, precision, size))
    graph: onnx.ModelProto = module.graph(model, precision)
    if size is not None:
        _fix_size(graph, size, model.spec.scale)
    return cast("bytes", graph.SerializeToString())


def _fix_size(graph: onnx.ModelProto, size: tuple[int, int], scale: int) -> None:
    """Replace the free height and width of the graph's input and output."""
    width, height = size
    for value, factor in ((graph.graph.input[0], 1), (graph.graph.output[0], scale)):
        dimensions = value.type.tensor_type.shape.dim
        dimensions[2].dim_value, dimensions[3].dim_value = height * factor, width * factor
