"""Several processes training as one, started by ``torchrun``: each takes its part of every batch.

The mean of the parts' gradients is the whole batch's gradient, so that two processes train as one does, to rounding.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed

from engine.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

LONGEST_PAUSE = timedelta(days=30)
"""How long processes wait for one another: the first may be paused."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among those that train together. The first one alone writes."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def check_batch(self, batch: int) -> None:
        """Raise TrainingError unless a batch can be shared out equally."""
        if batch % self.count:
            raise TrainingError(f"batch_size {batch} cannot be shared equally by {self.count} processes")

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace every tensor by its mean over the processes, in place."""
        if self.count > 1:
            tensors = list(tensors)
            flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
            distributed.all_reduce(flat)
            flat /= self.count
            parts = torch.split(flat, [tensor.numel() for tensor in tensors])
            for tensor, mean in zip(tensors, parts, strict=True):
                tensor.copy_(mean.view_as(tensor))

    def agree(self, word: str) -> str:
        """What the first process says, told to all."""
        if self.count == 1:
            return word
        words = [word]
        distributed.broadcast_object_list(words)
        return words[0]


def join(device: torch.device) -> Processes:
    """Join the processes that ``torchrun`` started (its environment says how many); a lone process needs nothing."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Processes()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_PAUSE)
    return Processes(distributed.get_rank(), distributed.get_world_size())


def leave(processes: Processes) -> None:
    """Part from the others."""
    if processes.count > 1 or distributed.is_initialized():
        distributed.destroy_process_group()
