"""A body layer of an adder network in 8 bits: 3x3 sums of absolute differences, rescaled to u8.

One `vpsadbw` takes 32 absolute differences of bytes and sums them by eights into four 64-bit lanes. So eight input channels
meet in a lane, and the four lanes are four outputs: a weight vector holds 4 outputs x 8 inputs, and a pixel's eight channels,
eight bytes side by side, are broadcast to all four lanes. Sums grow lane by lane and need no horizontal addition at all.

The result must be of the type that the instruction yields, uint64. Its 64 bits are more than a sum needs, and two results can be
``packed`` into one vector of eight 32-bit lanes and added in one go: a shuffle and an addition instead of two additions. On AMD's Zen
that is worth it, because `vpsadbw` runs on two of four units, additions on all four, where they get in its way, and shuffles on the other
two. (A loop of `vpsadbw` and `vpaddq` in registers runs at 82 % of `vpsadbw` alone.) It also halves the accumulators: four pixels x 16
outputs are eight registers, for which four weight vectors and four broadcasts are loaded. Intel's cores have one unit for `vpsadbw`,
and shuffles run there too: two pixels x 16 outputs are eight accumulators of 64-bit lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import halide as hl

from engine.kernels.define import (
    TABLE_ROWS,
    Definition,
    block_of_pixels,
    dense,
    features,
    o,
    rescaled,
    widen,
    with_skip,
    x,
    y,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PIXELS, PIXELS_PACKED = 2, 4
LANES = 4
BYTES = 8
EIGHT = 2 * LANES

lane, half, eight, group, column, row = (hl.Var(name) for name in ("lane", "half", "eight", "group", "column", "row"))


def build(channels: int, skip: bool = False, packed: bool = False, prelu: bool = False) -> Definition:
    """Inputs: x (C, W, H) u8 padded by 1 with its zero point, weights u8 (8, 4, 2, C/8, C/8, 3, 3), the table (C, 6); output u8.

    The weights' dimensions: input of its group; lane, vector of two and eight of an output (see `_of_output`); group of inputs; kernel
    column and row. With ``skip``, the last layer of the body: its second input is the first layer's output u8, its last one the long
    residual's four numbers, and its output their sum in s16. With ``prelu`` that is the activation, else ReLU.
    """
    source, early = features("source", hl.UInt(8), channels), features("early", hl.UInt(8), channels)
    groups = channels // BYTES
    weights = dense("weights", hl.UInt(8), (BYTES, LANES, 2, channels // EIGHT, groups, 3, 3))
    table, factors = dense("table", hl.Int(32), (channels, TABLE_ROWS)), dense("factors", hl.Int(32), (4,))

    byte, r = hl.RDom([(0, BYTES)], "byte"), hl.RDom([(0, groups), (0, 3), (0, 3)], "r")
    window = (x, y, group, column, row)
    difference = hl.absd(
        source[byte.x + BYTES * group, x + column - 1, y + row - 1], weights[byte.x, lane, half, eight, group, column, row]
    )
    sums, total = hl.Func("sums"), hl.Func("total")
    sums[lane, half, eight, *window] = hl.cast(hl.UInt(64), 0)
    sums[lane, half, eight, *window] += hl.cast(hl.UInt(64), difference)
    kind = hl.UInt(32) if packed else hl.UInt(64)
    total[o, x, y] = hl.cast(kind, 0)
    total[o, x, y] += hl.cast(kind, sums[*_of_output(o, packed), x, y, r.x, r.y, r.z])

    layer = hl.Func("layer")
    codes = rescaled(widen(total[o, x, y]), widen(source[o, x, y]), table, prelu=prelu)
    layer[o, x, y] = with_skip(codes, early, factors) if skip else hl.cast(hl.UInt(8), codes)
    (_add_packed if packed else _add)(total, block_of_pixels(layer, channels, PIXELS_PACKED if packed else PIXELS), (r.x, r.y, r.z))
    if channels <= 2 * BYTES:
        total.update().unroll(r.x)
    _schedule_sums(sums, total, byte.x, r.x)
    return Definition(layer, (source, early, weights, table, factors) if skip else (source, weights, table))


def _of_output(output: hl.Expr, packed: bool) -> tuple[hl.Expr, hl.Expr, hl.Expr]:
    """Lane, vector of two, and eight in which an output's sum is: packing takes pairs of lanes from either vector in turn."""
    if packed:
        return output // 4 % 2 * 2 + output % 2, output // 2 % 2, output // EIGHT
    return output % LANES, output // LANES % 2, output // EIGHT


def _add(total: hl.Func, block: hl.LoopLevel, r: Sequence[hl.RVar]) -> None:
    """Add results as they come."""
    oo, oi = hl.Var("oo"), hl.Var("oi")
    total.compute_at(block).split(o, oo, oi, LANES).vectorize(oi).unroll(oo).unroll(x)
    total.update().split(o, oo, oi, LANES).reorder(oi, oo, x, *r).vectorize(oi).unroll(oo).unroll(x)


def _add_packed(total: hl.Func, block: hl.LoopLevel, r: Sequence[hl.RVar]) -> None:
    """Add results in eights, in the order in which they are packed."""
    oo, oi, ends, middle, pairs, pair = (hl.Var(name) for name in ("oo", "oi", "ends", "middle", "pairs", "pair"))
    total.compute_at(block).split(o, oo, oi, EIGHT).vectorize(oi).unroll(oo).unroll(x)
    update = total.update().split(o, oo, oi, EIGHT).split(oi, ends, middle, 4).split(middle, pairs, pair, 2)
    update.reorder(pair, pairs, ends, oo, x, *r).vectorize(pair).vectorize(pairs).vectorize(ends).unroll(oo).unroll(x)


def _schedule_sums(sums: hl.Func, total: hl.Func, byte: hl.RVar, turn: hl.RVar) -> None:
    """The differences' sums by eights, at each turn of the reduction."""
    sums.compute_at(total, turn).bound(lane, 0, LANES).bound(half, 0, 2)
    sums.vectorize(lane).vectorize(half).unroll(eight).unroll(x)
    update = sums.update().reorder(byte, lane, half, eight, x)
    update.atomic().vectorize(byte).vectorize(lane).vectorize(half).unroll(eight).unroll(x)
