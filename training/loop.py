"""The training loop: one step after another, with an averaged copy of the weights and a rate that falls to zero."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import TrainingError
from training.distributed import Processes
from training.network import Network
from training.optimiser import make_optimiser

if TYPE_CHECKING:
    from training.config import Loss, TrainConfig
    from training.data import Patches


NEGLIGIBLE = 1e-6
"""Squared error that hardly counts in the psnr loss."""


class NotFiniteError(TrainingError):
    """The loss or a weight is no longer a number."""

    def __init__(self, what: str, step: int, rate: float) -> None:
        super().__init__(f"{what} is not finite at step {step} with a learning rate of {rate:.3g}")
        self.step = step
        self.rate = rate


class Trainer:
    """A network, its optimiser, its averaged twin and the step it has reached.

    ``network`` maps luma (N, 1, H, W) to (N, 1, scale*H, scale*W); so does ``teacher``, whose output the network imitates
    as far as the configuration says. A step's batch and rate depend on the seed and the step's number alone, so what
    `state` returns is all that a run needs to go on exactly as if it had not stopped.
    """

    def __init__(
        self,
        config: TrainConfig,
        network: nn.Module,
        patches: Patches,
        teacher: nn.Module | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.config = config
        self.network = network
        self.patches = patches
        self.teacher = teacher
        self.processes = processes or Processes()
        self.processes.check_batch(config.batch)
        self.device = next(network.parameters()).device
        self.step = 0
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.optimiser = make_optimiser(config.optimiser, network, config.rate, amsgrad=config.amsgrad)

    @property
    def rate(self) -> float:
        """The learning rate of the step that comes next."""
        return learning_rate(self.config, self.step)

    def advance(self) -> float:
        """Take one step and return its loss. Raises NotFiniteError when the loss is no longer a finite number."""
        low, high = (torch.from_numpy(array).to(self.device) for array in self._batch())
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * group.get("hurry", 1.0)
        self.optimiser.zero_grad(set_to_none=True)
        if isinstance(self.network, Network):
            self.network.progress(self.step / self.config.steps)
        loss = self._loss(low, high)
        loss.backward()  # type: ignore[no-untyped-call]
        value = self._shared(loss)
        if not math.isfinite(value):
            raise NotFiniteError("the loss", self.step, self.rate)
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self._update_average()
        self.step += 1
        return value

    def check_finite(self) -> None:
        """Raise NotFiniteError if a weight or buffer is not a finite number, so that such a state is never kept."""
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise NotFiniteError(name, self.step, self.rate)

    def state(self) -> dict[str, Any]:
        """Everything that changes from step to step."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average = {name: tensor.to(self.device) for name, tensor in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])

    def restart_average(self) -> None:
        """Let the averaged weights be the present ones, after these were loaded from elsewhere."""
        self.average = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def _batch(self) -> tuple[Any, Any]:
        return self.patches.draw(self.step, self.processes.rank, self.processes.count)

    def _loss(self, low: Tensor, high: Tensor) -> Tensor:
        config = self.config
        kind: Loss = "l2" if self.step >= config.l2_from * config.steps else config.loss
        with precision(self.device, amp=config.amp):
            output = self.network(low)
        loss = pixel_loss(output.float(), high, kind, self._hardness(kind))
        if self.teacher is None or not config.distil:
            return loss
        with torch.no_grad(), precision(self.device, amp=config.amp):
            taught = self.teacher(low).float()
        return (1 - config.distil) * loss + config.distil * pixel_loss(output.float(), taught, kind, self._hardness(kind))

    def _hardness(self, kind: Loss) -> Tensor | None:
        """The bicubic errors of the batch's pictures, for the loss that asks for them."""
        if kind != "picture":
            return None
        return torch.from_numpy(self.patches.errors(self.step, self.processes.rank, self.processes.count)).to(self.device)

    def _shared(self, loss: Tensor) -> float:
        """Make the gradients those of the whole batch; its loss."""
        mean = loss.detach().clone()
        gradients = (parameter.grad for parameter in self.network.parameters() if parameter.grad is not None)
        self.processes.average([mean, *gradients])
        return mean.item()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and buffers, warmed up so that early steps do not linger."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of one step: a linear warm-up, then half a cosine down to zero at the last step, or the same throughout."""
    if step < config.warm_up:
        return config.rate * (step + 1) / config.warm_up
    if config.schedule == "constant":
        return config.rate
    done = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    return config.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def pixel_loss(output: Tensor, target: Tensor, loss: Loss, hardness: Tensor | None = None) -> Tensor:
    """The mean over pixels of |d|, of sqrt(d^2 + 1e-6), or of d^2; others over patches (N, C, H, W) first.

    ``psnr`` is the mean of log(1 + m / 1e-6), with m the mean of d^2 over a patch.
    Logarithms are what a mean PSNR over pictures is made of (arXiv 2204.04676): a clean edge counts as much as a coarse texture whose
    errors are ten times as large. Errors well below 1e-3, a quarter of an 8-bit level, no longer count. A patch is not its picture,
    though: within one, what counts is the sum of d^2. ``picture`` is therefore the mean of d^2 over that of its whole picture as first
    enlarged, ``hardness`` (N,): near the end of a training, whose errors are a nearly constant part of those, the slope of the mean PSNR.
    """
    if loss == "picture":
        assert hardness is not None
        return ((output - target).square().mean((1, 2, 3)) / (hardness + NEGLIGIBLE)).mean()
    if loss == "psnr":
        return torch.log1p((output - target).square().mean((1, 2, 3)) / NEGLIGIBLE).mean()
    if loss == "l1":
        return functional.l1_loss(output, target)
    if loss == "l2":
        return functional.mse_loss(output, target)
    return torch.sqrt((output - target) ** 2 + 1e-6).mean()


def half_is_fast(device: torch.device) -> bool:
    """Whether bfloat16 is safe and fast there: on CUDA, and on processors that multiply matrices of it (AMX).

    On other processors it is ten times slower than float32.
    """
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_amx_tile_supported())


def precision(device: torch.device, *, amp: bool) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 if ``amp`` wants it and it is fast there; float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16) if amp and half_is_fast(device) else contextlib.nullcontext()
