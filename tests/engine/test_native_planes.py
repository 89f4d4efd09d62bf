"""The kernels in machine code, with `vdbpsadbw`: whole networks bit for bit as the reference, at the edges of what they take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("halide")

from engine import reference_integer
from engine.backends import native_planes, native_strips
from engine.backends.native import NativeBackend
from engine.integer import SLOPE_MAX, IntegerLayer, Rescale, parse
from engine.kernels import planes_adder
from engine.kernels.assembler import Assembler, Memory
from engine.kernels.compile import Kernels
from engine.network import NetworkSpec
from tests.networks import quantised, with_largest_sums

ASSEMBLED = {"planes_first.build", "planes_adder.build", "planes_last.build"}
taken = pytest.mark.skipif(not Kernels().fours, reason="for Intel's processors with AVX-512 and VNNI")


def adder(m, rng, scale=2, activation="relu"):
    return quantised(NetworkSpec(scale, m, 16, "adder", activation), rng)


def check(model, sizes, rng, threads=1, kernels=None):
    """Compare whole pictures; returns the kernels that were used."""
    kernels = kernels or Kernels()
    backend = NativeBackend(model, "int8", threads, kernels=kernels)
    for height, width in sizes:
        y = rng.uniform(0, 1, (height, width)).astype(np.float32)
        expected = reference_integer.run(parse(model.spec, model.int8, model.id), y)
        np.testing.assert_array_equal(backend.run(y), expected, err_msg=f"{height}x{width}")
        if height * width > 100:
            assert np.abs(expected - np.kron(y, np.ones((model.spec.scale,) * 2))).mean() > 0.003
    return {shape.build for shape in kernels.ready()}


AS_BYTES = (
    "62 83 6d 40 42 df 94",
    "62 b1 55 48 dd eb",
    "62 62 7d 48 58 89 00 03 00 00",
    "62 c2 55 50 52 a5 2c 00 00 00",
    "62 a1 fe 48 6f 8c 70 ff ff ff ff",
    "62 61 fe 48 7f a4 24 40 00 00 00",
    "62 72 7e 48 33 a3 00 00 00 00",
    "62 91 35 48 71 f1 08",
    "62 c2 7d 48 79 90 20 02 00 00",
    "62 a2 55 48 0b d2",
    "62 b1 55 48 ee ea",
    "62 31 15 48 ed eb",
    "62 93 15 40 25 df f8",
    "4c 8b a7 18 00 00 00",
    "49 03 f6",
    "48 81 c3 00 10 00 00",
    "42 0f 18 8c b0 80 00 00 00",
)


@taken
@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_any_size_is_exact(m, activation, rng):
    model = adder(m, rng, activation=activation)
    assert check(model, [(1, 1), (1, 64), (3, 63), (40, 65), (70, 17), (33, 200)], rng, threads=2) >= ASSEMBLED


@taken
@pytest.mark.parametrize("m", [1, 2])
def test_the_steepest_slopes_are_exact(m, rng):
    """Of both signs, with a zero point in the middle, and factors that send results past 16 bits."""
    model = adder(m, rng, activation="prelu")
    slopes = np.where(np.arange(16) % 2, SLOPE_MAX, -SLOPE_MAX).astype(np.int16)
    last = f"body.{m - 1}"
    changed = {f"{last}.slope": slopes, "body.0.zero": np.array([120], np.uint8), "body.0.shift": np.array([12], np.int32)}
    changed |= {"body.0.multiplier": model.int8["body.0.multiplier"] // 4, "body.0.bias": model.int8["body.0.bias"] // 4}
    assert check(replace(model, int8={**model.int8, **changed}), [(40, 70)], rng) >= ASSEMBLED


@taken
@pytest.mark.parametrize("scale", [3, 4])
def test_other_scales_are_exact(scale, rng):
    assert check(adder(2, rng, scale), [(1, 1), (40, 65), (9, 130)], rng) >= ASSEMBLED


@taken
@pytest.mark.parametrize("strip_bytes", [1, 9_000])
def test_many_strips_are_one_picture(strip_bytes, rng, monkeypatch):
    monkeypatch.setattr(native_strips, "STRIP_BYTES", strip_bytes)
    assert check(adder(2, rng), [(100, 37), (64, 128)], rng, threads=3) >= ASSEMBLED


@taken
@pytest.mark.parametrize("code", [0, 255])
def test_the_largest_sums(code, rng):
    """Every difference 255, and where codes are 255 every fourth tap adds that too: 36,720 and 48,960."""
    assert check(with_largest_sums(adder(1, rng), code), [(12, 70)], rng) >= ASSEMBLED


def with_rescale(model, multiplier, residual, bias, shift):
    """The first body layer with that rescale, the same for every channel but the factors' sign."""
    signs = np.where(np.arange(16) % 2, -1, 1).astype(np.int32)
    changed = {
        "body.0.weight": np.full((16, 16, 3, 3), 128, np.uint8),  # no sum is above 9 x 16 x 128
        "body.0.multiplier": multiplier * signs,
        "body.0.bias": np.full(16, bias, np.int32),
        "body.0.shift": np.array([shift], np.int32),
        "body.0.residual": np.array([residual], np.int32),
    }
    return replace(model, int8={**model.int8, **changed})


@taken
@pytest.mark.parametrize(
    ("multiplier", "residual", "bias", "shift"),
    [(65_534, 100_000, 900_000_000, 22), (65_533, -100_000, 900_000_000, 21), (3, 8_380_000, 0, 23), (-3, -4_000_000, 1_050_000_000, 23)],
)
def test_the_largest_factors(multiplier, residual, bias, shift, rng):
    assert check(with_rescale(adder(1, rng), multiplier, residual, bias, shift), [(20, 70)], rng) >= ASSEMBLED


@taken
def test_factors_that_are_no_pairs_of_16_bits_take_another_kernel(rng):
    model = with_rescale(adder(2, rng), 65_536, 1_000, 1_000_000, 20)
    assert not native_planes.fits(model.spec, parse(model.spec, model.int8, model.id))
    assert not check(model, [(20, 70)], rng) & ASSEMBLED


@taken
@pytest.mark.parametrize("spec", [NetworkSpec(2, 1, 8, "adder", "relu"), NetworkSpec(2, 1, 32, "adder", "relu"), NetworkSpec(2, 1, 16)])
def test_other_networks_take_other_kernels(spec, rng):
    kernels = Kernels()
    NativeBackend(quantised(replace(spec, activation="relu"), rng), "int8", 1, kernels=kernels)
    assert not {shape.build for shape in kernels.ready()} & ASSEMBLED


@pytest.mark.parametrize("residual", [-8_388_000, -1, 0, 255, 256, 8_380_000])
def test_factors_are_halved_into_what_fits(residual):
    """Both signs, and at either end: high x 256 + low is the identity's factor, and the sums' two halves add up, each in 16 bits."""
    multiplier = np.linspace(-65_534, 65_534, 16).astype(np.int32)
    rescale = Rescale(multiplier, residual, np.zeros(16, np.int32), 20)
    layer = IntegerLayer(np.zeros((16, 16, 3, 3), np.uint8), rescale, 1.0, 0)
    assert planes_adder.fits(layer)
    table = planes_adder.constants(layer, None)[planes_adder.RESCALE_AT :][: 16 * 4 * 4].view(np.int16).reshape(16, 8).astype(np.int64)
    assert (table[:, 3] * 256 + table[:, 1] == residual).all()
    assert (table[:, 0] + table[:, 2] == multiplier).all()


def test_instructions_are_encoded_as_a_well_known_assembler_does():
    """Bytes by GNU as; EVEX's offsets of 32 bits are what it takes for ``{disp32}``."""
    a = Assembler()
    a.vector("vdbpsadbw", 19, 18, 31, immediate=planes_adder.FOURS)
    a.vector("vpaddusw", 5, 5, 19)
    a.vector("vpbroadcastd", 25, Memory("rcx", 768))
    a.vector("vpdpwssd", 20, 21, Memory("r13", 44, broadcast=True))
    a.vector("vmovdqu64", 17, Memory("rax", -1, "r14", 2))
    a.vector("vmovdqu64 to memory", Memory("rsp", 64), 28)
    a.vector("vpmovdw to memory", Memory("rbx"), 12)
    a.vector("vpsllw", 9, 25, immediate=8)
    a.vector("vpbroadcastw", 18, Memory("r8", 544))
    a.vector("vpmulhrsw", 18, 5, 18)
    a.vector("vpmaxsw", 5, 5, 18)
    a.vector("vpaddsw", 13, 13, 19)
    a.vector("vpternlogd", 3, 29, 31, immediate=0xF8)
    a.load("r12", Memory("rdi", 24))
    a.add("rsi", "r14")
    a.add("rbx", 4096)
    a.prefetch(Memory("rax", 128, "r14", 4))
    assert a.code.hex(" ") == " ".join(AS_BYTES)
