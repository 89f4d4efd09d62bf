"""`adder_u8` for 16 channels on AMD's processors without AVX-512: results are packed twice before they are added.

Two results of `vpsadbw` are packed into one vector of eight 32-bit lanes, and two of these into one of sixteen 16-bit lanes, where
the largest sum, 9 x 16 x 255, has room. For four results that is three shuffles and one addition. Nothing is saved in instructions, but
only one in eight is an addition, which runs on all four vector units and gets in the way of the two that `vpsadbw` needs; and a
pixel's sums take one register instead of two, so that eight pixels share each load of four weight vectors.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, dense, features, o, rescaled, widen, with_skip, writes_features, x, y

CHANNELS = 16
PIXELS = 8
BYTES, LANES, VECTORS = 8, 4, 4
GROUPS = CHANNELS // BYTES
EIGHT = 2 * LANES

lane, vector, lanes, pair, group, column, row = (hl.Var(name) for name in ("lane", "vector", "lanes", "pair", "group", "column", "row"))


def build(skip: bool = False, prelu: bool = False) -> Definition:
    """Inputs: x (16, W, H) u8 padded by 1 with its zero point, weights u8 (8, 4, 4, 2, 3, 3), the table (16, 6); output u8.

    The weights' dimensions: input of its group; lane and vector of an output (output o: lane 2 (o // 8) + o % 2 of vector o // 2 % 4, which
    is where packing leaves it); group of inputs; kernel column and row. ``skip`` and ``prelu`` as in `adder_u8`.
    """
    source, early = features("source", hl.UInt(8), CHANNELS), features("early", hl.UInt(8), CHANNELS)
    weights = dense("weights", hl.UInt(8), (BYTES, LANES, VECTORS, GROUPS, 3, 3))
    table, factors = dense("table", hl.Int(32), (CHANNELS, TABLE_ROWS)), dense("factors", hl.Int(32), (4,))

    byte, r = hl.RDom([(0, BYTES)], "byte"), hl.RDom([(0, GROUPS), (0, 3), (0, 3)], "r")
    window = (x, y, group, column, row)
    difference = hl.absd(source[byte.x + BYTES * group, x + column - 1, y + row - 1], weights[byte.x, lane, vector, group, column, row])
    sums, once, total = hl.Func("sums"), hl.Func("once"), hl.Func("total")
    sums[lane, vector, *window] = hl.cast(hl.UInt(64), 0)
    sums[lane, vector, *window] += hl.cast(hl.UInt(64), difference)
    once[lanes, pair, *window] = hl.cast(hl.Int(32), sums[lanes // 4 * 2 + lanes % 2, 2 * pair + lanes // 2 % 2, *window])
    total[o, x, y] = hl.cast(hl.UInt(16), 0)
    result = once[o // EIGHT * 4 + o % 4, o // 4 % 2, x, y, r.x, r.y, r.z]
    total[o, x, y] += hl.saturating_cast(hl.UInt(16), result)  # no result is that large, but this is the instruction

    layer = hl.Func("layer")
    codes = rescaled(widen(total[o, x, y]), widen(source[o, x, y]), table, prelu=prelu)
    layer[o, x, y] = with_skip(codes, early, factors) if skip else hl.cast(hl.UInt(8), codes)
    _add_packed(total, _blocks(layer), r)
    _schedule_results(sums, once, total, byte.x, r.x)
    return Definition(layer, (source, early, weights, table, factors) if skip else (source, weights, table))


def _blocks(layer: hl.Func) -> hl.LoopLevel:
    """`define.block_of_pixels`, but one pixel's codes after the other: sums go through memory, from where they are widened for nothing."""
    xo, xi = hl.Var("xo"), hl.Var("xi")
    layer.bound(o, 0, CHANNELS).split(x, xo, xi, PIXELS, hl.TailStrategy.ShiftInwards)
    layer.reorder(o, xi, xo, y).vectorize(o)
    writes_features(layer, CHANNELS)
    return hl.LoopLevel(layer, xo)


def _add_packed(total: hl.Func, block: hl.LoopLevel, r: hl.RDom) -> None:
    """Add results in sixteens, in the order in which they are packed."""
    half, four, inner = hl.Var("half"), hl.Var("four"), hl.Var("inner")
    total.compute_at(block).vectorize(o).unroll(x)
    update = total.update().split(o, half, inner, EIGHT).split(inner, four, inner, 4).reorder(inner, four, half, x, r.x, r.y, r.z)
    update.vectorize(inner).vectorize(four).vectorize(half).unroll(x).unroll(r.x)


def _schedule_results(sums: hl.Func, once: hl.Func, total: hl.Func, byte: hl.RVar, turn: hl.RVar) -> None:
    """The differences' sums by eights and their first packing, at each turn of the reduction."""
    half, four, inner = hl.Var("half"), hl.Var("four"), hl.Var("inner")
    once.compute_at(total, turn).bound(lanes, 0, EIGHT).bound(pair, 0, 2)
    once.split(lanes, half, inner, 4).split(inner, four, inner, 2).reorder(inner, four, half, pair, x)
    once.vectorize(inner).vectorize(four).vectorize(half).unroll(pair).unroll(x)
    sums.compute_at(total, turn).bound(lane, 0, LANES).bound(vector, 0, VECTORS).vectorize(lane).unroll(vector).unroll(x)
    update = sums.update().reorder(byte, lane, vector, x)
    update.atomic().vectorize(byte).vectorize(lane).unroll(vector).unroll(x)
