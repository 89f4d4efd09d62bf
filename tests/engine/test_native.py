"""The native back end: every output of every network, borders included, against the references."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("halide")

from engine import reference, reference_integer
from engine.backends import native_strips
from engine.backends.native import NativeBackend
from engine.errors import BackendError, Cancelled, ModelError
from engine.integer import parse
from engine.kernels.compile import Kernels
from engine.network import NetworkSpec
from tests.networks import gentle_model, quantised, with_largest_sums

SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (7, 8), (13, 31), (70, 17)]
"""Heights and widths: a pixel, below a vector, odd, several bands."""


@pytest.fixture(scope="module")
def kernels():
    return Kernels()


def check(model, precision, kernels, rng, sizes=SIZES, threads=2):
    """Compare whole outputs: int8 bit for bit, fp32 within 1e-4."""
    backend = NativeBackend(model, precision, threads, kernels=kernels)
    for height, width in sizes:
        y = rng.uniform(0, 1, (height, width)).astype(np.float32)
        actual = backend.run(y)
        assert actual.shape == (height * model.spec.scale, width * model.spec.scale)
        assert actual.dtype == np.float32
        if precision == "int8":
            expected = reference_integer.run(parse(model.spec, model.int8, model.id), y)
            np.testing.assert_array_equal(actual, expected, err_msg=f"{height}x{width}")
        else:
            expected = reference.run(model, y)
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4, err_msg=f"{height}x{width}")
        if height * width > 100:
            assert ((expected > 0) & (expected < 1)).mean() > 0.05, "a clipped picture proves little"
            assert np.abs(expected - np.kron(y, np.ones((model.spec.scale,) * 2))).mean() > 0.003


@pytest.mark.parametrize("block", ["adder", "convolution"])
@pytest.mark.parametrize(("scale", "m", "f"), [(2, 5, 16), (3, 2, 16), (4, 1, 8), (2, 2, 3), (2, 1, 20)])
class TestEveryNetwork:
    def test_int8_is_exact(self, block, scale, m, f, kernels, rng):
        for activation in ("relu", "prelu"):
            check(quantised(NetworkSpec(scale, m, f, block, activation), rng), "int8", kernels, rng)

    def test_fp32_is_close(self, block, scale, m, f, kernels, rng):
        check(gentle_model(NetworkSpec(scale, m, f, block, "prelu" if m > 1 else "relu")), "fp32", kernels, rng)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
@pytest.mark.parametrize("block", ["adder", "convolution"])
def test_xl(block, precision, kernels, rng):
    """Eleven layers of 32 channels: sums of absolute differences that pass 16 bits."""
    check(quantised(NetworkSpec(2, 11, 32, block, "relu"), rng), precision, kernels, rng, [(18, 35)])


def test_wide_networks(kernels, rng):
    """More channels than fit beside one another on a kernel's stack; far more are refused."""
    check(gentle_model(NetworkSpec(2, 1, 50)), "fp32", kernels, rng, [(9, 33)])
    with pytest.raises(BackendError, match="channels"):
        NativeBackend(gentle_model(NetworkSpec(2, 1, 200)), kernels=kernels)


@pytest.mark.parametrize("strip_bytes", [1, 9_000, 40_000])
def test_many_strips_are_one_picture(strip_bytes, kernels, rng, monkeypatch):
    """Strips of one row, of a few and of many, over three bands."""
    monkeypatch.setattr(native_strips, "STRIP_BYTES", strip_bytes)
    model = quantised(NetworkSpec(2, 2, 16, "adder", "relu"), rng)
    check(model, "int8", kernels, rng, [(100, 37)], threads=3)
    check(model, "fp32", kernels, rng, [(100, 37)], threads=3)


@pytest.mark.parametrize("codes", [(0, 255), (255, 0)])
def test_sums_at_their_largest(codes, kernels, rng):
    """Every difference 255: 32 channels sum to 73,440."""
    spec = NetworkSpec(2, 1, 32, "adder", "relu")
    model = quantised(spec, rng)
    weight, code = codes
    int8 = dict(model.int8)
    int8["body.0.weight"] = np.full((32, 32, 3, 3), weight, np.uint8)
    int8["first.multiplier"] = np.zeros(32, np.int32)
    int8["first.bias"] = np.full(32, code << int8["first.shift"][0], np.int32)
    int8["body.0.multiplier"] = np.arange(-16, 16, dtype=np.int32)
    int8["body.0.bias"] = np.full(32, 2_000_000, np.int32)
    int8["body.0.shift"] = np.array([14], np.int32)
    int8["body.0.residual"] = np.array([3], np.int32)
    network = parse(spec, int8, "largest")
    y = rng.uniform(0, 1, (12, 20)).astype(np.float32)
    first = reference_integer.first_layer(network.first, reference_integer.input_codes(y))
    assert reference_integer.absolute_differences(first.astype(np.int64), network.body[0].weight, network.first.zero).max() == 73440
    actual = NativeBackend(replace(model, int8=int8), "int8", 1, kernels=kernels).run(y)
    np.testing.assert_array_equal(actual, reference_integer.run(network, y))


@pytest.mark.skipif(not Kernels().sums_bytes, reason="for processors that sum bytes in one instruction")
@pytest.mark.parametrize("packs_sums", [0, 2])
@pytest.mark.parametrize("code", [0, 255])
def test_sums_at_their_largest_in_words(code, packs_sums, rng):
    """16 channels, every difference 255: 36,720, more than a signed 16-bit lane holds."""
    spec = NetworkSpec(2, 1, 16, "adder", "relu")
    model = with_largest_sums(quantised(spec, rng), code)
    network = parse(spec, model.int8, "largest")
    y = rng.uniform(0, 1, (12, 20)).astype(np.float32)
    codes = reference_integer.first_layer(network.first, reference_integer.input_codes(y))
    assert reference_integer.absolute_differences(codes.astype(np.int64), network.body[0].weight, network.first.zero).max() == 36720
    np.testing.assert_array_equal(
        NativeBackend(model, "int8", 1, kernels=Kernels(packs_sums=packs_sums, fours=False)).run(y), reference_integer.run(network, y)
    )


@pytest.mark.parametrize(("f", "kernel"), [(48, "last_s16.build"), (64, "ends_s16.last")])
def test_the_last_layer_at_its_largest(f, kernel, rng):
    """Weights and codes of the largest magnitude, on either side of where another kernel is taken."""
    spec = NetworkSpec(2, 1, f, "convolution", "relu")
    model, kernels = quantised(spec, rng), Kernels()
    signs = np.where(np.arange(4) % 2, -127, 127).astype(np.int8)
    most = {"skip.first": 0, "skip.body": 0, "skip.bias": 4096, "skip.shift": 0}
    int8 = {**model.int8, **{name: np.array([value], np.int32) for name, value in most.items()}}
    int8["last.weight"] = np.broadcast_to(signs[:, None, None, None], (4, f, 5, 5)).copy()
    int8["last.multiplier"] = np.full(4, 2.0**-32, np.float32)
    y = rng.uniform(0.3, 0.7, (9, 21)).astype(np.float32)
    actual = NativeBackend(replace(model, int8=int8), "int8", 1, kernels=kernels).run(y)
    expected = reference_integer.run(parse(spec, int8, "largest"), y)
    np.testing.assert_array_equal(actual, expected)
    assert np.abs(expected - np.kron(y, np.ones((2, 2)))).max() > 0.1
    assert kernel in [shape.build for shape in kernels.ready()] or not kernels.sums_bytes


@pytest.mark.parametrize("block", ["adder", "convolution"])
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_halides_own_compiler_gives_the_same(block, precision, rng):
    """The way of systems whose object files are not mapped; Halide checks every access there."""
    model = quantised(NetworkSpec(2, 1, 8, block, "relu"), rng)
    check(model, precision, Kernels(mapped=False), rng, [(1, 1), (40, 33)])


def thread_times():
    """Processor time of each thread of this process so far, in ns."""
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in Path("/proc/self/task").iterdir()}


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system does not tell what each thread has done")
@pytest.mark.parametrize("block", ["adder", "convolution"])
def test_halides_own_threads_work_only_where_they_are_given(block, rng):
    backend = NativeBackend(gentle_model(NetworkSpec(2, 1, 16, block)), "fp32", 1, kernels=Kernels(mapped=False))
    y = rng.uniform(0, 1, (720, 640)).astype(np.float32)
    backend.run(y)
    before = thread_times()
    for _ in range(3):
        backend.run(y)
    spent = [time - before.get(thread, 0) for thread, time in thread_times().items()]
    assert max(spent) > 0.9 * sum(spent)


@pytest.mark.parametrize("f", [16, 32])
def test_the_kernel_for_machines_that_do_not_sum_bytes(f, rng):
    model = quantised(NetworkSpec(2, 1, f, "adder", "relu"), rng)
    check(model, "int8", Kernels(sums_bytes=False, fours=False), rng, [(1, 1), (40, 33)])


@pytest.mark.skipif(not Kernels().sums_bytes, reason="for processors that sum bytes in one instruction")
@pytest.mark.parametrize("packs_sums", [0, 1, 2])
@pytest.mark.parametrize("f", [8, 16, 32])
def test_packed_and_plain_sums(f, packs_sums, rng):
    for activation in ("relu", "prelu"):
        model = quantised(NetworkSpec(2, 2, f, "adder", activation), rng)
        check(model, "int8", Kernels(packs_sums=packs_sums, fours=False), rng, [(1, 1), (40, 33)])


@pytest.mark.skipif(Kernels().register == 32, reason="for processors with AVX-512; elsewhere all tests are of this")
@pytest.mark.parametrize("precision", ["int8", "fp32"])
@pytest.mark.parametrize("block", ["adder", "convolution"])
@pytest.mark.parametrize("f", [16, 32])
def test_registers_of_half_the_size(block, f, precision, rng):
    check(quantised(NetworkSpec(2, 2, f, block, "relu"), rng), precision, Kernels(register=32, fours=False), rng, [(1, 1), (40, 53)])


@pytest.mark.parametrize("f", [16, 32])
def test_convolutions_for_processors_that_do_not_multiply_bytes(f, rng):
    for activation in ("relu", "prelu"):
        check(quantised(NetworkSpec(2, 2, f, "convolution", activation), rng), "int8", Kernels(dots_bytes=False), rng, [(1, 1), (40, 53)])


def test_the_same_bands_serve_pictures_of_any_size_again(kernels, rng):
    """Windows are kept between pictures: what one leaves behind must not show in the next."""
    model = quantised(NetworkSpec(2, 2, 16, "adder", "relu"), rng)
    check(model, "int8", kernels, rng, [(70, 40), (70, 40), (3, 3), (3, 3), (70, 40)])


@pytest.mark.parametrize("block", ["adder", "convolution"])
def test_pixels_do_not_depend_on_who_computes_them(block, kernels, rng):
    """Rows are taken as threads come for them, and even floats must be the same the next time."""
    model = gentle_model(NetworkSpec(2, 2, 16, block))
    y = rng.uniform(0, 1, (203, 45)).astype(np.float32)
    alone = NativeBackend(model, threads=1, kernels=kernels).run(y)
    for threads in (2, 3, 4):
        np.testing.assert_array_equal(NativeBackend(model, threads=threads, kernels=kernels).run(y), alone)


def test_a_slow_threads_rows_are_done_by_the_other_one(kernels, rng, monkeypatch):
    """One thread is held up after it has taken its first strip, until the other one comes for its twelfth."""
    monkeypatch.setattr(native_strips, "STRIP_BYTES", 40_000)
    backend = NativeBackend(gentle_model(NetworkSpec(2, 1, 8)), threads=2, kernels=kernels)
    y = rng.uniform(0, 1, (400, 40)).astype(np.float32)
    strips, held_up, go_on, here = [], threading.Event(), threading.Event(), threading.current_thread()

    def cancelled():
        strips.append(threading.current_thread() is here)
        if not strips[-1]:
            held_up.set()
            return not go_on.wait(60)
        if strips.count(True) == 12:
            go_on.set()
        return not held_up.wait(60)

    actual = backend.run(y, cancelled)
    assert strips.count(True) >= 12 > strips.count(False)
    np.testing.assert_allclose(actual, reference.run(gentle_model(backend.spec), y), atol=1e-4)


def test_a_picture_is_its_callers_alone(kernels, rng):
    """The back end keeps its views for the next picture, but not the memory that they view."""
    backend = NativeBackend(gentle_model(NetworkSpec(2, 1, 8)), "fp32", 2, kernels=kernels)
    y = rng.uniform(0, 1, (70, 40)).astype(np.float32)
    picture = backend.run(y)
    kept = picture.copy()
    alive = weakref.ref(picture)
    backend.run(1 - y)
    np.testing.assert_array_equal(picture, kept)
    del picture
    assert alive() is None


def test_luma_that_is_not_contiguous(kernels, rng):
    backend = NativeBackend(gentle_model(NetworkSpec(2, 1, 8)), "fp32", 1, kernels=kernels)
    y = rng.uniform(0, 1, (20, 24)).astype(np.float32)
    np.testing.assert_array_equal(backend.run(np.asfortranarray(y)), backend.run(y))
    np.testing.assert_array_equal(backend.run(y[:, ::2]), backend.run(y[:, ::2].copy()))


def test_other_threads_run_meanwhile(kernels, rng):
    """Python's lock is free in kernels: while one thread upscales, another one gets on."""
    backend = NativeBackend(gentle_model(NetworkSpec(2, 5, 16)), "fp32", 1, kernels=kernels)
    y = rng.uniform(0, 1, (360, 640)).astype(np.float32)
    worker = threading.Thread(target=backend.run, args=(y,))
    steps = 0
    worker.start()
    while worker.is_alive():
        steps += 1
    assert steps > 1000


def test_cancelling_between_strips(kernels, rng):
    backend = NativeBackend(gentle_model(NetworkSpec(2, 3, 16)), "fp32", 2, kernels=kernels)
    y = rng.uniform(0, 1, (400, 640)).astype(np.float32)
    asked = []
    with pytest.raises(Cancelled):
        backend.run(y, lambda: len(asked) > 2 or asked.append(1) is not None)
    whole = backend.run(y)
    np.testing.assert_allclose(whole[:64], reference.run(gentle_model(backend.spec), y[:48])[:64], atol=1e-4)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads have priorities of their own on Linux")
def test_low_priority_is_its_threads_alone(kernels):
    backend = NativeBackend(gentle_model(NetworkSpec(2, 1, 8)), kernels=kernels, low_priority=True)
    seen = []
    backend.run(np.zeros((70, 9), np.float32), lambda: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) is not None)
    assert set(seen) == {19}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < 19


def test_compiled_kernels_are_kept_and_damaged_ones_made_anew(tmp_path, rng):
    model = gentle_model(NetworkSpec(2, 1, 8))
    y = rng.uniform(0, 1, (9, 9)).astype(np.float32)
    expected = NativeBackend(model, kernels=Kernels(tmp_path)).run(y)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 4
    damaged, *_, stamped = kept
    damaged.write_bytes(damaged.read_bytes()[:-1])
    before = stamped.stat().st_mtime_ns
    np.testing.assert_array_equal(NativeBackend(model, kernels=Kernels(tmp_path)).run(y), expected)
    assert sorted(tmp_path.iterdir()) == kept
    assert stamped.stat().st_mtime_ns == before


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    NativeBackend(gentle_model(NetworkSpec(2, 1, 8)), kernels=Kernels(blocked / "kernels")).run(np.zeros((9, 9), np.float32))


def test_what_it_refuses(kernels):
    model = gentle_model(NetworkSpec(2, 1, 8))
    with pytest.raises(BackendError, match="CPU"):
        NativeBackend(model, device="cuda:0", kernels=kernels)
    with pytest.raises(ModelError, match="int8"):
        NativeBackend(model, "int8", kernels=kernels)
