"""A body layer of an adder network in float: 3x3 sums of absolute differences, normalisation, residual, activation.

    sum |x - w| = 2 * sum max(x, w) - sum x - sum w

The last sum is a constant of the output and the second one is the same for all outputs, so what is left for every tap is
one maximum and one addition, where |x - w| itself takes three instructions. The addition is written as a multiplication by a
1 that the compiler cannot see through, which makes it a fused multiply-add: many processors (AMD's Zen among them) have maxima and
additions wait for the same two units, while the units that multiply and add stand idle.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import Definition, activated, dense, features, hold_in_registers, o, x, y

PIXELS = {32: 5, 64: 12}
LANES, LANE_BYTES = 8, 4
OF_MAXIMA, OF_INPUTS, CONSTANT, SLOPE = range(4)
"""Rows of the table: the factors of sum max(x, w) and of sum x, what is constant, and the activation's slope."""


def build(channels: int, register: int = 32) -> Definition:
    """Inputs: x f32 (C, W, H) padded by 1, weights f32 (C outputs, C inputs, 3, 3), table f32 (C, 4), one f32 (1): 1.

    Output f32 (C, W, H). ``register`` is how many bytes one has.
    """
    source = features("source", hl.Float(32), channels)
    weights = dense("weights", hl.Float(32), (channels, channels, 3, 3))
    table = dense("table", hl.Float(32), (channels, 4))
    one = dense("one", hl.Float(32), (1,))

    r = hl.RDom([(0, channels), (0, 3), (0, 3)], "r")
    maxima = hl.Func("maxima")
    maxima[o, x, y] = 0.0
    maxima[o, x, y] += hl.max(source[r.x, x + r.y - 1, y + r.z - 1], weights[o, r.x, r.y, r.z]) * one[0]

    columns, inputs = _sums_of_inputs(source, channels)
    layer = hl.Func("layer")
    total = maxima[o, x, y] * table[o, OF_MAXIMA] + inputs[x, y] * table[o, OF_INPUTS] + table[o, CONSTANT]
    layer[o, x, y] = activated(total + source[o, x, y], table[o, SLOPE])

    hold_in_registers(layer, maxima, (r.x, r.y, r.z), channels, PIXELS[register], register // LANE_BYTES).unroll(r.y)
    for function in (columns, inputs):
        function.compute_at(layer, hl.Var("xo")).unroll(x)
        function.update().unroll(x)
    return Definition(layer, (source, weights, table, one))


def _sums_of_inputs(source: hl.ImageParam, channels: int) -> tuple[hl.Func, hl.Func]:
    """The sums over three rows and all channels of each column, in lanes of eight channels, and of a pixel's window: of three columns."""
    lane = hl.Var("lane")
    r = hl.RDom([(0, channels // LANES), (0, 3)], "box")
    columns = hl.Func("columns")
    columns[lane, x, y] = 0.0
    columns[lane, x, y] += source[lane + LANES * r.x, x, y + r.y - 1]
    across = hl.RDom([(0, LANES)], "across")
    inputs = hl.Func("inputs")
    inputs[x, y] = 0.0
    inputs[x, y] += columns[across.x, x - 1, y] + columns[across.x, x, y] + columns[across.x, x + 1, y]
    inputs.update().atomic().vectorize(across.x)
    columns.bound(lane, 0, LANES).vectorize(lane)
    columns.update().reorder(lane, x, r.x, r.y).vectorize(lane)
    return columns, inputs
