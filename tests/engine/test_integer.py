"""The integer form: it follows the float network, refuses what it must, and never leaves 32 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import reference_integer
from engine.errors import ModelError
from engine.integer import INPUT_STEPS, SKIP_MAX, SLOPE_MAX, SLOPE_ONE, parse, tensor_shapes
from engine.network import NetworkSpec
from engine.quantise import Range, _activations, calibrate, integerise, quantise
from engine.weights import Model, from_bytes, to_bytes
from tests.networks import gentle_model

ADDER = NetworkSpec(2, 3, 16, "adder", "relu")
CONVOLUTION = NetworkSpec(2, 3, 16, "convolution", "relu")


PRELU = NetworkSpec(2, 3, 16)
PRELU_ADDER = NetworkSpec(2, 3, 16, "adder")


def float_network(model, y):
    """The network in float, through the activations that calibration sees."""
    activations = list(_activations(model.spec, model.tensors, y))
    x = (activations[0] + activations[-1]).astype(np.float32)
    weight = model.tensors["last.weight"]
    terms = (tap @ weight[:, :, row, column].T for row, column, tap in reference_integer.windows(x, 5, 0))
    residual = reference_integer.sum_of(terms) + model.tensors["last.bias"]
    return reference_integer.depth_to_space(np.clip(residual + y[:, :, None], 0, 1).astype(np.float32))


def smooth_picture(rng, height, width):
    coarse = rng.uniform(0, 1, (height // 8 + 2, width // 8 + 2))
    picture = np.kron(coarse, np.ones((8, 8)))[:height, :width]
    return (0.8 * picture + 0.2 * rng.uniform(0, 1, (height, width))).astype(np.float32)


@pytest.mark.parametrize("spec", [ADDER, CONVOLUTION, PRELU, PRELU_ADDER], ids=["adder", "convolution", "prelu", "prelu adder"])
def test_the_integer_network_follows_the_float_one(spec, rng):
    model = gentle_model(spec)
    y = smooth_picture(rng, 40, 56)
    network = parse(spec, quantise(model, [y]), "random")
    expected, actual = float_network(model, y), reference_integer.run(network, y)
    assert actual.shape == (80, 112)
    assert actual.dtype == np.float32
    change = np.abs(expected - np.kron(y, np.ones((2, 2)))).mean()
    assert change > 0.01, "a network that does nothing proves nothing"
    assert np.abs(expected - actual).mean() < 0.1 * change


def test_each_activation_is_within_its_scale(rng):
    model = gentle_model(ADDER)
    y = smooth_picture(rng, 24, 24)
    network = parse(ADDER, quantise(model, [y]), "random")
    first = next(iter(_activations(ADDER, model.tensors, y)))
    codes = reference_integer.first_layer(network.first, reference_integer.input_codes(y))
    real = network.first.scale * (codes.astype(np.float32) - network.first.zero)
    assert np.abs(real - first).max() < 3 * network.first.scale


def test_weights_outside_the_activations_range_lose_nothing(rng):
    """|x - w| = |x - clip(w)| + |w - clip(w)|: far weights change the sums by a constant alone."""
    model = gentle_model(ADDER)
    far = {**model.tensors, "body.0.weight": model.tensors["body.0.weight"] * np.float32(50)}
    y = smooth_picture(rng, 24, 24)
    model = replace(model, tensors=far)
    network = parse(ADDER, integerise(ADDER, far, calibrate(ADDER, far, [y])), "far")
    assert {0, 255} <= set(np.unique(network.body[0].weight))
    first, second, *_ = _activations(ADDER, far, y)
    codes = np.floor(first / network.first.scale + 0.5).astype(np.int64) + network.first.zero
    out = reference_integer.body_layer(network.body[0], codes.astype(np.uint8), network.first.zero)
    assert np.abs(out * network.body[0].scale - second).max() < 4 * network.body[0].scale + 0.05 * second.max()


def test_sixteen_bit_luma_keeps_its_bits(rng):
    model = gentle_model(ADDER)
    y = smooth_picture(rng, 16, 16)
    network = parse(ADDER, quantise(model, [y]), "random")
    finer = np.clip(y + np.float32(1 / 65535), 0, 1)
    same_codes = (reference_integer.input_codes(y) == reference_integer.input_codes(finer)).all(-1)
    assert same_codes.mean() > 0.9
    moved = reference_integer.run(network, finer) - reference_integer.run(network, y)
    assert np.median(moved) > 0


def test_input_codes_round_half_up():
    y = np.array([[0, 0.5 / INPUT_STEPS, 0.49 / INPUT_STEPS, 0.5, 1]], np.float32)
    assert reference_integer.input_codes(y)[0, :, 0].tolist() == [-512, -511, -512, 0, 512]


def test_rescale_rounds_half_up_and_clamps(rng):
    network = parse(ADDER, quantise(gentle_model(ADDER), [smooth_picture(rng, 16, 16)]), "random")
    rescale = replace(network.first.rescale, multiplier=np.array([1, 1, 1, 1], np.int32), bias=np.full(4, 2, np.int32), shift=2)
    layer = replace(network.body[0], rescale=rescale)
    assert rescale.apply(np.array([[[1, 2, -2, -3]]])).tolist() == [[[0, 1, 0, -1]]]
    assert layer.activate(np.array([[[0, 1, 0, -1]]])).tolist() == [[[0, 1, 0, 0]]]
    assert layer.activate(np.array([[[500, -500, 255, 256]]])).tolist() == [[[255, 0, 255, 255]]]


def test_prelu_rounds_the_rounded_and_clamps(rng):
    """Slopes 1/2, -1/4 and the largest there are, around a zero point of 100."""
    network = parse(CONVOLUTION, quantise(gentle_model(CONVOLUTION), [smooth_picture(rng, 16, 16)]), "random")
    slope = np.array([SLOPE_ONE // 2, -SLOPE_ONE // 4, SLOPE_MAX, -SLOPE_MAX], np.int16)
    layer = replace(network.body[0], slope=slope, zero=100)
    rescaled = np.array([[7, 7, 7, 7], [-7, -7, -7, -7], [-500, -500, -500, -500], [200, 90_000, -90_000, -90_000]])
    expected = [[107, 107, 107, 107], [97, 102, 93, 107], [0, 225, 0, 255], [255, 255, 0, 255]]
    assert layer.activate(rescaled[None]).tolist() == [expected]


def test_the_skip_uses_its_range_and_never_leaves_it(rng):
    skip = parse(ADDER, quantise(gentle_model(ADDER), [smooth_picture(rng, 16, 16)]), "random").skip
    ends = skip.apply(np.array([0, 255], np.uint8), np.array([0, 255], np.uint8))
    assert SKIP_MAX * 0.9 < np.abs(ends).max() <= SKIP_MAX


@pytest.mark.parametrize("f", [1, 3, 16, 32, 56])
@pytest.mark.parametrize("block", ["adder", "convolution"])
def test_every_width_stays_in_32_bits(f, block, rng):
    spec = NetworkSpec(3, 1, f, block, "relu")
    parse(spec, quantise(gentle_model(spec), [smooth_picture(rng, 9, 9)]), "random")


def test_a_network_of_zeros_is_a_network(rng):
    spec = CONVOLUTION
    zeros = {name: np.zeros(shape, np.float32) for name, shape in spec.tensor_shapes().items()}
    y = smooth_picture(rng, 9, 9)
    network = parse(spec, quantise(Model("zeros", spec, zeros), [y]), "zeros")
    assert np.abs(reference_integer.run(network, y) - np.kron(y, np.ones((2, 2)))).max() < 1e-6


@pytest.mark.parametrize("spec", [ADDER, PRELU, PRELU_ADDER], ids=["adder", "prelu", "prelu adder"])
def test_the_integer_form_survives_a_file(spec, rng):
    model = gentle_model(spec)
    int8 = quantise(model, [smooth_picture(rng, 16, 16)])
    again = from_bytes(to_bytes(replace(model, int8=int8)), "again")
    assert again.precisions == ("fp32", "int8")
    assert all((again.int8[name] == array).all() and again.int8[name].dtype == array.dtype for name, array in int8.items())
    parse(spec, again.int8, "again")


def test_slopes_that_it_does_not_have_are_refused(rng):
    picture = [smooth_picture(rng, 16, 16)]
    steep = gentle_model(PRELU)
    steep.tensors["body.1.slope"][3] = 1.2
    with pytest.raises(ModelError, match=r"body\.1\.slope"):
        quantise(steep, picture)


def test_damaged_slopes_are_refused(rng):
    int8 = quantise(gentle_model(PRELU), [smooth_picture(rng, 16, 16)])
    assert tensor_shapes(PRELU, slopes=True).keys() == int8.keys()
    for words, change in {
        "missing": {"body.1.slope": None},
        "int16": {"body.1.slope": int8["body.1.slope"].astype(np.int32)},
        "above -1": {"body.1.slope": np.full(16, -SLOPE_ONE, np.int16)},
    }.items():
        with pytest.raises(ModelError, match=words):
            parse(PRELU, {name: array for name, array in {**int8, **change}.items() if array is not None}, "damaged")


def test_damaged_forms_are_refused(rng):
    int8 = quantise(gentle_model(ADDER), [smooth_picture(rng, 16, 16)])
    damages = {
        "missing": {"body.1.bias": None},
        "unknown": {"body.9.bias": int8["body.1.bias"]},
        "its network needs": {"body.1.weight": int8["body.1.weight"][:, :8]},
        "uint8": {"body.1.weight": int8["body.1.weight"].astype(np.int8)},
        "32 bits": {"body.0.multiplier": int8["body.0.multiplier"] * 8},
        "last can leave": {"last.bias": np.full(4, 2**31 - 1, np.int32)},
        "shift": {"body.0.shift": np.array([31], np.int32)},
        "zero point": {"body.2.zero": np.array([3], np.uint8)},
        "finite": {"last.multiplier": np.full(4, np.nan, np.float32)},
        "skip": {"skip.shift": int8["skip.shift"] - 1},
    }
    assert tensor_shapes(ADDER, slopes=False).keys() == int8.keys()
    for words, change in damages.items():
        damaged = {name: array for name, array in {**int8, **change}.items() if array is not None}
        with pytest.raises(ModelError, match=words):
            parse(ADDER, damaged, "damaged")
    with pytest.raises(ModelError, match="no int8 form"):
        parse(ADDER, {}, "float only")


def test_ranges_refuse_nonsense():
    for low, high in ((0.1, 1), (-1, -0.5), (0, np.inf), (np.nan, 1)):
        with pytest.raises(ValueError, match="range"):
            Range(low, high)
