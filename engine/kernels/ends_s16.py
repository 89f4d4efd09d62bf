"""The two ends of an integer network, and what lies between them: luma to codes, first layer, last layer.

Both 5x5 convolutions are exact sums by `vpmaddwd` over 16-bit numbers. The first has one input channel, so its pairs are
neighbouring pixels of a row: five taps are three pairs, the sixth weight being 0. The last has few outputs, so its lanes are
input channels: one load is a pixel's sixteen, every output multiplies it by its own weights, and lanes are added up at the end.
"""

from __future__ import annotations

import halide as hl

from engine.integer import INPUT_MAX, INPUT_STEPS
from engine.kernels.define import (
    TABLE_ROWS,
    Definition,
    dense,
    features,
    hold_in_registers,
    o,
    rescaled,
    stored,
    widen,
    writes_picture,
    x,
    y,
)

PAIRS = 3
LANES, LANE_BYTES = 8, 4
PIXELS = {32: 4, 64: 12}
SUMS = 8


def luma() -> Definition:
    """Luma f32 (W, H) in [0, 1] as codes s16 (W, H): floor(1024 * Y + 1/2) - 512."""
    source = hl.ImageParam(hl.Float(32), 2, "luma")
    codes = hl.Func("codes")
    steps = hl.cast(hl.Int(32), hl.floor(hl.clamp(source[x, y], 0.0, 1.0) * float(INPUT_STEPS) + 0.5))
    codes[x, y] = hl.cast(hl.Int(16), steps - INPUT_MAX)
    codes.vectorize(x, LANES, hl.TailStrategy.ShiftInwards)
    return Definition(codes, (source,))


def first(channels: int, bits: int, register: int = 32) -> Definition:
    """Inputs: codes s16 (W, H) padded by 2 (3 on the right), weights s16 (2, C, 3, 5), the table (C, 6); output u8 or s16.

    ``register`` is how many bytes one has.
    """
    source = hl.ImageParam(hl.Int(16), 2, "source")
    weights = dense("weights", hl.Int(16), (2, channels, PAIRS, 5))
    table = dense("table", hl.Int(32), (channels, TABLE_ROWS))
    r = hl.RDom([(0, 2), (0, PAIRS), (0, 5)], "r")
    total = hl.Func("total")
    total[o, x, y] = 0
    total[o, x, y] += widen(source[x + r.x + 2 * r.y - 2, y + r.z - 2]) * widen(weights[r.x, o, r.y, r.z])
    layer = hl.Func("layer")
    layer[o, x, y] = stored(rescaled(total[o, x, y], None, table), hl.UInt(8) if bits == 8 else hl.Int(16), table)

    hold_in_registers(layer, total, (r.x, r.y, r.z), channels, PIXELS[register], register // LANE_BYTES, together=2).unroll(r.y)
    return Definition(layer, (source, weights, table))


def last(channels: int, scale: int) -> Definition:
    """Inputs: the sum s16 padded by 2, weights s16 (C, s*s, 5, 5), bias s32 (s*s), multiplier f32 (s*s), luma f32 (W, H).

    Output f32 (s, W, s, H): column in the block, pixel, row in the block, pixel row, which is the upscaled picture (s*W, s*H).
    """
    outputs, lanes = scale * scale, min(channels, 2 * LANES) // 2
    source = features("source", hl.Int(16), channels)
    weights = dense("weights", hl.Int(16), (channels, outputs, 5, 5))
    bias, multiplier = dense("bias", hl.Int(32), (outputs,)), dense("multiplier", hl.Float(32), (outputs,))
    plane = hl.ImageParam(hl.Float(32), 2, "plane")
    lane, column, row = hl.Var("lane"), hl.Var("column"), hl.Var("row")

    r = hl.RDom([(0, 2), (0, channels // (2 * lanes)), (0, 5), (0, 5)], "r")
    partial = hl.Func("partial")
    channel = r.x + 2 * (lane + lanes * r.y)
    partial[lane, o, x, y] = 0
    partial[lane, o, x, y] += widen(source[channel, x + r.z - 2, y + r.w - 2]) * widen(weights[channel, o, r.z, r.w])
    across = hl.RDom([(0, lanes)], "across")
    total = hl.Func("total")
    total[o, x, y] = bias[o]
    total[o, x, y] += partial[across.x, o, x, y]

    residual = hl.strict_float(hl.cast(hl.Float(32), total[column + scale * row, x, y]) * multiplier[column + scale * row])
    picture = hl.Func("picture")
    picture[column, x, row, y] = hl.clamp(hl.strict_float(residual + plane[x, y]), 0.0, 1.0)
    block = writes_picture(picture, (column, row), scale, SUMS)
    partial.compute_at(picture, block).vectorize(lane).unroll(o).unroll(x)
    update = partial.update().reorder(r.x, lane, x, o, r.y, r.z, r.w)
    update.atomic().vectorize(r.x).vectorize(lane).unroll(o).unroll(x).unroll(r.z)
    total.compute_at(picture, block).vectorize(o).unroll(x)
    total.update().reorder(across.x, o, x, y).atomic().vectorize(across.x).vectorize(o).unroll(x)
    return Definition(picture, (source, weights, bias, multiplier, plane))
