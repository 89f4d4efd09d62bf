"""What the kernels' definitions share: fixed layouts, blocks of pixels held in registers, and the way back to 8 bits.

Halide's dimensions run innermost first. Feature maps are (channel, column, row): a pixel's channels lie side by side, and a
kernel reads neighbours outside the rows and columns that it writes, which its caller has padded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import halide as hl

from engine.integer import SLOPE_MAX, SLOPE_ONE

if TYPE_CHECKING:
    from collections.abc import Sequence

MULTIPLIER, BIAS, RESIDUAL, SHIFT, ZERO, SLOPE = range(6)
"""Rows of the table that a rescale reads, one int32 a channel; see `rescaled`."""
TABLE_ROWS = 6
FIRST, BODY, SKIP_BIAS, SKIP_SHIFT = range(4)
"""The four int32 of the long residual; see `with_skip`."""

o, x, y = hl.Var("o"), hl.Var("x"), hl.Var("y")
"""Output channel, column and row of every kernel."""


@dataclass(frozen=True)
class Definition:
    """A scheduled function and its inputs in the order in which they are given; the output's buffer comes last.

    ``turns`` is the outermost loop, over ``rows_a_turn`` rows, where it is not that over single rows.
    """

    function: hl.Func
    inputs: tuple[hl.ImageParam, ...]
    turns: hl.Var | None = None
    rows_a_turn: int = 1


def dense(name: str, kind: hl.Type, extents: Sequence[int]) -> hl.ImageParam:
    """An input of fixed shape without gaps, innermost extent first: weights and tables."""
    image = hl.ImageParam(kind, len(extents), name)
    stride = 1
    for dimension, extent in enumerate(extents):
        image.dim(dimension).set_bounds(0, extent).set_stride(stride)
        stride *= extent
    return image


def features(name: str, kind: hl.Type, channels: int) -> hl.ImageParam:
    """An input feature map (channel, column, row) whose pixels lie side by side in each row."""
    image = hl.ImageParam(kind, 3, name)
    image.dim(0).set_bounds(0, channels).set_stride(1)
    image.dim(1).set_stride(channels)
    return image


def writes_features(layer: hl.Func, channels: int) -> None:
    """Promise the same of the map that ``layer`` fills."""
    image = layer.output_buffer()
    image.dim(0).set_bounds(0, channels).set_stride(1)
    image.dim(1).set_stride(channels)


def channel_block(channels: int) -> int:
    """Outputs whose sums are held in registers at a time: 16, or 8 where there is no such multiple."""
    return 16 if channels % 16 == 0 else 8


def widen(value: hl.Expr) -> hl.Expr:
    """``value`` as int32."""
    return hl.cast(hl.Int(32), value)


def rescaled(accumulator: hl.Expr, identity: hl.Expr | None, table: hl.ImageParam, *, prelu: bool = False) -> hl.Expr:
    """`engine.integer`'s rescale of int32 expressions at output channel ``o``, and its PReLU if so: int32 from 0 to 255."""
    total = accumulator * table[o, MULTIPLIER] + table[o, BIAS]
    if identity is not None:
        total += identity * table[o, RESIDUAL]
    total = total >> hl.cast(hl.UInt(32), table[o, SHIFT])
    if prelu:
        above, slope = hl.cast(hl.Int(16), hl.clamp(total, -SLOPE_ONE, SLOPE_MAX)), hl.cast(hl.Int(16), table[o, SLOPE])
        below = hl.rounding_mul_shift_right(above, slope, hl.cast(hl.UInt(16), 15))  # one instruction: `vpmulhrsw`, `sqrdmulh`
        total = widen(hl.max(above, below)) + table[o, ZERO]
    return hl.clamp(total, 0, 255)


def with_skip(codes: hl.Expr, early: hl.ImageParam, factors: hl.ImageParam) -> hl.Expr:
    """`engine.integer`'s long residual of the first layer's output ``early`` and the body's int32 ``codes``: s16."""
    total = widen(early[o, x, y]) * factors[FIRST] + codes * factors[BODY] + factors[SKIP_BIAS]
    return hl.cast(hl.Int(16), total >> hl.cast(hl.UInt(32), factors[SKIP_SHIFT]))


def stored(codes: hl.Expr, kind: hl.Type, table: hl.ImageParam) -> hl.Expr:
    """Codes as a feature map holds them: themselves in u8 (for adder layers), less their zero point in s16 (for convolutions)."""
    return hl.cast(kind, codes if kind == hl.UInt(8) else codes - table[o, ZERO])


def block_of_pixels(layer: hl.Func, channels: int, pixels: int) -> hl.LoopLevel:
    """Schedule ``layer`` in blocks of ``pixels`` x `channel_block` outputs; returns the loop at which a block's sums are to be computed.

    The last block of a row is shifted inwards, so a row must have at least ``pixels`` columns.
    """
    xo, xi, oi, ob = (hl.Var(name) for name in ("xo", "xi", "oi", "ob"))
    layer.bound(o, 0, channels).split(x, xo, xi, pixels, hl.TailStrategy.ShiftInwards).split(o, ob, oi, channel_block(channels))
    layer.reorder(oi, xi, ob, xo, y).vectorize(oi).unroll(xi)
    writes_features(layer, channels)
    return hl.LoopLevel(layer, ob)


def hold_in_registers(
    layer: hl.Func, total: hl.Func, r: Sequence[hl.RVar], channels: int, pixels: int, lanes: int, together: int = 1
) -> hl.Stage:
    """The schedule of every layer that has many outputs; returns the update's, for more.

    ``layer`` is computed in blocks (`block_of_pixels`), whose sums, ``total``, stay in registers over the whole reduction ``r``
    (innermost first). A register has ``lanes`` outputs; with ``together`` > 1, the instruction adds up so many neighbours along r[0]
    within each lane. One weight vector serves all pixels, one broadcast pixel all weight vectors.
    """
    oo, oi = hl.Var("oo"), hl.Var("oi")
    total.compute_at(block_of_pixels(layer, channels, pixels)).split(o, oo, oi, lanes).vectorize(oi).unroll(oo).unroll(x)
    update = total.update().split(o, oo, oi, lanes)
    if together > 1:
        update.reorder(r[0], oi, oo, x, *r[1:]).atomic().vectorize(r[0])
    else:
        update.reorder(oi, oo, x, *r)
    return update.vectorize(oi).unroll(oo).unroll(x)


def activated(value: hl.Expr, slope: hl.Expr) -> hl.Expr:
    """PReLU; ReLU is slope 0."""
    return hl.max(value, 0.0) + slope * hl.min(value, 0.0)


def writes_picture(picture: hl.Func, block: tuple[hl.Var, hl.Var], scale: int, sums: int) -> hl.Var:
    """Schedule an upscaled picture of (column in the block, pixel, row in the block, pixel row), few enough outputs at a time.

    Of a pixel's scale^2 outputs, three or four are summed at a time, for as many pixels as make at most ``sums`` sums: as many as
    registers hold beside what they are made of. Returns the loop at which those sums are to be computed.
    """
    column, row = block
    rows = 2 if scale == 2 else 1
    xo, xi, ro, ri = (hl.Var(name) for name in ("xo", "xi", "ro", "ri"))
    picture.bound(column, 0, scale).bound(row, 0, scale)
    picture.split(x, xo, xi, sums // (scale * rows), hl.TailStrategy.ShiftInwards).split(row, ro, ri, rows)
    picture.reorder(column, xi, ri, ro, xo, y).unroll(column).unroll(xi).unroll(ri)
    image = picture.output_buffer()
    image.dim(0).set_bounds(0, scale).set_stride(1)
    image.dim(1).set_stride(scale)
    image.dim(2).set_bounds(0, scale)
    return ro
