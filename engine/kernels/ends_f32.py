"""The two ends of a float network: luma, first layer, last layer."""

from __future__ import annotations

import halide as hl

from engine.kernels.define import Definition, dense, features, hold_in_registers, o, writes_picture, x, y

LANES, LANE_BYTES = 8, 4
PIXELS = {32: 5, 64: 12}
SUMS = 12


def luma() -> Definition:
    """Luma f32 (W, H) less a half."""
    source = hl.ImageParam(hl.Float(32), 2, "luma")
    centred = hl.Func("centred")
    centred[x, y] = source[x, y] - 0.5
    centred.vectorize(x, LANES, hl.TailStrategy.ShiftInwards)
    return Definition(centred, (source,))


def first(channels: int, register: int = 32) -> Definition:
    """Inputs: x f32 (W, H) padded by 2, weights f32 (C, 5, 5), bias f32 (C); output f32 (C, W, H).

    ``register`` is how many bytes one has.
    """
    source = hl.ImageParam(hl.Float(32), 2, "source")
    weights = dense("weights", hl.Float(32), (channels, 5, 5))
    bias = dense("bias", hl.Float(32), (channels,))
    r = hl.RDom([(0, 5), (0, 5)], "r")
    total = hl.Func("total")
    total[o, x, y] = bias[o]
    total[o, x, y] += source[x + r.x - 2, y + r.y - 2] * weights[o, r.x, r.y]
    layer = hl.Func("layer")
    layer[o, x, y] = total[o, x, y]
    hold_in_registers(layer, total, (r.x, r.y), channels, PIXELS[register], register // LANE_BYTES)
    return Definition(layer, (source, weights, bias))


def last(channels: int, scale: int) -> Definition:
    """The long residual and the last layer.

    Inputs: two maps f32 (C, W, H) padded by 2, whose sum is the convolution's input, weights f32 (C, s*s, 5, 5), bias f32 (s*s), luma f32
    (W, H). Output as `ends_s16.last`.

    Outputs are few, so the lanes are input channels: eight sums an output, added up at the end.
    """
    outputs = scale * scale
    source, early = features("source", hl.Float(32), channels), features("early", hl.Float(32), channels)
    weights = dense("weights", hl.Float(32), (channels, outputs, 5, 5))
    bias = dense("bias", hl.Float(32), (outputs,))
    plane = hl.ImageParam(hl.Float(32), 2, "plane")
    lane, column, row = hl.Var("lane"), hl.Var("column"), hl.Var("row")

    r = hl.RDom([(0, channels // LANES), (0, 5), (0, 5)], "r")
    channel = lane + LANES * r.x
    partial = hl.Func("partial")
    partial[lane, o, x, y] = 0.0
    place = (channel, x + r.y - 2, y + r.z - 2)
    partial[lane, o, x, y] += (source[place] + early[place]) * weights[channel, o, r.y, r.z]
    across = hl.RDom([(0, LANES)], "across")
    total = hl.Func("total")
    total[o, x, y] = bias[o]
    total[o, x, y] += partial[across.x, o, x, y]

    picture = hl.Func("picture")
    picture[column, x, row, y] = hl.clamp(total[column + scale * row, x, y] + plane[x, y], 0.0, 1.0)
    block = writes_picture(picture, (column, row), scale, SUMS)
    partial.compute_at(picture, block).vectorize(lane).unroll(o).unroll(x)
    partial.update().reorder(lane, x, o, r.x, r.y, r.z).vectorize(lane).unroll(o).unroll(x)
    total.compute_at(picture, block).vectorize(o).unroll(x)
    total.update().reorder(across.x, o, x, y).atomic().vectorize(across.x).vectorize(o).unroll(x)
    return Definition(picture, (source, early, weights, bias, plane))
