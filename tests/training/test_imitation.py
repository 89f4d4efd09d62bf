"""An adder network that imitates its convolution twin starts closer to it."""

import pytest
import torch

from engine.network import NetworkSpec
from training.blocks import identity_kernel
from training.imitation import KERNEL_SIZE, imitate, imitation_losses, resemble
from training.network import build


def luma(seed, batch=4):
    return torch.rand(batch, 1, 20, 20, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def twins():
    torch.manual_seed(0)
    twin = build(NetworkSpec(2, 2, 8), expansion=16)
    network = build(NetworkSpec(2, 2, 8, "adder"), expansion=16)
    network.load_collapsed(twin.collapse(), body=False)
    return network, twin


def test_imitation_brings_every_layer_nearer_to_the_twins(twins):
    network, twin = twins
    before = [loss.item() for loss in imitation_losses(network, twin, luma(100))]
    losses = list(imitate(network, twin, (luma(seed) for seed in range(1000)), steps=60, rate=1e-2))
    after = [loss.item() for loss in imitation_losses(network, twin, luma(100))]
    assert len(losses) == 60
    assert all(later < 0.8 * earlier for earlier, later in zip(before, after, strict=True))


def test_only_the_body_learns_and_the_twin_stays_as_it_is(twins):
    network, twin = twins
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items() if name.startswith(("first.", "last."))}
    theirs = {name: tensor.clone() for name, tensor in twin.state_dict().items()}
    list(imitate(network, twin, [luma(1), luma(2)], steps=10, rate=1e-2))
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in kept.items())
    assert all(torch.equal(twin.state_dict()[name], tensor) for name, tensor in theirs.items())


def test_the_identity_scores_about_one(twins):
    network, twin = twins
    for block in network.body:
        torch.nn.init.zeros_(block.gain)
    for slope in network.slopes():
        torch.nn.init.ones_(slope)
    assert [loss.item() for loss in imitation_losses(network, twin, luma(3))] == pytest.approx([1, 1], abs=1e-3)


def test_a_layer_resembles_its_twins_from_the_start(twins):
    """The larger its kernel beside its inputs, the nearer it is to a convolution."""
    network, twin = twins
    network.train().progress(0)
    before = [loss.item() for loss in imitation_losses(network, twin, luma(100))]
    resemble(network, twin, luma(100))
    after = [loss.item() for loss in imitation_losses(network, twin, luma(100))]
    kernels = [block.kernel() for block in network.body]
    assert all(later < earlier for earlier, later in zip(before, after, strict=True))
    for kernel, block, theirs in zip(kernels, network.body, twin.body, strict=True):
        assert kernel.abs().mean().item() == pytest.approx(KERNEL_SIZE * block.size.item(), rel=1e-4)
        wanted = theirs.collapse()[0] - identity_kernel(kernel)
        torch.testing.assert_close(kernel / kernel.norm(), wanted / wanted.norm(), rtol=1e-4, atol=1e-6)


def test_a_blank_picture_gives_no_unit_but_a_network_that_still_works(twins):
    network, twin = twins
    network.train().progress(0)
    resemble(network, twin, torch.full((2, 1, 20, 20), 0.5))
    assert all(torch.isfinite(part).all() for part in network.state_dict().values())
