"""What the last layers that filter rows of five taps have in common: `last_s16` in whole numbers and `last_f32`.

A tile is four pixels of a row and takes a certain number of products. Four outputs x two sums over input channels are the eight lanes of a
register (with AVX-512 four sums, sixteen lanes); a pixel's next channels, eight bytes side by side (or sixteen), are broadcast to them.
What a tile of each of eight rows needs for one of the products is held in eight registers. Each of twelve rows of inputs is broadcast once
for all of the rows that it is a part of, and five weight vectors serve all of them: 17 loads for 40 products. (Two loads in a cycle seldom
get what they ask for: what bounds the simpler kernels is their 30 loads for 40 products.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import halide as hl

from engine.kernels.define import o, x, y
from engine.kernels.winograd import TILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROWS = 8
KERNEL = 5
READS = ROWS + KERNEL - 1
"""Rows of inputs that a block of `ROWS` needs."""
OUTPUTS = 4
"""Outputs of a register."""
PAIRS = {32: 2, 64: 4}
"""Sums over input channels that each of them has in lanes of its own, by the bytes of a register."""


c, p, t, i, pair, group, row, block = (hl.Var(name) for name in ("c", "p", "t", "i", "pair", "group", "row", "block"))


@dataclass(frozen=True)
class Tiles:
    """The way from the products' sums to a tile's outputs.

    ``total`` is each product's sum (pair, o, t, row, group, p, block); ``held`` the same in memory; ``pixels`` what ``filtered`` makes of a
    tile's products; ``sums`` (o, i, t, row, group, block) these with all of `PAIRS` added up.
    """

    total: hl.Func
    held: hl.Func
    pixels: hl.Func
    added: hl.Func
    of_pair: hl.RVar
    sums: hl.Func
    products: int
    pairs: int

    @staticmethod
    def of(total: hl.Func, products: int, filtered: Callable[[Sequence[hl.Expr]], list[hl.Expr]], pairs: int) -> Tiles:
        """The functions behind ``total``."""
        place = (t, row, group)
        held, pixels, added, sums = hl.Func("held"), hl.Func("pixels"), hl.Func("added"), hl.Func("sums")
        held[pair, o, *place, p, block] = total[pair, o, *place, p, block]
        pixels[pair, o, i, *place, block] = hl.mux(i, filtered([held[pair, o, *place, at, block] for at in range(products)]))
        of_pair = hl.RDom([(0, pairs)], "of_pair")
        added[o, i, *place, block] = hl.cast(total.type(), 0)
        added[o, i, *place, block] += pixels[of_pair.x, o, i, *place, block]
        sums[o, i, *place, block] = added[o, i, *place, block]
        return Tiles(total, held, pixels, added, of_pair.x, sums, products, pairs)

    def output(self, output: hl.Expr) -> hl.Expr:
        """The sums of ``output`` at pixel x, y."""
        return self.sums[output % OUTPUTS, x % TILE, x // TILE, y % ROWS, output // OUTPUTS, y // ROWS]

    def schedule(self, picture: hl.Func, r: Sequence[hl.RVar], pairwise: hl.RVar | None) -> None:
        """One product's sums in registers, then all products' on the stack, then outputs.

        ``r``: the reduction over rows of the block, rows of inputs, and channels; ``pairwise``: over what an instruction adds up by itself.
        """
        for function in (self.held, self.sums):
            function.compute_at(picture, t).bound(o, 0, OUTPUTS).bound(row, 0, ROWS).store_in(hl.MemoryType.Stack)
        self.held.bound(p, 0, self.products).bound(pair, 0, self.pairs).reorder(pair, o, row, group, p, t)
        self.held.vectorize(pair).vectorize(o).unroll(row)
        self.total.compute_at(self.held, group).vectorize(pair).vectorize(o).unroll(row)
        update = self.total.update()
        if pairwise is not None:
            update.reorder(pairwise, pair, o, *r, group, p, t).atomic().vectorize(pairwise)
        else:
            update.reorder(pair, o, *r, group, p, t)
        update.vectorize(pair).vectorize(o).unroll(r[0]).unroll(r[1])
        self.sums.bound(i, 0, TILE).reorder(o, i, row, group, t).vectorize(o).unroll(i)
        self.added.compute_at(self.sums, row).bound(i, 0, TILE).bound(o, 0, OUTPUTS).reorder(o, i, row, group, t).vectorize(o).unroll(i)
        self.added.update().reorder(self.of_pair, o, i, row, group, t).atomic().vectorize(self.of_pair).vectorize(o).unroll(i)
        self.pixels.compute_at(self.sums, row).bound(i, 0, TILE).bound(o, 0, OUTPUTS).bound(pair, 0, self.pairs)
        self.pixels.reorder(pair, o, i, row, group, t).vectorize(pair).vectorize(o).unroll(i)


def schedule_picture(picture: hl.Func, within: tuple[hl.Var, hl.Var], scale: int) -> None:
    """A tile of each of a block's rows at a time, along the rows: these are so many streams of memory, in order."""
    column, line = within
    xi = hl.Var("xi")
    picture.never_partition_all()
    picture.bound(column, 0, scale).bound(line, 0, scale)
    picture.split(y, block, row, ROWS, hl.TailStrategy.GuardWithIf).split(x, t, xi, TILE)
    picture.reorder(column, xi, line, row, t, block).unroll(column).unroll(xi).unroll(line)
    image = picture.output_buffer()
    image.dim(0).set_bounds(0, scale).set_stride(1)
    image.dim(1).set_stride(scale).set_min(0).set_extent(image.dim(1).extent() // TILE * TILE)
    image.dim(2).set_bounds(0, scale)
    image.dim(3).set_min(0)


def schedule_inputs(inputs: hl.Func, picture: hl.Func, products: int, lanes: int) -> None:
    """What a tile of each row becomes before the products, on the stack."""
    inputs.compute_at(picture, t).store_in(hl.MemoryType.Stack).bound(p, 0, products).bound_extent(y, READS)
    inputs.reorder(p, c, t, y).vectorize(c, lanes).unroll(p)
