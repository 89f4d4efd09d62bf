"""The last layer of a float network, the long residual included: `ends_f32.last`'s sums with two fifths of the multiplications.

Rows of five taps are taken by `winograd`, four pixels at a time: eight products a tile instead of twenty. See `last`.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import Definition, dense, features, o, x, y
from engine.kernels.last import (
    KERNEL,
    OUTPUTS,
    PAIRS,
    ROWS,
    Tiles,
    block,
    c,
    group,
    p,
    pair,
    row,
    schedule_inputs,
    schedule_picture,
    t,
)
from engine.kernels.winograd import FIVE, TILE

LANE_BYTES = 4
PRODUCTS = FIVE.products


def build(channels: int, scale: int, register: int = 32) -> Definition:
    """Inputs and output as `ends_f32.last`'s, but the weights: f32 (P, OUTPUTS, C/P, s*s/4, 5, 8), of `winograd.FIVE`.

    P is `PAIRS` of ``register``. The weights' dimensions: channel of its P; output; P channels; four outputs (rounded up); row and
    product. The picture as `last_s16`'s.
    """
    outputs, pairs = scale * scale, PAIRS[register]
    source, early = features("source", hl.Float(32), channels), features("early", hl.Float(32), channels)
    weights = dense("weights", hl.Float(32), (pairs, OUTPUTS, channels // pairs, -(-outputs // OUTPUTS), KERNEL, PRODUCTS))
    bias, plane = dense("bias", hl.Float(32), (outputs,)), hl.ImageParam(hl.Float(32), 2, "plane")

    inputs = hl.Func("inputs")
    places = [(c, TILE * t + at - 2, y) for at in range(PRODUCTS)]
    inputs[c, t, p, y] = hl.mux(p, FIVE.of_inputs([source[place] + early[place] for place in places]))
    r = hl.RDom([(0, ROWS), (0, KERNEL), (0, channels // pairs)], "r")
    total = hl.Func("total")
    total[pair, o, t, row, group, p, block] = 0.0
    source_of_tap = inputs[pair + pairs * r.z, t, p, ROWS * block + r.x + r.y - 2]
    total[pair, o, t, r.x, group, p, block] += source_of_tap * weights[pair, o, r.z, group, r.y, p]
    tiles = Tiles.of(total, PRODUCTS, FIVE.of_products, pairs)

    column, line = hl.Var("column"), hl.Var("line")
    output = column + scale * line
    picture = hl.Func("picture")
    picture[column, x, line, y] = hl.clamp(tiles.output(output) + bias[output] + plane[x, y], 0.0, 1.0)
    schedule_picture(picture, (column, line), scale)
    schedule_inputs(inputs, picture, PRODUCTS, min(channels, register // LANE_BYTES))
    tiles.schedule(picture, (r.x, r.y, r.z), None)
    return Definition(picture, (source, early, weights, bias, plane), block, ROWS)
