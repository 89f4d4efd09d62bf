"""What the training kernels in Halide share: from torch tensors to buffers, parameters, compilation.

Tensors are torch's, float32 unless something else is said, of shape (N, C, H, W) in channels-last memory; anything else is brought
into that first. Kernels see bfloat16, which NumPy lacks, as the upper half of a float32's bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import halide as hl
import torch

from engine import cpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

LANES = 8
"""Channels come by so many."""
WHOLE = 2 * LANES if "avx512bw" in cpu.features() else LANES
"""Float32 numbers of a vector register."""
STRIP_ROWS = 4


def lanes(channels: int) -> int:
    """Of so many channels, how many are taken as one vector: a register's if they come by those, else eight."""
    return LANES if channels % WHOLE else WHOLE


def channels_last(tensor_nchw: Tensor) -> Tensor:
    """(N, C, H, W) as a plain (N, H, W, C) array; no copy if it lies so in memory already."""
    return tensor_nchw.detach().permute(0, 2, 3, 1).contiguous()


def vectors(*tensors: Tensor) -> list[Tensor]:
    """One value a channel each, as kernels take them."""
    return [tensor.detach().float().contiguous() for tensor in tensors]


def run(kernel: Any, *tensors: Tensor) -> None:
    """Call a compiled kernel. The arrays outlive it here, as Halide's buffers do not keep them."""
    arrays: list[NDArray[Any]] = [(t.view(torch.uint16) if t.dtype == torch.bfloat16 else t).numpy() for t in tensors]
    kernel(*[hl.Buffer(array) for array in arrays])


def compile_kernel(result: hl.Func, parameters: Sequence[hl.ImageParam]) -> Any:
    """A scheduled function as something to call with buffers: one for each parameter, then the results."""
    for parameter in parameters:
        parameter.dim(0).set_min(0).set_stride(1)
    return result.compile_to_callable([*parameters], hl.get_jit_target_from_environment())


def images(dimensions: str) -> list[hl.ImageParam]:
    """A float32 parameter for each digit: how many dimensions it has."""
    return [hl.ImageParam(hl.Float(32), int(count)) for count in dimensions]


def image(dimensions: int, dtype: torch.dtype) -> hl.ImageParam:
    """A float32 or bfloat16 parameter."""
    return hl.ImageParam(hl.UInt(16) if dtype == torch.bfloat16 else hl.Float(32), dimensions)


def value(source: hl.ImageParam, at: Sequence[hl.Expr]) -> hl.Expr:
    """What stands in a float32 or bfloat16 parameter, as float32."""
    element = source[tuple(at)]
    return element if source.type() == hl.Float(32) else hl.reinterpret(hl.Float(32), hl.cast(hl.UInt(32), element) << 16)


def stored(number: hl.Expr, dtype: torch.dtype) -> hl.Expr:
    """A float32 as what is kept of it: itself, or bfloat16, rounded to the nearest and from halfway to the even one."""
    if dtype == torch.float32:
        return number
    bits = hl.reinterpret(hl.UInt(32), number)
    return hl.cast(hl.UInt(16), (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)


def elementwise(result: hl.Func, variables: Sequence[hl.Var], channels: int, parameters: Sequence[hl.ImageParam]) -> Any:
    """``result`` [c, x, y, n], whose elements do not depend on one another, scheduled and compiled."""
    c, x, y, n = variables
    result.bound(c, 0, channels).reorder(c, x, y, n).vectorize(c, together(channels)).unroll(c)
    _parallel_strips(result, y, n)
    return compile_kernel(result, parameters)


def row_sums(result: hl.Func, variables: Sequence[hl.Var], r: hl.RDom, channels: int, parameters: Sequence[hl.ImageParam]) -> Any:
    """``result`` [c, y, n], updated along ``r``, the pixels of a row, scheduled and compiled."""
    c, y, n = variables
    result.bound(c, 0, channels).vectorize(c, LANES)
    _parallel_strips(result.update().reorder(c, r.x, y, n).vectorize(c, together(channels)).unroll(c), y, n)
    return compile_kernel(result, parameters)


def together(channels: int) -> int:
    """Channels computed at a time: sixteen, or eight."""
    return LANES if channels % (2 * LANES) else 2 * LANES


def _parallel_strips(stage: hl.Func | hl.Stage, y: hl.Var, n: hl.Var) -> None:
    strip, row, job = (hl.Var(name) for name in ("strip", "row", "job"))
    stage.split(y, strip, row, STRIP_ROWS, hl.TailStrategy.GuardWithIf).fuse(strip, n, job).parallel(job)


def padded_with_zeros(source: hl.ImageParam) -> hl.Func:
    """``source`` with zeros around its picture (dimensions 1 and 2)."""
    extents = [(hl.Expr(), hl.Expr()), *((0, source.dim(axis).extent()) for axis in (1, 2)), (hl.Expr(), hl.Expr())]
    return hl.BoundaryConditions.constant_exterior(source, 0.0, extents)
