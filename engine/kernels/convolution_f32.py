"""A body layer of a convolution network in float: 3x3, bias, ReLU or PReLU.

Five pixels x 16 outputs are ten registers of sums. A tap of one input channel costs two weight vectors, loaded once for all five
pixels, and one broadcast a pixel: 7 loads for 10 multiply-adds, which keeps the multipliers busy where kernels for wide networks,
short of outputs to hold, wait for loads.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import Definition, activated, dense, features, hold_in_registers, o, x, y

PIXELS = 5
LANES = 8


def build(channels: int, skip: bool = False) -> Definition:
    """Inputs: x f32 (C, W, H) padded by 1, weights f32 (C outputs, C inputs, 3, 3), table f32 (C, 2): bias, slope; output f32.

    With ``skip``, the last layer of the body: its second input is the first layer's output f32 (C, W, H), which it adds to its own.
    """
    source, early = features("source", hl.Float(32), channels), features("early", hl.Float(32), channels)
    weights = dense("weights", hl.Float(32), (channels, channels, 3, 3))
    table = dense("table", hl.Float(32), (channels, 2))
    r = hl.RDom([(0, channels), (0, 3), (0, 3)], "r")

    total = hl.Func("total")
    total[o, x, y] = table[o, 0]
    total[o, x, y] += source[r.x, x + r.y - 1, y + r.z - 1] * weights[o, r.x, r.y, r.z]

    layer = hl.Func("layer")
    active = activated(total[o, x, y], table[o, 1])
    layer[o, x, y] = active + early[o, x, y] if skip else active

    hold_in_registers(layer, total, (r.x, r.y, r.z), channels, PIXELS, LANES)
    return Definition(layer, (source, early, weights, table) if skip else (source, weights, table))
