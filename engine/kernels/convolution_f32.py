"""A body layer of a convolution network in float: 3x3, bias, ReLU or PReLU, with half of the multiplications.

Rows of three taps are taken by `winograd`, four pixels at a time: six products a tile, which are summed over rows and channels before
they become outputs. For one of the six, the sums of five tiles x 16 outputs are ten registers. A tap of one input channel costs
two weight vectors, loaded once for all five tiles, and one broadcast a tile: 7 loads for 10 multiply-adds, which keeps the multipliers
busy where kernels for wide networks, short of outputs to hold, wait for loads. A block of tiles runs down a strip, so that each row of
inputs is transformed once for the three rows of outputs that need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import halide as hl

from engine.kernels.define import Definition, activated, channel_block, dense, features, o, writes_features, x, y
from engine.kernels.winograd import THREE, TILE

if TYPE_CHECKING:
    from collections.abc import Sequence

TILES = {32: 5, 64: 10}
LANE_BYTES = 4
PRODUCTS = THREE.products
ROWS = 32
ROWS_KEPT = 4
STACK_BYTES = 2**14
"""Halide puts no more than this on the stack. Where many channels' tiles do not fit, fewer are taken at a time."""

c, p, t = hl.Var("c"), hl.Var("p"), hl.Var("t")


def build(channels: int, register: int = 32) -> Definition:
    """Inputs: x f32 (C, W, H) padded by 1, weights f32 (C outputs, C inputs, 3, 6), table f32 (C, 2): bias, slope; output f32.

    W is a multiple of four; ``register`` is how many bytes one has; weights are what `winograd.THREE` makes of rows of taps.
    """
    source = features("source", hl.Float(32), channels)
    weights = dense("weights", hl.Float(32), (channels, channels, 3, PRODUCTS))
    table = dense("table", hl.Float(32), (channels, 2))

    inputs = hl.Func("inputs")
    inputs[c, t, p, y] = hl.mux(p, THREE.of_inputs([source[c, TILE * t + i - 1, y] for i in range(PRODUCTS)]))
    r = hl.RDom([(0, channels), (0, 3)], "r")
    total, products = hl.Func("total"), hl.Func("products")
    total[o, t, p, y] = 0.0
    total[o, t, p, y] += inputs[r.x, t, p, y + r.y - 1] * weights[o, r.x, r.y, p]
    products[o, t, p, y] = total[o, t, p, y]

    layer = hl.Func("layer")
    outputs = THREE.of_products([products[o, x // TILE, i, y] for i in range(PRODUCTS)])
    layer[o, x, y] = activated(hl.mux(x % TILE, outputs) + table[o, 0], table[o, 1])

    layer.never_partition_all()  # a row's last block is no faster for code of its own, and that code takes time to compile
    turns = _schedule(layer, inputs, products, total, (r.x, r.y), channels, register)
    return Definition(layer, (source, weights, table), turns, ROWS)


def _schedule(
    layer: hl.Func, inputs: hl.Func, products: hl.Func, total: hl.Func, r: Sequence[hl.RVar], channels: int, register: int
) -> hl.Var:
    """Blocks of tiles down `ROWS` rows; returns the loop over these rows."""
    xi, to, ti, oo, oi, ob, yo, yi = (hl.Var(name) for name in ("xi", "to", "ti", "oo", "oi", "ob", "yo", "yi"))
    lanes = register // LANE_BYTES
    together = 2 * lanes if channels % (2 * lanes) == 0 else channel_block(channels)
    writes_features(layer, channels)
    width = layer.output_buffer().dim(1)
    width.set_min(0).set_extent(width.extent() // TILE * TILE)
    layer.bound(o, 0, channels).split(o, ob, oi, together).split(y, yo, yi, ROWS, hl.TailStrategy.GuardWithIf)
    tiles = min(TILES[register], STACK_BYTES // (4 * ROWS_KEPT * PRODUCTS * channels))
    layer.split(x, t, xi, TILE).split(t, to, ti, tiles, hl.TailStrategy.ShiftInwards)
    layer.reorder(oi, xi, ti, ob, yi, to, yo).vectorize(oi, lanes).unroll(xi)

    inputs.store_at(layer, to).compute_at(layer, yi).store_in(hl.MemoryType.Stack)
    inputs.bound(p, 0, PRODUCTS).bound_extent(t, tiles).reorder(p, c, t, y).vectorize(c, lanes).unroll(p)
    products.compute_at(layer, ob).bound(p, 0, PRODUCTS).bound_extent(t, tiles)
    products.reorder(o, t, p).vectorize(o, lanes).unroll(o).unroll(t)
    total.compute_at(products, p).split(o, oo, oi, lanes).vectorize(oi).unroll(oo).unroll(t)
    update = total.update().split(o, oo, oi, lanes)
    update.reorder(oi, oo, t, *r).vectorize(oi).unroll(oo).unroll(t)
    return yo
