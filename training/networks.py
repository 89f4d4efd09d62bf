"""The network of a run: built from its settings, started from nothing or from a model that exists."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.backends.torch import TorchBackend
from engine.errors import TrainingError
from training.blocks import CollapsibleLinear
from training.growth import grow
from training.loop import half_is_fast
from training.models import find_model
from training.network import AGAIN, AS_PUBLISHED, AdderTraining, Network, build, collapse_to_model, recompute_statistics
from training.quantise import FakeQuantised
from training.validate import runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from engine.weights import Model
    from training.checkpoint import Progress
    from training.settings import Settings


def device_of(settings: Settings) -> torch.device:
    """The device that the settings mean. Raises TrainingError where it is not there."""
    wanted = settings.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError("device: torch finds no CUDA device here; use --device cpu")
    device = torch.device(wanted)
    if settings.amp and not half_is_fast(device):
        raise TrainingError("amp: without AMX this processor would take ten times as long for bfloat16; leave amp out")
    return device


def make_network(settings: Settings, batches: Sequence[Tensor] = ()) -> Network:
    """The network to train, seeded, on the CPU.

    ``batches`` of luma set what depends on data: the statistics of an adder network that is trained further, and the ranges of
    activations that are quantised.
    """
    torch.manual_seed(settings.seed)
    start = find_model(settings.start) if settings.start else None
    network = build(
        settings.spec,
        expansion=settings.feature_size,
        form="expanded" if settings.linear_block_type == "expanded" else "collapsed",
        adder=adder_training(settings, start),
    )
    if start:
        begin_from(network, start, batches)
    if not (settings.quant_W or settings.quant_A):
        return network
    return FakeQuantised(network, weights=settings.quant_W, activations=settings.quant_A, batches=batches)


def adder_training(settings: Settings, start: Model | None = None) -> AdderTraining:
    """How a run's adder kernels learn, that begins from ``start``."""
    plan = AS_PUBLISHED if settings.recipe == "reference" else AdderTraining()
    if start and start.spec.block == "adder" and plan.reach[0]:
        plan = replace(plan, reach=AGAIN)
    return replace(plan, expansion=settings.adder_expansion or None, adaptive=settings.adaptive)


def begin_from(network: Network, model: Model, batches: Sequence[Tensor] = ()) -> None:
    """Take over a model's weights by exact re-expansion: all that have the same meaning in ``network``.

    Another scale leaves out the last layer, another kind of block the body. A smaller model is grown (`training.growth`). Raises
    ConfigError where it cannot be.
    """
    theirs, ours = model.spec, network.spec
    tensors = dict(model.tensors)
    if theirs.activation == "relu":
        tensors |= {f"body.{i}.slope": np.zeros(theirs.f, np.float32) for i in range(theirs.m)}
    if (theirs.m, theirs.f) != (ours.m, ours.f):
        tensors = grow(tensors, theirs, ours, network.collapse())
    same_block = theirs.block == ours.block
    network.load_collapsed(tensors, body=same_block, last=theirs.scale == ours.scale)
    if ours.block == "adder" and same_block:
        recompute_statistics(network, batches, keep=True)


def frozen(model: Model) -> Network:
    """A model as a network that only runs: a teacher."""
    network = build(model.spec, expansion=0)
    network.load_collapsed(model.tensors)
    return network.eval().requires_grad_(requires_grad=False)


def collapse_error(network: Network, model: Model, y_hw: NDArray[np.float32]) -> float:
    """The largest absolute difference between ``network`` with its blocks expanded, as written, and its collapsed form ``model``.

    Both run in float32 on the CPU over luma (H, W) in [0, 1] and are clipped; the difference is in the same units. Of a network that
    is trained in quantised form it is the float network below that is compared: the collapsed weights are not rounded either.
    """
    twin = copy.deepcopy(network.network if isinstance(network, FakeQuantised) else network).cpu().eval()
    for block in twin.modules():
        if isinstance(block, CollapsibleLinear) and block.plain is None:
            block.form = "expanded"
    difference = runner(twin)(y_hw) - TorchBackend(model, device="cpu").run(y_hw)
    return float(np.abs(difference).max())


def how_trained(settings: Settings, step: int) -> str:
    """On what and how, in a line for people."""
    patch = settings.hr_patch // settings.scale
    words = [
        f"“{Path(settings.data).name}”" + ("" if settings.degrade == "none" else f", spoilt as {settings.degrade} is"),
        f"{step:,} steps of {settings.batch_size} patches of {patch}×{patch}",
        f"{settings.loss}, {settings.optimiser}, highest rate {settings.learning_rate:g}",
    ]
    if settings.start:
        words.append(f"from {Path(settings.start).stem}")
    if settings.quant_W or settings.quant_A:
        words.append("for 8 bits")
    return "; ".join(words)


def to_model(network: Network, settings: Settings, progress: Progress, step: int, y_hw: NDArray[np.float32]) -> Model:
    """What the engine runs, with how it was trained; over ``y_hw``, luma in [0, 1], its collapse is measured (`collapse_error`)."""
    scored = "" if progress.best_db is None else f", {progress.best_db:.2f} dB on its validation pictures"
    about = {
        "title": settings.name,
        "summary": f"Trained here, {step:,} steps{scored}.",
        "licence": "as the training data allow",
        "data": Path(settings.data).name,
        "training": how_trained(settings, step),
        "recipe": {name: value for name, value in asdict(settings).items() if name not in ("data", "val", "sample")},
        "step": step,
        "validation_db": progress.best_db,
    }
    model = collapse_to_model(network, settings.name, about)
    return model.with_about(collapse_error=collapse_error(network, model, y_hw))
