"""`adder_u8` for processors without `vpsadbw`: each output has a lane of its own, and each lane takes one difference at a time.

ARM's `uabal` takes the absolute differences of eight bytes and adds them to eight 16-bit sums; `uabal2` does the same for the
upper half of a register. One input channel is broadcast to 16 outputs. Up to 28 channels the sums fit in 16 bits.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, dense, features, hold_in_registers, o, rescaled, widen, with_skip, x, y

PIXELS = 6
LANES = 16
U16_END = 2**16


def build(channels: int, skip: bool = False, prelu: bool = False) -> Definition:
    """Inputs: x (C, W, H) u8 padded by 1 with its zero point, weights u8 (C outputs, C inputs, 3, 3), table (C, 6); output u8.

    ``skip`` and ``prelu`` as in `adder_u8`.
    """
    source, early = features("source", hl.UInt(8), channels), features("early", hl.UInt(8), channels)
    weights = dense("weights", hl.UInt(8), (channels, channels, 3, 3))
    table, factors = dense("table", hl.Int(32), (channels, TABLE_ROWS)), dense("factors", hl.Int(32), (4,))
    r = hl.RDom([(0, channels), (0, 3), (0, 3)], "r")
    sums = hl.UInt(16) if 9 * 255 * channels < U16_END else hl.UInt(32)

    total = hl.Func("total")
    total[o, x, y] = hl.cast(sums, 0)
    total[o, x, y] += hl.cast(sums, hl.absd(source[r.x, x + r.y - 1, y + r.z - 1], weights[o, r.x, r.y, r.z]))

    layer = hl.Func("layer")
    codes = rescaled(widen(total[o, x, y]), widen(source[o, x, y]), table, prelu=prelu)
    layer[o, x, y] = with_skip(codes, early, factors) if skip else hl.cast(hl.UInt(8), codes)

    hold_in_registers(layer, total, (r.x, r.y, r.z), channels, PIXELS, min(LANES, channels))
    return Definition(layer, (source, early, weights, table, factors) if skip else (source, weights, table))
