"""The last layer of an integer network on x86: `ends_s16.last`'s sums with little more than half of the products.

Rows of five taps are taken by `filtering`, four pixels at a time: eleven products a tile. Four outputs x two pairs of input channels
are the eight lanes of `vpmaddwd`; a pixel's four channels, eight bytes side by side, are broadcast to them. What a tile of each of
eight rows needs for one of the eleven products is held in eight registers. Each of twelve rows of inputs is broadcast once for all of
the rows that it is a part of, and five weight vectors serve all of them: 17 loads for 40 products. (Two loads in a cycle seldom get what
they ask for: what bounds the simpler kernel is its 30 loads for 40 products.)
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import Definition, dense, features, o, widen, x, y
from engine.kernels.filtering import PRODUCTS, READS, TILE, halves_of, inputs_of

ROWS = 8
KERNEL = 5
OUTPUTS, PAIRS = 4, 2
"""Outputs of a register, and pairs of input channels that each of them adds up in lanes of its own."""
CHANNELS = 2 * PAIRS
LANES = 16

c, p, t, i, pair, group, row, block = (hl.Var(name) for name in ("c", "p", "t", "i", "pair", "group", "row", "block"))


def build(channels: int, scale: int) -> Definition:
    """Inputs and output as `ends_s16.last`'s, but the weights: s16 (2, PAIRS, OUTPUTS, C/4, s*s/4, 5, 11), of `filtering.taps_of`.

    The weights' dimensions: channel of its pair; pair; output; four channels; four outputs (rounded up); row and product. The picture's
    width is a multiple of four, its first row is row 0, and up to seven rows more than those beneath its last one are read.
    """
    outputs = scale * scale
    source = features("source", hl.Int(16), channels)
    weights = dense("weights", hl.Int(16), (2, PAIRS, OUTPUTS, channels // CHANNELS, -(-outputs // OUTPUTS), KERNEL, PRODUCTS))
    bias, multiplier = dense("bias", hl.Int(32), (outputs,)), dense("multiplier", hl.Float(32), (outputs,))
    plane = hl.ImageParam(hl.Float(32), 2, "plane")

    inputs = hl.Func("inputs")
    inputs[c, t, p, y] = hl.mux(p, inputs_of([source[c, TILE * t + at - 2, y] for at in range(READS)]))
    total, r = _sums(inputs, weights, channels)
    place = (t, row, group)
    products, halves, sums = hl.Func("products"), hl.Func("halves"), hl.Func("sums")
    products[pair, o, *place, p, block] = total[pair, o, *place, p, block]
    halves[pair, o, i, *place, block] = hl.mux(i, halves_of([products[pair, o, *place, at, block] for at in range(PRODUCTS)]))
    sums[o, i, *place, block] = halves[0, o, i, *place, block] + halves[1, o, i, *place, block]

    column, line = hl.Var("column"), hl.Var("line")
    output = column + scale * line
    exact = (sums[output % OUTPUTS, x % TILE, x // TILE, y % ROWS, output // OUTPUTS, y // ROWS] >> 1) + bias[output]
    residual = hl.strict_float(hl.cast(hl.Float(32), exact) * multiplier[output])
    picture = hl.Func("picture")
    picture[column, x, line, y] = hl.clamp(hl.strict_float(residual + plane[x, y]), 0.0, 1.0)
    picture.never_partition_all()
    _schedule_picture(picture, (column, line), scale)
    inputs.compute_at(picture, t).store_in(hl.MemoryType.Stack).bound(p, 0, PRODUCTS).bound_extent(y, ROWS + KERNEL - 1)
    inputs.reorder(c, p, t, y).vectorize(c, min(channels, LANES)).unroll(p)
    _schedule_sums(total, r, products, halves, sums, picture)
    return Definition(picture, (source, weights, bias, multiplier, plane), block, ROWS)


def _sums(inputs: hl.Func, weights: hl.ImageParam, channels: int) -> tuple[hl.Func, hl.RDom]:
    """The products' sums over rows and channels. Reduction: channel of its pair, row of a block, row of inputs, four channels."""
    r = hl.RDom([(0, 2), (0, ROWS), (0, ROWS + KERNEL - 1), (0, channels // CHANNELS)], "r")
    tap = r.z - r.y
    r.where((tap >= 0) & (tap < KERNEL))
    total = hl.Func("total")
    total[pair, o, t, row, group, p, block] = 0
    source = inputs[r.x + 2 * pair + CHANNELS * r.w, t, p, ROWS * block + r.z - 2]
    total[pair, o, t, r.y, group, p, block] += widen(source) * widen(weights[r.x, pair, o, r.w, group, hl.clamp(tap, 0, KERNEL - 1), p])
    return total, r


def _schedule_picture(picture: hl.Func, within: tuple[hl.Var, hl.Var], scale: int) -> None:
    """A tile of each of a block's rows at a time, along the rows: these are so many streams of memory, in order."""
    column, line = within
    xi = hl.Var("xi")
    picture.bound(column, 0, scale).bound(line, 0, scale)
    picture.split(y, block, row, ROWS, hl.TailStrategy.GuardWithIf).split(x, t, xi, TILE)
    picture.reorder(column, xi, line, row, t, block).unroll(column).unroll(xi).unroll(line)
    image = picture.output_buffer()
    image.dim(0).set_bounds(0, scale).set_stride(1)
    image.dim(1).set_stride(scale).set_min(0).set_extent(image.dim(1).extent() // TILE * TILE)
    image.dim(2).set_bounds(0, scale)
    image.dim(3).set_min(0)


def _schedule_sums(total: hl.Func, r: hl.RDom, products: hl.Func, halves: hl.Func, sums: hl.Func, picture: hl.Func) -> None:
    """One product's sums in registers, then all products' on the stack, then outputs."""
    for function in (products, sums):
        function.compute_at(picture, t).bound(o, 0, OUTPUTS).bound(row, 0, ROWS).store_in(hl.MemoryType.Stack)
    products.bound(p, 0, PRODUCTS).bound(pair, 0, PAIRS).reorder(pair, o, row, group, p, t)
    products.vectorize(pair).vectorize(o).unroll(row)
    total.compute_at(products, group).vectorize(pair).vectorize(o).unroll(row)
    update = total.update().reorder(r.x, pair, o, r.y, r.z, r.w, group, p, t)
    update.atomic().vectorize(r.x).vectorize(pair).vectorize(o).unroll(r.y).unroll(r.z)
    sums.bound(i, 0, TILE).reorder(o, i, row, group, t).vectorize(o).unroll(i)
    halves.compute_at(sums, row).bound(i, 0, TILE).bound(o, 0, OUTPUTS).bound(pair, 0, PAIRS)
    halves.reorder(pair, o, i, row, group, t).vectorize(pair).vectorize(o).unroll(i)
