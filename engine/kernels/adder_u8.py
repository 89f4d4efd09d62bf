"""A body layer of an adder network in 8 bits: 3x3 sums of absolute differences, rescaled to u8.

One `vpsadbw` takes 32 absolute differences of bytes and sums them by eights into four 64-bit lanes. So eight input channels
meet in a lane, and the four lanes are four outputs: a weight vector holds 4 outputs x 8 inputs, and a pixel's eight channels,
eight bytes side by side, are broadcast to all four lanes. Sums grow lane by lane and need no horizontal addition at all.
Two pixels x 16 outputs are eight accumulators, and with the four weight vectors that both pixels share, all stays in the 16
registers. The accumulators are uint64 because that is what the instruction yields.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, dense, features, hold_in_registers, o, rescaled, widen, with_skip, x, y

PIXELS = 2
LANES = 4
BYTES = 8


def build(channels: int, skip: bool = False) -> Definition:
    """Inputs: x (C, W, H) u8 padded by 1 with its zero point, weights u8 (8, C, C/8, 3, 3), the table (C, 5); output u8.

    With ``skip``, the last layer of the body: its second input is the first layer's output u8, its last one the long residual's four
    numbers, and its output their sum in s16.
    """
    source, early = features("source", hl.UInt(8), channels), features("early", hl.UInt(8), channels)
    groups = channels // BYTES
    weights = dense("weights", hl.UInt(8), (BYTES, channels, groups, 3, 3))
    table, factors = dense("table", hl.Int(32), (channels, TABLE_ROWS)), dense("factors", hl.Int(32), (4,))
    r = hl.RDom([(0, BYTES), (0, groups), (0, 3), (0, 3)], "r")

    difference = hl.absd(source[r.x + BYTES * r.y, x + r.z - 1, y + r.w - 1], weights[r.x, o, r.y, r.z, r.w])
    total = hl.Func("total")
    total[o, x, y] = hl.cast(hl.UInt(64), 0)
    total[o, x, y] += hl.cast(hl.UInt(64), difference)

    layer = hl.Func("layer")
    codes = rescaled(widen(total[o, x, y]), widen(source[o, x, y]), table)
    layer[o, x, y] = with_skip(codes, early, factors) if skip else hl.cast(hl.UInt(8), codes)

    update = hold_in_registers(layer, total, (r.x, r.y, r.z, r.w), channels, PIXELS, LANES, together=BYTES)
    if groups <= 2:
        update.unroll(r.y)
    return Definition(layer, (source, early, weights, table, factors) if skip else (source, weights, table))
