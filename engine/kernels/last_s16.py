"""The last layer of an integer network on x86: `ends_s16.last`'s sums with little more than half of the products.

Rows of five taps are taken by `filtering`, four pixels at a time: eleven products a tile, eight lanes of `vpmaddwd`. See `last`.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import Definition, dense, features, o, widen, x, y
from engine.kernels.filtering import PRODUCTS, READS, TILE, halves_of, inputs_of
from engine.kernels.last import KERNEL, OUTPUTS, PAIRS, ROWS, Tiles, block, c, group, p, pair, schedule_inputs, schedule_picture, t
from engine.kernels.last import READS as ROWS_READ

LANE_BYTES = 2


def build(channels: int, scale: int, register: int = 32) -> Definition:
    """Inputs and output as `ends_s16.last`'s, but the weights: s16 (2, P, OUTPUTS, C/2P, s*s/4, 5, 11), of `filtering.taps_of`.

    P is `PAIRS` of ``register``. The weights' dimensions: channel of its pair; pair; output; P pairs; four outputs (rounded up); row and
    product. The picture's width is a multiple of four, its first row is row 0, and up to seven rows more than those beneath its last one
    are read.
    """
    outputs, pairs = scale * scale, PAIRS[register]
    source = features("source", hl.Int(16), channels)
    weights = dense("weights", hl.Int(16), (2, pairs, OUTPUTS, channels // (2 * pairs), -(-outputs // OUTPUTS), KERNEL, PRODUCTS))
    bias, multiplier = dense("bias", hl.Int(32), (outputs,)), dense("multiplier", hl.Float(32), (outputs,))
    plane = hl.ImageParam(hl.Float(32), 2, "plane")

    inputs = hl.Func("inputs")
    inputs[c, t, p, y] = hl.mux(p, inputs_of([source[c, TILE * t + at - 2, y] for at in range(READS)]))
    total, r = _sums(inputs, weights, channels, pairs)
    tiles = Tiles.of(total, PRODUCTS, halves_of, pairs)

    column, line = hl.Var("column"), hl.Var("line")
    output = column + scale * line
    residual = hl.strict_float(hl.cast(hl.Float(32), (tiles.output(output) >> 1) + bias[output]) * multiplier[output])
    picture = hl.Func("picture")
    picture[column, x, line, y] = hl.clamp(hl.strict_float(residual + plane[x, y]), 0.0, 1.0)
    schedule_picture(picture, (column, line), scale)
    schedule_inputs(inputs, picture, PRODUCTS, min(channels, register // LANE_BYTES))
    tiles.schedule(picture, (r.y, r.z, r.w), r.x)
    return Definition(picture, (source, weights, bias, multiplier, plane), block, ROWS)


def _sums(inputs: hl.Func, weights: hl.ImageParam, channels: int, pairs: int) -> tuple[hl.Func, hl.RDom]:
    """The products' sums over rows and channels. Reduction: channel of its pair, row of a block, row of inputs, channels of all pairs."""
    r = hl.RDom([(0, 2), (0, ROWS), (0, ROWS_READ), (0, channels // (2 * pairs))], "r")
    tap = r.z - r.y
    r.where((tap >= 0) & (tap < KERNEL))
    row = hl.Var("row")
    total = hl.Func("total")
    total[pair, o, t, row, group, p, block] = 0
    source = inputs[r.x + 2 * pair + 2 * pairs * r.w, t, p, ROWS * block + r.z - 2]
    total[pair, o, t, r.y, group, p, block] += widen(source) * widen(weights[r.x, pair, o, r.w, group, hl.clamp(tap, 0, KERNEL - 1), p])
    return total, r
