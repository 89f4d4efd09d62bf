"""A body layer of an adder network in 8 bits: 3x3 sums of absolute differences, rescaled to u8.

One `vpsadbw` takes 32 absolute differences of bytes and sums them by eights into four 64-bit lanes. So eight input channels
meet in a lane, and the four lanes are four outputs: a weight vector holds 4 outputs x 8 inputs, and a pixel's eight channels,
eight bytes side by side, are broadcast to all four lanes. Sums grow lane by lane and need no horizontal addition at all.
Two pixels x 16 outputs are eight accumulators, and with the four weight vectors that both pixels share, all stays in the 16
registers. The accumulators are uint64 because that is what the instruction yields.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, channel_block, dense, features, o, rescaled, widen, writes_features, x, y

PIXELS = 2
LANES = 4
BYTES = 8


def build(channels: int) -> Definition:
    """Inputs: x (C, W, H) u8 padded by 1 with its zero point, weights u8 (8, C, C/8, 3, 3), the table (C, 5); output u8."""
    source = features("source", hl.UInt(8), channels)
    groups = channels // BYTES
    weights = dense("weights", hl.UInt(8), (BYTES, channels, groups, 3, 3))
    table = dense("table", hl.Int(32), (channels, TABLE_ROWS))
    r = hl.RDom([(0, BYTES), (0, groups), (0, 3), (0, 3)], "r")

    difference = hl.absd(source[r.x + BYTES * r.y, x + r.z - 1, y + r.w - 1], weights[r.x, o, r.y, r.z, r.w])
    total = hl.Func("total")
    total[o, x, y] = hl.cast(hl.UInt(64), 0)
    total[o, x, y] += hl.cast(hl.UInt(64), difference)

    layer = hl.Func("layer")
    layer[o, x, y] = hl.cast(hl.UInt(8), rescaled(widen(total[o, x, y]), widen(source[o, x, y]), table))

    _schedule(layer, total, r, channels)
    return Definition(layer, (source, weights, table))


def _schedule(layer: hl.Func, total: hl.Func, r: hl.RDom, channels: int) -> None:
    block = channel_block(channels)
    xo, xi, oo, oi, ob = (hl.Var(name) for name in ("xo", "xi", "oo", "oi", "ob"))
    layer.bound(o, 0, channels).split(x, xo, xi, PIXELS, hl.TailStrategy.ShiftInwards).split(o, ob, oi, block)
    layer.reorder(oi, xi, ob, xo, y).vectorize(oi).unroll(xi)
    writes_features(layer, channels)
    total.compute_at(layer, ob).split(o, oo, oi, LANES).vectorize(oi).unroll(oo).unroll(x)
    update = total.update().split(o, oo, oi, LANES).reorder(r.x, oi, x, oo, r.y, r.z, r.w)
    update.atomic().vectorize(r.x).vectorize(oi).unroll(oo).unroll(x)
    if channels <= 16:
        update.unroll(r.y)
