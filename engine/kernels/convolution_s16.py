"""A body layer of a convolution network in 8 bits: exact 3x3 sums of products by `vpmaddwd`, rescaled to codes.

`vpmaddwd` multiplies 16 pairs of 16-bit numbers and adds neighbours: two input channels meet in each of eight 32-bit lanes,
which are eight outputs. A pixel's two channels are broadcast to all lanes. (`vpmaddubsw` would take 32 products of bytes, but it
saturates its 16-bit sums, and an answer that is sometimes wrong is not an exact one.) Codes are kept as 16-bit numbers less
their zero point, so that no widening is needed and zero padding is 0.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, dense, features, hold_in_registers, o, rescaled, stored, widen, with_skip, x, y

PIXELS = {32: 4, 64: 12}
LANE_BYTES = 4


def build(channels: int, skip: bool = False, register: int = 32, prelu: bool = False) -> Definition:
    """Inputs: x (C, W, H) s16 padded by 1 with 0, weights s16 (2, C, C/2, 3, 3), the table (C, 6); output s16.

    ``skip`` as in `adder_u8`; ``register`` is how many bytes one has; with ``prelu`` that is the activation, else ReLU.
    """
    source, early = features("source", hl.Int(16), channels), features("early", hl.Int(16), channels)
    weights = dense("weights", hl.Int(16), (2, channels, channels // 2, 3, 3))
    table, factors = dense("table", hl.Int(32), (channels, TABLE_ROWS)), dense("factors", hl.Int(32), (4,))
    r = hl.RDom([(0, 2), (0, channels // 2), (0, 3), (0, 3)], "r")

    total = hl.Func("total")
    total[o, x, y] = 0
    total[o, x, y] += widen(source[r.x + 2 * r.y, x + r.z - 1, y + r.w - 1]) * widen(weights[r.x, o, r.y, r.z, r.w])

    layer = hl.Func("layer")
    codes = rescaled(total[o, x, y], widen(source[o, x, y]), table, prelu=prelu)
    layer[o, x, y] = with_skip(codes, early, factors) if skip else stored(codes, hl.Int(16), table)

    hold_in_registers(layer, total, (r.x, r.y, r.z, r.w), channels, PIXELS[register], register // LANE_BYTES, together=2)
    return Definition(layer, (source, early, weights, table, factors) if skip else (source, weights, table))
