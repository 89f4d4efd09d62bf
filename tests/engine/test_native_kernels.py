"""The kernels as machine code: the wanted instructions for other machines, and objects that must not be mapped."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("halide")

from engine.errors import BackendError
from engine.kernels.compile import ENTRY, Shape, compile_object
from engine.kernels.objects import ObjectFile, can_map

AVX2 = "x86-64-linux-avx-avx2-f16c-fma-sse41"
AVX512 = "x86-64-linux-avx-avx2-avx512-avx512_skylake-f16c-fma-sse41"
VNNI = "x86-64-linux-avx-avx2-avx512-avx512_cannonlake-avx512_sapphirerapids-avx512_skylake-f16c-fma-sse41"
ZEN4 = "x86-64-windows-avx-avx2-avx512-avx512_cannonlake-avx512_skylake-avx512_zen4-f16c-fma-sse41"
WINDOWS = "x86-64-windows-avx-avx2-f16c-fma-sse41"
ARM = "arm-64-osx"


@pytest.mark.parametrize(
    ("kernel", "arguments", "target", "instruction"),
    [
        ("adder_u8", (16,), AVX2, r"vpsadbw .*%ymm"),
        ("adder_u8", (16,), WINDOWS, r"vpsadbw .*%ymm"),
        ("adder_u8", (16,), AVX512, r"vpsadbw .*%zmm"),
        ("adder_u8_lanes", (16,), ARM, r"uabal(2|\.8h)"),
        ("last_s16", (16, 2), WINDOWS, r"vpmaddwd .*%ymm"),
        ("last_f32", (16, 2), AVX2, r"vfmadd\d+ps .*%ymm"),
        ("last_f32", (16, 2), ARM, r"fmla"),
        ("convolution_s16", (16,), AVX2, r"vpmaddwd .*%ymm"),
        ("convolution_s16", (16,), VNNI, r"vpdpwssd "),
        ("convolution_u8", (16, False, 64), VNNI, r"vpdpbusd .*%zmm"),
        ("convolution_u8", (16, False, 64), ZEN4, r"vpdpbusd .*%zmm"),
        ("convolution_u8", (16, False, 64, True), VNNI, r"vpmulhrsw .*%ymm"),
        ("convolution_s16", (16, False, 32, True), AVX2, r"vpmulhrsw .*%"),
        ("convolution_s16", (16, False, 32, True), ARM, r"sqrdmulh"),
        ("adder_u8", (16, False, True, True), AVX2, r"vpmulhrsw .*%"),
        ("adder_u8_lanes", (16, False, True), ARM, r"sqrdmulh"),
        ("adder_u8_words", (), AVX2, r"vpaddusw .*%ymm"),
        ("adder_u8_words", (False, 64), AVX512, r"vpaddusw .*%zmm"),
        ("convolution_s16", (16,), ARM, r"s(mlal|mull)"),
        ("convolution_f32", (16,), AVX2, r"vfmadd\d+ps .*%ymm"),
        ("convolution_f32", (16,), ARM, r"fmla"),
        ("adder_f32", (16,), AVX2, r"vmaxps .*%ymm"),
        ("adder_f32", (16,), ARM, r"fmax"),
    ],
)
def test_the_wanted_instruction_appears(kernel, arguments, target, instruction, tmp_path):
    path = tmp_path / "kernel.s"
    compile_object(Shape(f"{kernel}.build", arguments), path, target, assembly=True)
    assert re.search(instruction, path.read_text().replace("\t", " "))


@pytest.mark.parametrize(
    ("target", "sad", "pack"), [(AVX2, r"vpsadbw .*%ymm", r"vpackusdw .*%ymm"), (AVX512, r"vpsadbw .*%zmm", "vpmovqd ")]
)
def test_packed_sums_take_one_shuffle(target, sad, pack, tmp_path):
    path = tmp_path / "kernel.s"
    compile_object(Shape("adder_u8.build", (16, False, True)), path, target, assembly=True)
    loop = path.read_text().replace("\t", " ")
    assert len(re.findall(sad, loop)) >= 16
    assert not re.search(r"vperm|vpshufd .*%ymm", loop)
    assert len(re.findall(pack, loop)) >= 16


def test_sums_packed_twice_need_three_shuffles_and_one_addition_for_four(tmp_path):
    path = tmp_path / "kernel.s"
    compile_object(Shape("adder_u8_twice.build", ()), path, AVX2, assembly=True)
    loop = innermost(path.read_text(), "vpsadbw")
    assert [loop.count(name) for name in ("vpsadbw", "vpackusdw", "vpaddw", "vpbroadcastq")] == [64, 48, 16, 16]
    assert not re.search(r"vperm|vpshuf|rsp", loop)


@pytest.mark.parametrize(
    ("kernel", "target", "register", "instructions"),
    [
        ("last_s16", AVX2, 32, {"vpmaddwd": 40, "vpaddd": 40, "vpbroadcastq": 12}),
        ("last_s16", AVX512, 64, {"vpmaddwd": 40, "vpaddd": 40, "vbroadcasti": 12}),
        ("last_f32", AVX2, 32, {"vfmadd": 40, "vbroadcastsd": 12}),
        ("last_f32", AVX512, 64, {"vfmadd": 40, "vbroadcastf": 12}),
    ],
)
def test_the_last_layers_products_stay_in_registers(kernel, target, register, instructions, tmp_path):
    path = tmp_path / "kernel.s"
    compile_object(Shape(f"{kernel}.build", (16, 2, register)), path, target, assembly=True)
    loop = innermost(path.read_text(), next(name for name in instructions if "broadcast" in name))
    assert {name: loop.count(name) for name in instructions} == instructions
    assert loop.count("zmm" if register == 64 else "ymm") >= 40


@pytest.mark.parametrize(
    ("kernel", "arguments", "target", "instructions"),
    [
        ("adder_u8_words", (False, 32), AVX2, {"vpsadbw": 16, "vpaddusw": 16, "vpbroadcastq": 4}),
        ("adder_u8_words", (False, 64), AVX512, {"vpsadbw": 32, "vpaddusw": 32, "vpbroadcastq": 16}),
        ("adder_f32", (16, 64), AVX512, {"vmaxps": 12, "vfmadd": 12}),
        ("convolution_f32", (16, 64), AVX512, {"vfmadd": 10}),
        ("convolution_s16", (16, False, 64), AVX512, {"vpmaddwd": 12}),
        ("convolution_s16", (16, False, 64), VNNI, {"vpdpwssd": 12}),
        ("convolution_u8", (16, False, 64), VNNI, {"vpdpbusd": 12}),
        ("convolution_u8", (16, False, 64, True), VNNI, {"vpdpbusd": 12}),
    ],
)
def test_a_body_layers_innermost_loop(kernel, arguments, target, instructions, tmp_path):
    """As many of the instructions as there are taps to take, all in whole registers, and nothing kept in memory between them."""
    path = tmp_path / "kernel.s"
    compile_object(Shape(f"{kernel}.build", arguments), path, target, assembly=True)
    loop = busiest(path.read_text(), next(iter(instructions)))
    assert {name: loop.count(name) for name in instructions} == instructions
    assert loop.count("zmm" if target != AVX2 else "ymm") >= sum(instructions.values())
    assert "rsp" not in loop


def busiest(assembly, instruction):
    """The stretch between two labels that has this instruction most often, up to its jump."""
    return max(re.split(r"(?m)^\.L\w+:", assembly), key=lambda part: part.count(instruction)).partition("\tjne")[0]


def innermost(assembly, instruction):
    """The first stretch between two labels that has this instruction, up to its jump."""
    return next(part for part in re.split(r"(?m)^\.L\w+:", assembly) if instruction in part).partition("\tjne")[0]


@pytest.mark.skipif(not can_map(), reason="objects are mapped on x86-64 Linux alone")
class TestObjects:
    def test_an_unknown_entry(self, tmp_path):
        path = tmp_path / "kernel.o"
        compile_object(Shape("ends_f32.luma", ()), path)
        elf = path.read_bytes()
        with pytest.raises(BackendError, match="lacks nonsense"):
            ObjectFile(elf).mapped("nonsense")

    def test_another_machines_object(self, tmp_path):
        path = tmp_path / "kernel.o"
        compile_object(Shape("ends_f32.luma", ()), path, "arm-64-linux")
        with pytest.raises(BackendError, match="x86-64"):
            ObjectFile(path.read_bytes()).mapped(ENTRY)

    def test_no_object_at_all(self):
        with pytest.raises(BackendError, match="x86-64"):
            ObjectFile(b"#!/bin/sh").mapped(ENTRY)


def test_an_unknown_target_is_refused(tmp_path):
    with pytest.raises(BackendError, match="luma"):
        compile_object(Shape("ends_f32.luma", ()), tmp_path / "kernel.o", "pdp11-unix")
