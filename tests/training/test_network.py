"""Networks as torch modules: shapes, the way to engine weights and back, and the adder network's normalisation."""

import numpy as np
import pytest
import torch

from engine.network import NetworkSpec
from engine.weights import Model
from training.adder import adder_sums
from training.network import AS_PUBLISHED, SESR, AdderSESR, AdderTraining, build, collapse_to_model, recompute_statistics

SPECS = [
    NetworkSpec(2, 2, 16, "adder"),
    NetworkSpec(3, 1, 8, "adder", "relu"),
    NetworkSpec(4, 2, 16),
    NetworkSpec(2, 3, 8, activation="relu"),
]


def make(spec, seed=0, **options):
    torch.manual_seed(seed)
    return build(spec, expansion=32, **options)


def luma(batch=2, height=20, width=24, seed=3):
    return torch.rand(batch, 1, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_collapsed_weights_loaded_into_another_network_compute_the_same(spec):
    network, other = make(spec), make(spec, seed=1)
    network(luma())
    other.load_collapsed(network.collapse())
    network.eval()
    other.eval()
    torch.testing.assert_close(other(luma(seed=4)), network(luma(seed=4)), rtol=1e-4, atol=1e-4)
    for name, tensor in network.collapse().items():
        np.testing.assert_allclose(other.collapse()[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_all_but_the_last_layer_are_really_loaded_into_another_scale(spec):
    network = make(spec)
    other = make(NetworkSpec(4 if spec.scale != 4 else 3, spec.m, spec.f, spec.block, spec.activation), seed=1)
    before = other.collapse()
    other.load_collapsed(network.collapse(), last=False)
    for name, tensor in other.collapse().items():
        if name.startswith("last."):
            np.testing.assert_array_equal(tensor, before[name])
        else:
            np.testing.assert_allclose(tensor, network.collapse()[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("body_expansion", [None, 64])
def test_an_adder_network_folds_its_normalisation(body_expansion):
    """The engine's formula, layer by layer: activation(multiplier * -sum|x - w| + bias + x)."""
    network = make(SPECS[0], adder=AdderTraining(expansion=body_expansion))
    for seed in range(4):
        network(luma(seed=seed))
    network.eval()
    tensors = {name: torch.from_numpy(array) for name, array in network.collapse().items()}
    maps = network.features(luma(seed=9))
    for i in range(2):
        sums = adder_sums(maps[i], tensors[f"body.{i}.weight"])
        before = tensors[f"body.{i}.multiplier"].view(-1, 1, 1) * sums + tensors[f"body.{i}.bias"].view(-1, 1, 1) + maps[i]
        torch.testing.assert_close(maps[i + 1], torch.nn.functional.prelu(before, tensors[f"body.{i}.slope"]), rtol=1e-4, atol=1e-4)


def test_recomputed_statistics_are_those_of_the_batches():
    """In evaluation mode the network then does what it does in training mode on those batches."""
    network, batch = make(SPECS[0]), luma(8)
    recompute_statistics(network, [batch])
    training = network(batch)
    recompute_statistics(network, [batch])
    torch.testing.assert_close(network.eval()(batch), training, rtol=1e-4, atol=1e-5)


def test_kept_statistics_change_nothing_but_the_split():
    network, batch = make(SPECS[0]).eval(), luma(8)
    before, weights = network(batch), network.collapse()
    recompute_statistics(network, [batch, luma(8, seed=5)], keep=True)
    torch.testing.assert_close(network(batch), before, rtol=1e-4, atol=1e-4)
    for name, tensor in network.collapse().items():
        np.testing.assert_allclose(tensor, weights[name], rtol=1e-3, atol=1e-3)
    assert all(block.running_mean.abs().min() > 0 for block in network.body)


def test_an_adder_network_starts_from_its_convolution_twin():
    twin = make(NetworkSpec(2, 2, 16))
    network = make(SPECS[0], seed=1)
    kernels = [block.kernel().clone() for block in network.body]
    network.load_collapsed(twin.collapse(), body=False)
    for name in ("first.weight", "last.weight", "last.bias", "body.1.slope"):
        np.testing.assert_allclose(network.collapse()[name], twin.collapse()[name], rtol=1e-4, atol=1e-6)
    assert all(torch.equal(block.kernel(), kernel) for block, kernel in zip(network.body, kernels, strict=True))


def test_adder_layers_start_near_the_identity():
    network = make(NetworkSpec(2, 4, 16, "adder"))
    first, *_, last = network.features(luma())
    assert (last - first).std() < 0.5


def test_an_adder_network_learns():
    torch.manual_seed(0)
    network = build(NetworkSpec(2, 2, 8, "adder"), expansion=16)
    target = torch.nn.functional.interpolate(luma(4, 16, 16), scale_factor=2, mode="bilinear")
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (network(luma(4, 16, 16)) - target).abs().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert all(np.isfinite(losses))
    assert losses[-1] < 0.6 * losses[0]


def test_a_trained_network_becomes_a_model():
    model = collapse_to_model(make(SPECS[0]), "addersesr-m2f16-x2", {"licence": "CC0-1.0"})
    assert isinstance(model, Model)
    assert model.spec == SPECS[0]
    assert model.about["licence"] == "CC0-1.0"


def test_adder_layers_get_sharper_as_a_run_goes_on():
    network = make(SPECS[0])
    ways = []
    for done in (0, 0.4, 0.8, 1):
        network.progress(done)
        ways.append(network.body[0].reach)
    first, last = AdderTraining().reach
    assert ways == pytest.approx([first, (first * last) ** 0.5, last, last])
    published = AdderSESR(SPECS[0], expansion=16, adder=AS_PUBLISHED)
    published.progress(0.5)
    assert published.body[0].reach == 0


def test_what_is_validated_and_shipped_is_not_rounded_off():
    network = make(SPECS[0]).train()
    network.progress(0)
    x = torch.rand(1, SPECS[0].f, 12, 12)
    rounded_off = network.body[0].sums(x)
    network.eval()
    exact = network.body[0].sums(x)
    assert (rounded_off - exact).abs().min() > 0.1
    network.progress(1)
    assert torch.equal(network.body[0].sums(x), exact)


def test_a_kernels_unit_changes_nothing_but_how_far_a_step_goes():
    block = make(SPECS[0]).body[0].eval()
    x = torch.rand(1, SPECS[0].f, 12, 12)
    before, parameter = block.sums(x), block.kernel_parameters()[0].clone()
    block.set_size(block.size * 2)
    torch.testing.assert_close(block.sums(x), before)
    torch.testing.assert_close(block.kernel_parameters()[0], parameter / 2)


def test_only_an_adder_spec_makes_an_adder_network():
    assert isinstance(make(SPECS[0]), AdderSESR)
    assert isinstance(make(SPECS[2]), SESR)
    with pytest.raises(ValueError, match="adder"):
        AdderSESR(SPECS[2])
