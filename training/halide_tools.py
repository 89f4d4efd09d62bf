"""What the training kernels in Halide share: from torch tensors to buffers, parameters, compilation.

Tensors are torch float32 of shape (N, C, H, W) in channels-last memory; anything else is brought into it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import halide as hl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

LANES = 8
STRIP_ROWS = 4


def channels_last(tensor_nchw: Tensor) -> Tensor:
    """(N, C, H, W) as a plain (N, H, W, C) array; no copy if it lies so in memory already."""
    return tensor_nchw.detach().permute(0, 2, 3, 1).contiguous()


def vectors(*tensors: Tensor) -> list[Tensor]:
    """One value a channel each, as kernels take them."""
    return [tensor.detach().float().contiguous() for tensor in tensors]


def run(kernel: Any, *tensors: Tensor) -> None:
    """Call a compiled kernel. The arrays outlive it here, as Halide's buffers do not keep them."""
    arrays: list[NDArray[Any]] = [tensor.numpy() for tensor in tensors]
    kernel(*[hl.Buffer(array) for array in arrays])


def compile_kernel(result: hl.Func, parameters: Sequence[hl.ImageParam]) -> Any:
    """A scheduled function as something to call with buffers: one for each parameter, then the results."""
    for parameter in parameters:
        parameter.dim(0).set_min(0).set_stride(1)
    return result.compile_to_callable([*parameters], hl.get_jit_target_from_environment())


def images(dimensions: str) -> list[hl.ImageParam]:
    """A float32 parameter for each digit: how many dimensions it has."""
    return [hl.ImageParam(hl.Float(32), int(count)) for count in dimensions]


def padded_with_zeros(source: hl.ImageParam) -> hl.Func:
    """``source`` with zeros around its picture (dimensions 1 and 2)."""
    extents = [(hl.Expr(), hl.Expr()), *((0, source.dim(axis).extent()) for axis in (1, 2)), (hl.Expr(), hl.Expr())]
    return hl.BoundaryConditions.constant_exterior(source, 0.0, extents)
