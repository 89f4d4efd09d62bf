from __future__ import annotations

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from engine.errors import TrainingError
from engine.network import Block, NetworkSpec
from tests.training.drawings import draw
from training.config import TrainConfig
from training.data import Pair, Patches
from training.loop import NotFiniteError, Trainer, half_is_fast, learning_rate, pixel_loss
from training.network import build
from training.networks import device_of
from training.settings import resolve

SPEC = NetworkSpec(2, 1, 4)
CONFIG = TrainConfig(spec=SPEC, expansion=8, steps=30, batch=4, patch=12, rate=2e-3, warm_up=3, ema=0.9)


@pytest.fixture
def patches() -> Patches:
    high = draw(3).mean(axis=2).astype(np.float32) / 255
    low = high.reshape(32, 2, 40, 2).mean((1, 3))
    return Patches([Pair("drawn", low, high)], 2, CONFIG.patch, CONFIG.batch, seed=1)


def trainer(patches: Patches, config: TrainConfig = CONFIG, **more: object) -> Trainer:
    torch.manual_seed(5)
    return Trainer(config, build(config.spec, expansion=config.expansion), patches, **more)


def test_the_loss_falls_and_the_same_seed_gives_the_same_losses(patches: Patches) -> None:
    first, second = trainer(patches), trainer(patches)
    losses = [first.advance() for _ in range(30)]
    assert losses == [second.advance() for _ in range(30)]
    assert np.mean(losses[-10:]) < 0.8 * losses[0]


@pytest.mark.parametrize("config", [CONFIG, dataclasses.replace(CONFIG, optimiser="soap", expansion=0)])
def test_a_state_goes_on_to_the_bit(patches: Patches, config: TrainConfig) -> None:
    whole = trainer(patches, config)
    losses = [whole.advance() for _ in range(20)]
    half = trainer(patches, config)
    for _ in range(9):
        half.advance()
    other = trainer(patches, config)
    other.load_state(half.state())
    assert [other.advance() for _ in range(11)] == losses[9:]
    assert all(torch.equal(a, b) for a, b in zip(whole.average.values(), other.average.values(), strict=True))


def test_the_rate_rises_then_falls_to_zero() -> None:
    rates = [learning_rate(CONFIG, step) for step in range(31)]
    assert rates[:3] == pytest.approx([CONFIG.rate / 3, CONFIG.rate * 2 / 3, CONFIG.rate])
    assert all(a >= b for a, b in itertools.pairwise(rates[2:]))
    assert rates[-1] == 0.0
    constant = TrainConfig(schedule="constant", warm_up=0)
    assert {learning_rate(constant, step) for step in (0, 1000, 27_999)} == {constant.rate}


def test_the_average_covers_buffers_and_follows_the_weights(patches: Patches) -> None:
    adder = TrainConfig(spec=NetworkSpec(2, 1, 4, "adder"), expansion=8, steps=10, batch=4, patch=12, rate=1e-3, ema=0.9)
    run = trainer(patches, adder)
    names = [name for name, _ in run.network.named_buffers() if name in run.average]
    before = {name: run.average[name].clone() for name in names}
    for _ in range(5):
        run.advance()
    assert names
    assert any(not torch.equal(run.average[name], before[name]) for name in names)
    plain = trainer(patches, TrainConfig(spec=SPEC, expansion=8, steps=5, batch=4, patch=12, ema=0.0))
    plain.advance()
    assert all(torch.equal(plain.average[name], tensor) for name, tensor in plain.network.state_dict().items())


def test_losses_are_what_they_are_called() -> None:
    x, t = torch.tensor([0.0, 3.0]), torch.tensor([1.0, 1.0])
    assert pixel_loss(x, t, "l1").item() == pytest.approx(1.5)
    assert pixel_loss(x, t, "l2").item() == pytest.approx(2.5)
    assert pixel_loss(x, t, "charbonnier").item() == pytest.approx((math.sqrt(1 + 1e-6) + math.sqrt(4 + 1e-6)) / 2)


def test_the_psnr_loss_weighs_errors_by_ratio() -> None:
    target = torch.zeros(2, 1, 4, 4)
    coarse, fine = (torch.stack([torch.full((1, 4, 4), a), torch.full((1, 4, 4), b)]) for a, b in ((0.1, 0.01), (0.1, 0.02)))
    assert pixel_loss(target, target, "psnr").item() == 0
    # Twice the error anywhere is log 4 in that patch, half of it in the mean.
    assert (pixel_loss(fine, target, "psnr") - pixel_loss(coarse, target, "psnr")).item() == pytest.approx(math.log(4) / 2, rel=0.01)
    # 20 dB a factor of ten in the error
    ten = pixel_loss(10 * coarse, target, "psnr") - pixel_loss(coarse, target, "psnr")
    assert (10 / math.log(10) * ten).item() == pytest.approx(20, rel=0.01)


def test_the_picture_loss_weighs_patches_by_how_hard_their_picture_is() -> None:
    target, hardness = torch.zeros(2, 1, 4, 4), torch.tensor([1e-2, 4e-4])
    output = torch.stack([torch.full((1, 4, 4), 0.1), torch.full((1, 4, 4), 0.02)])
    assert pixel_loss(output, target, "picture", hardness).item() == pytest.approx((1e-2 / 1e-2 + 4e-4 / 4e-4) / 2, rel=1e-2)
    assert pixel_loss(output, target, "picture", 4 * hardness).item() == pytest.approx(1 / 4, rel=1e-2)


def test_a_trainer_asks_for_the_hardness_of_its_patches_pictures(patches: Patches) -> None:
    plain, picture = (trainer(patches, dataclasses.replace(CONFIG, loss=loss)) for loss in ("l2", "picture"))
    (error,) = set(patches.errors(0).tolist())
    assert picture.advance() == pytest.approx(plain.advance() / (error + 1e-6), rel=1e-4)


def test_the_loss_becomes_l2_where_told(patches: Patches) -> None:
    l1, l2 = (
        trainer(patches),
        trainer(patches, TrainConfig(spec=SPEC, expansion=8, steps=30, batch=4, patch=12, l2_from=0.0)),
    )
    assert l2.advance() < 0.2 * l1.advance()


def test_gradients_are_clipped(patches: Patches) -> None:
    run = trainer(patches, TrainConfig(spec=SPEC, expansion=8, steps=30, batch=4, patch=12, clip=1e-4))
    run.advance()
    norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in run.network.parameters()]))
    assert norm.item() == pytest.approx(1e-4, rel=1e-3)


def test_a_teacher_is_imitated(patches: Patches) -> None:
    class Shifted(torch.nn.Module):
        def forward(self, low: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.interpolate(low, scale_factor=2) * 0 + 0.9

    config = TrainConfig(spec=SPEC, expansion=8, steps=60, batch=4, patch=12, rate=1e-2, warm_up=0, distil=1.0)
    run = trainer(patches, config, teacher=Shifted())
    for _ in range(60):
        run.advance()
    low, _ = patches.draw(0)
    assert abs(run.network(torch.from_numpy(low)).mean().item() - 0.9) < 0.05
    assert abs(low.mean() - 0.9) > 0.2


def test_what_is_not_finite_stops_with_step_and_rate(patches: Patches) -> None:
    run = trainer(patches)
    run.advance()
    with torch.no_grad():
        run.network.first.expand.weight.fill_(math.inf)
    with pytest.raises(NotFiniteError, match=r"step 1 with a learning rate of 0\.00133") as caught:
        run.advance()
    assert (caught.value.step, caught.value.rate) == (1, pytest.approx(CONFIG.rate * 2 / 3))
    with pytest.raises(NotFiniteError, match=r"first\.expand\.weight"):
        run.check_finite()


def test_mixed_precision_where_a_processor_is_slow_with_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with pytest.raises(TrainingError, match="AMX"):
        device_of(resolve({"device": "cpu", "amp": True}))


@pytest.mark.skipif(not half_is_fast(torch.device("cpu")), reason="needs AMX")
@pytest.mark.parametrize("block", ["convolution", "adder"])
def test_mixed_precision_on_a_processor_learns_what_float32_does(patches: Patches, block: Block) -> None:
    """Losses are close and not the same; weights and their averages stay float32."""
    spec = NetworkSpec(2, 2, 16, block)
    config = TrainConfig(spec=spec, expansion=0, steps=60, batch=4, patch=12, rate=2e-3, warm_up=3, ema=0.9, optimiser="soap")
    torch.manual_seed(0)
    network = build(spec, expansion=0)
    halves, floats = (Trainer(dataclasses.replace(config, amp=amp), copy.deepcopy(network), patches) for amp in (True, False))
    losses = [(halves.advance(), floats.advance()) for _ in range(60)]
    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-2)
    assert losses[0][0] != losses[0][1]
    assert losses[-1][0] == pytest.approx(losses[-1][1], rel=0.1)
    assert losses[-1][0] < 0.7 * losses[0][0]
    assert {tensor.dtype for tensor in halves.state()["average"].values() if tensor.is_floating_point()} == {torch.float32}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_mixed_precision_on_cuda_learns(patches: Patches) -> None:
    config = TrainConfig(spec=SPEC, expansion=8, steps=30, batch=4, patch=12, rate=2e-3, warm_up=3, ema=0.9, amp=True)
    run = Trainer(config, build(SPEC, expansion=8).cuda(), patches)
    losses = [run.advance() for _ in range(30)]
    assert losses[-1] < losses[0]
