"""The training loop: one step after another, with an averaged copy of the weights and a rate that falls to zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import TrainingError

if TYPE_CHECKING:
    from training.config import Loss, TrainConfig
    from training.data import Patches


class Trainer:
    """A network, its optimiser, its averaged twin and the step it has reached.

    ``network`` maps luma (N, 1, H, W) to (N, 1, scale*H, scale*W). A step's batch and rate depend on the seed and the
    step's number alone, so what `state` returns is all that a run needs to go on exactly as if it had not stopped.
    """

    def __init__(self, config: TrainConfig, network: nn.Module, patches: Patches) -> None:
        self.config = config
        self.network = network
        self.patches = patches
        self.step = 0
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.optimiser = torch.optim.Adam(network.parameters(), lr=config.rate, amsgrad=config.amsgrad)

    def advance(self) -> float:
        """Take one step and return its loss. Raises TrainingError when the loss is no longer finite."""
        low, high = (torch.from_numpy(array) for array in self.patches.draw(self.step))
        rate = learning_rate(self.config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss = pixel_loss(self.network(low), high, self.config.loss)
        loss.backward()
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(f"the loss is {value} at step {self.step} with a learning rate of {rate:.3g}")
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self._update_average()
        self.step += 1
        return value

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and buffers, warmed up so that early steps do not linger."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

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
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of one step: a linear warm-up, then half a cosine down to zero at the last step."""
    if step < config.warm_up:
        return config.rate * (step + 1) / config.warm_up
    done = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    return config.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def pixel_loss(output: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """The mean over pixels of |d|, of sqrt(d^2 + 1e-6), or of d^2."""
    if loss == "l1":
        return functional.l1_loss(output, target)
    if loss == "l2":
        return functional.mse_loss(output, target)
    return torch.sqrt((output - target) ** 2 + 1e-6).mean()
