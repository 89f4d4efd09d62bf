"""Fake-quantised networks: they compute what their integer form does, and learn."""

import copy

import numpy as np
import pytest
import torch

from engine import quantise, reference_integer
from engine.export import files
from engine.integer import parse
from engine.network import NetworkSpec
from training.network import build, collapse_to_model, recompute_statistics
from training.quantise import FakeQuantised, on_codes, on_input_codes, on_symmetric_codes

SPECS = [
    NetworkSpec(2, 3, 16, "adder", "relu"),
    NetworkSpec(2, 3, 16, activation="relu"),
    NetworkSpec(4, 1, 8, "adder", "relu"),
    NetworkSpec(2, 3, 16),
    NetworkSpec(2, 3, 16, "adder"),
]


def scene(batch=4, height=32, width=40, seed=0):
    """Soft blobs and edges, luma (N, 1, H, W)."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 1, height // 8 + 1, width // 8 + 1, generator=rng)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    edges = torch.nn.functional.interpolate(coarse, size=(height, width), mode="nearest")
    return (0.6 * smooth + 0.4 * edges).clamp(0, 1)


def pair(spec, seed=0):
    high = scene(height=32 * spec.scale, width=40 * spec.scale, seed=seed)
    return torch.nn.functional.interpolate(high, scale_factor=1 / spec.scale, mode="area"), high


def train(network, steps, rate, seed=0):
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        low, high = pair(network.spec, seed=seed + step % 8)
        optimiser.zero_grad()
        (network(low) - high).abs().mean().backward()
        optimiser.step()
    return network


def float_network(spec, steps=60):
    torch.manual_seed(0)
    network = train(build(spec, expansion=32), steps, 3e-3)
    recompute_statistics(network, [pair(spec, seed)[0] for seed in range(4)])
    return network


def db(picture, reference):
    return float(-10 * np.log10(np.mean((np.asarray(picture, np.float64) - np.asarray(reference, np.float64)) ** 2)))


def integer_picture(network, y_hw):
    return reference_integer.run(parse(network.spec, network.int8(), "test"), y_hw)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_integer_form_does_what_the_fake_quantised_network_does(spec):
    network = FakeQuantised(float_network(spec, 25), batches=[pair(spec)[0]])
    train(network, 10, 1e-3)
    low, high = pair(spec, 100)
    fake = network.eval()(low[:1])[0, 0].clamp(0, 1).detach().numpy()
    made = integer_picture(network, low[0, 0].numpy())
    assert abs(db(fake, high[0, 0]) - db(made, high[0, 0])) < 0.05
    assert db(made, fake) > 50


@pytest.mark.parametrize("spec", [SPECS[1], SPECS[3]], ids=["relu", "prelu"])
def test_onnx_runtime_scores_as_the_fake_quantised_network(spec):
    runtime = pytest.importorskip("onnxruntime")
    pairs = [pair(spec, seed) for seed in range(3)]
    network = train(FakeQuantised(float_network(spec), batches=[low for low, _ in pairs]), 20, 5e-4).eval()
    content = files.to_bytes(collapse_to_model(network, "test", {}), "onnx", "int8")
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    scores = []
    for low, high in pairs:
        made = session.run(None, {session.get_inputs()[0].name: low[:1].numpy()})[0][0, 0]
        scores.append([db(made, high[0, 0]), db(network(low[:1]).detach()[0, 0].clamp(0, 1), high[0, 0])])
    made, fake = np.mean(scores, 0)
    assert abs(made - fake) < 0.05


@pytest.mark.parametrize(("spec", "margin_db"), [(SPECS[0], 0.01), (SPECS[1], 0.1), (SPECS[3], 0.05)], ids=["adder", "relu", "prelu"])
def test_training_beats_quantising_afterwards(spec, margin_db):
    """8 bits cost adder layers next to nothing, so there is next to nothing to win back."""
    network = float_network(spec)
    pictures = [pair(spec, seed)[0][0, 0].numpy() for seed in range(4)]
    afterwards = parse(spec, quantise.quantise(collapse_to_model(network, "test", {}), pictures), "test")
    trained = train(FakeQuantised(copy.deepcopy(network), batches=[pair(spec, seed)[0] for seed in range(4)]), 60, 1e-3)
    scores = []
    for seed in range(4):
        low, high = pair(spec, seed)
        y_hw = low[0, 0].numpy()
        scores.append([db(reference_integer.run(afterwards, y_hw), high[0, 0]), db(integer_picture(trained, y_hw), high[0, 0])])
    post, aware = np.mean(scores, 0)
    assert aware > post + margin_db, f"quantisation-aware {aware:.2f} dB, post-training {post:.2f} dB"


def test_a_model_carries_both_forms():
    spec = SPECS[1]
    network = FakeQuantised(float_network(spec, 5), batches=[pair(spec)[0]])
    model = collapse_to_model(network, "sesr-test", {})
    assert model.precisions == ("fp32", "int8")
    assert np.array_equal(model.tensors["last.weight"], network.network.collapse()["last.weight"])


@pytest.mark.parametrize("first_width", [20.0, 0.5])
def test_ranges_shrink_and_grow(first_width):
    """Least squares over a normal distribution: 256 codes serve best over some three to five standard deviations."""
    torch.manual_seed(0)
    low, high = torch.tensor(-first_width, requires_grad=True), torch.tensor(first_width, requires_grad=True)
    optimiser = torch.optim.Adam([low, high], lr=0.1)
    for step in range(400):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 400)
        x = torch.randn(20_000)
        scale = (high - low) / 255
        zero = -low / scale
        zero = zero + (torch.floor(zero + 0.5) - zero).detach()
        optimiser.zero_grad()
        ((on_codes(x, scale, zero) - x) ** 2).sum().backward()
        optimiser.step()
    assert -5.5 < low.item() < -2.7
    assert 2.7 < high.item() < 5.5


def test_codes_are_the_integer_forms():
    stated = quantise.Range(-1.7, 3.1)
    x = stated.scale * (torch.arange(-200, 400).repeat_interleave(3) + torch.tensor([-0.49, 0.0, 0.49]).repeat(600))
    got = on_codes(x, torch.tensor(stated.scale), torch.tensor(float(stated.zero)))
    codes = torch.clamp(torch.floor(x / stated.scale + stated.zero + 0.5), 0, 255)
    torch.testing.assert_close(got, stated.scale * (codes - stated.zero), rtol=0, atol=1e-6)


def test_gradients_stop_where_values_are_clipped():
    x = torch.tensor([-2.0, -0.9, 0.0, 1.9, 2.5], requires_grad=True)
    on_codes(x, torch.tensor(3 / 255), torch.tensor(85.0)).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_adder_weights_outside_the_range_are_clamped_exactly():
    torch.manual_seed(0)
    scale, zero = torch.tensor(4 / 255), torch.tensor(64.0)
    codes = torch.randint(0, 256, (50,)).float()
    x, w = scale * (codes - zero), torch.randn(1, 1, 3, 3) * 4
    rounded, excess = on_input_codes(w, scale, zero)
    clamped = w.clamp(-zero * scale, (255 - zero) * scale)
    for weight, inner, code in zip(w.flatten(), clamped.flatten(), rounded.flatten(), strict=True):
        torch.testing.assert_close((x - weight).abs(), (x - inner).abs() + (weight - inner).abs(), rtol=1e-5, atol=1e-5)
        assert abs(inner - code) <= scale / 2 + 1e-6
    torch.testing.assert_close(excess, (w - clamped).abs().sum().view(1))


def test_kernels_keep_their_largest_weight_and_pass_gradients_on():
    kernel = torch.randn(4, 3, 3, 3, requires_grad=True)
    rounded = on_symmetric_codes(kernel)
    torch.testing.assert_close(rounded.abs().amax((1, 2, 3)), kernel.abs().amax((1, 2, 3)))
    assert all(len(channel.unique()) > 10 for channel in rounded)
    assert ((rounded - kernel).abs().amax((1, 2, 3)) <= kernel.abs().amax((1, 2, 3)) / 254 + 1e-6).all()
    rounded.sum().backward()
    assert (kernel.grad == 1).all()


def test_normalisation_stays_as_it_was():
    spec = SPECS[0]
    network = FakeQuantised(float_network(spec, 5), batches=[pair(spec)[0]])
    before = [block.running_mean.clone() for block in network.network.body]
    train(network, 3, 1e-3)
    assert all(torch.equal(block.running_mean, mean) for block, mean in zip(network.network.body, before, strict=True))


@pytest.mark.parametrize("spec", [SPECS[1], SPECS[3]], ids=["relu", "prelu"])
def test_a_state_restores_the_ranges(spec):
    network, other = (FakeQuantised(build(spec, expansion=16)) for _ in range(2))
    train(network, 2, 1e-3)
    assert network.known
    other.load_state_dict(network.state_dict())
    assert other.ranges() == network.ranges()
    assert torch.equal(other.eval()(pair(spec)[0]), network.eval()(pair(spec)[0]))


def test_slopes_count_as_below_one():
    """What the integer form can say is also what is trained."""
    network = FakeQuantised(float_network(SPECS[3], 5), batches=[pair(SPECS[3])[0]]).eval()
    pictures = []
    for slope in (0.99, 1.0, 3.0):
        for each in network.network.slopes():
            torch.nn.init.constant_(each, slope)
        pictures.append(network(pair(SPECS[3])[0]).detach())
    assert torch.equal(pictures[1], pictures[2])
    assert not torch.equal(pictures[0], pictures[1])
    assert network.int8()["body.0.slope"].max() == 2**15 - 1


def test_expanded_blocks_are_refused():
    with pytest.raises(ValueError, match="expanded"):
        FakeQuantised(build(SPECS[1], expansion=16, form="expanded"))
    FakeQuantised(build(SPECS[1], expansion=16, form="expanded"), weights=False)


def test_weights_alone_give_no_integer_form():
    network = FakeQuantised(build(SPECS[1], expansion=16), activations=False)
    assert network.int8() == {}
    assert torch.isfinite(network(pair(SPECS[1])[0])).all()
