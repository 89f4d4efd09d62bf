"""`convolution_s16` for processors that add up products of bytes (AVX-512, VNNI): codes stay bytes, and `vpdpbusd` takes four taps a sum.

It multiplies unsigned bytes by signed ones, adds four products to a 32-bit sum and saturates nowhere: 32 or 64 taps an instruction, and
nothing to add afterwards. Codes are kept with their zero point, padding included; each sum begins at what that adds, with its sign changed.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, dense, features, hold_in_registers, o, rescaled, widen, with_skip, x, y

PIXELS = {32: 4, 64: 12}
BYTES = LANE_BYTES = 4


def build(channels: int, skip: bool = False, register: int = 32, prelu: bool = False) -> Definition:
    """Inputs: x (C, W, H) u8 padded by 1 with its zero point, weights s8 (4, C, C/4, 3, 3), starts s32 (C), the table (C, 6); output u8.

    The weights' dimensions: input of its four; output; four inputs; kernel column and row. ``skip`` as in `adder_u8`; ``register`` is how
    many bytes one has; with ``prelu`` that is the activation, else ReLU.
    """
    source, early = features("source", hl.UInt(8), channels), features("early", hl.UInt(8), channels)
    weights = dense("weights", hl.Int(8), (BYTES, channels, channels // BYTES, 3, 3))
    starts, table = dense("starts", hl.Int(32), (channels,)), dense("table", hl.Int(32), (channels, TABLE_ROWS))
    factors = dense("factors", hl.Int(32), (4,))
    r = hl.RDom([(0, BYTES), (0, channels // BYTES), (0, 3), (0, 3)], "r")

    total = hl.Func("total")
    total[o, x, y] = starts[o]
    byte, weight = source[r.x + BYTES * r.y, x + r.z - 1, y + r.w - 1], weights[r.x, o, r.y, r.z, r.w]
    total[o, x, y] += widen(hl.cast(hl.Int(16), byte) * hl.cast(hl.Int(16), weight))  # written as the instruction computes it

    layer = hl.Func("layer")
    codes = rescaled(total[o, x, y], widen(source[o, x, y]), table, prelu=prelu)
    layer[o, x, y] = with_skip(codes, early, factors) if skip else hl.cast(hl.UInt(8), codes)

    hold_in_registers(layer, total, (r.x, r.y, r.z, r.w), channels, PIXELS[register], register // LANE_BYTES, together=BYTES)
    return Definition(layer, (source, early, weights, starts, table, factors) if skip else (source, weights, starts, table))
