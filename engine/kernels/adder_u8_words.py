"""`adder_u8` for 16 channels on Intel's processors: results are added as 16-bit words, with an addition that saturates.

Intel's cores have one unit for `vpsadbw`, and plain additions may be given to that very unit, where they get in its way: with registers
of 64 bytes, which leave only two units, `vpsadbw` and `vpaddq` together reach some two thirds of what `vpsadbw` does alone. Additions that
saturate never run there: 82 to 97 %. They are of words at most, in which the largest sum, 9 x 16 x 255, has room; nothing ever saturates.
"""

from __future__ import annotations

import halide as hl

from engine.kernels.define import TABLE_ROWS, Definition, block_of_pixels, dense, features, o, rescaled, widen, with_skip, x, y

CHANNELS = 16
PIXELS = {32: 2, 64: 8}
BYTES, WORDS = 8, 4
GROUPS = CHANNELS // BYTES

lane, vector, word, group, column, row = (hl.Var(name) for name in ("lane", "vector", "word", "group", "column", "row"))


def build(skip: bool = False, register: int = 32, prelu: bool = False) -> Definition:
    """Inputs: x (16, W, H) u8 padded by 1 with its zero point, weights u8 (8, L, 16/L, 2, 3, 3), the table (16, 6); output u8.

    L is the number of 64-bit lanes of a ``register`` of so many bytes. The weights' dimensions: input of its group; lane and vector of an
    output; group of inputs; kernel column and row. Even and odd outputs alternate between two vectors, so that both together, one shifted
    by half a lane, are the outputs in their order. ``skip`` and ``prelu`` as in `adder_u8`.
    """
    lanes = register // BYTES
    source, early = features("source", hl.UInt(8), CHANNELS), features("early", hl.UInt(8), CHANNELS)
    weights = dense("weights", hl.UInt(8), (BYTES, lanes, CHANNELS // lanes, GROUPS, 3, 3))
    table, factors = dense("table", hl.Int(32), (CHANNELS, TABLE_ROWS)), dense("factors", hl.Int(32), (4,))

    byte, r = hl.RDom([(0, BYTES)], "byte"), hl.RDom([(0, GROUPS), (0, 3), (0, 3)], "r")
    window = (x, y, group, column, row)
    difference = hl.absd(source[byte.x + BYTES * group, x + column - 1, y + row - 1], weights[byte.x, lane, vector, group, column, row])
    sums, parts, words, both, total = (hl.Func(name) for name in ("sums", "parts", "words", "both", "total"))
    sums[lane, vector, *window] = hl.cast(hl.UInt(64), 0)
    sums[lane, vector, *window] += hl.cast(hl.UInt(64), difference)
    parts[word, vector, *window] = hl.extract_bits(hl.UInt(16), sums[word // WORDS, vector, *window], 16 * (word % WORDS))
    words[word, vector, x, y] = hl.cast(hl.UInt(16), 0)
    words[word, vector, x, y] = hl.saturating_add(words[word, vector, x, y], parts[word, vector, x, y, r.x, r.y, r.z])
    low, high = (hl.cast(hl.UInt(64), words[WORDS * lane, 2 * vector + at, x, y]) for at in range(2))
    both[lane, vector, x, y] = low | (high << 32)
    total[o, x, y] = hl.extract_bits(hl.UInt(32), both[o // 2 % lanes, o // (2 * lanes), x, y], 32 * (o % 2))

    layer, codes = hl.Func("layer"), hl.Func("codes")
    codes[o, x, y] = rescaled(widen(total[o, x, y]), widen(source[o, x, y]), table, prelu=prelu)
    layer[o, x, y] = with_skip(codes[o, x, y], early, factors) if skip else hl.cast(hl.UInt(8), codes[o, x, y])
    block = block_of_pixels(layer, CHANNELS, PIXELS[register])
    codes.compute_at(block).vectorize(o).unroll(x)  # or Halide would narrow them by shuffles, which run on the unit of `vpsadbw` too
    words.compute_at(block).bound(word, 0, WORDS * lanes).bound(vector, 0, CHANNELS // lanes).vectorize(word).unroll(vector).unroll(x)
    words.update().reorder(word, vector, x, r.x, r.y, r.z).vectorize(word).unroll(vector).unroll(x).unroll(r.x)
    parts.compute_at(words, r.x).bound(word, 0, WORDS * lanes).bound(vector, 0, CHANNELS // lanes).vectorize(word).unroll(vector).unroll(x)
    total.compute_at(block).vectorize(o, 2 * lanes).unroll(o).unroll(x)
    both.compute_at(block).bound(lane, 0, lanes).vectorize(lane).unroll(vector).unroll(x)
    _schedule_sums(sums, words, lanes, byte.x, r.x)
    return Definition(layer, (source, early, weights, table, factors) if skip else (source, weights, table))


def _schedule_sums(sums: hl.Func, words: hl.Func, lanes: int, byte: hl.RVar, turn: hl.RVar) -> None:
    """The differences' sums by eights, at each turn of the reduction."""
    sums.compute_at(words, turn).bound(lane, 0, lanes).bound(vector, 0, CHANNELS // lanes).vectorize(lane).unroll(vector).unroll(x)
    update = sums.update().reorder(byte, lane, vector, x)
    update.atomic().vectorize(byte).vectorize(lane).unroll(vector).unroll(x)
