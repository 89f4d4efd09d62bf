"""What the loop is asked to do: data, validated where it is made. `training.settings` is how people write it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from engine.network import NetworkSpec
from training.blocks import Form

Loss = Literal["l1", "charbonnier", "l2", "psnr", "picture"]
Schedule = Literal["cosine", "constant"]
OptimiserName = Literal["soap", "adam"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A whole recipe. Sizes are in low-resolution pixels; ``ema`` 0 turns averaging off; ``clip`` 0 turns clipping off.

    ``l2_from`` is the part of the steps (0 to 1) after which the loss becomes L2; 1 keeps ``loss`` throughout. ``distil``
    is the share of the loss (0 to 1) that compares with a teacher's output instead of the picture. ``amp`` computes in
    bfloat16 where that is fast, on CUDA and on processors with AMX. ``expansion`` 0 trains kernels as they are; ``amsgrad`` is Adam's.
    """

    spec: NetworkSpec = field(default_factory=lambda: NetworkSpec(2, 5, 16))
    expansion: int = 256
    form: Form = "collapsed"
    steps: int = 28_000
    batch: int = 16
    patch: int = 48
    rate: float = 5e-4
    warm_up: int = 200
    ema: float = 0.999
    loss: Loss = "l1"
    amsgrad: bool = False
    clip: float = 0.0
    seed: int = 0
    schedule: Schedule = "cosine"
    l2_from: float = 1.0
    distil: float = 0.0
    amp: bool = False
    optimiser: OptimiserName = "adam"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "patch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.expansion < (form := int(self.form == "expanded")):
            raise ValueError(f"expansion must be at least {form}, not {self.expansion}")
        if self.amsgrad and self.optimiser != "adam":
            raise ValueError("amsgrad is a variant of adam")
        if not 0 < self.rate < 1:
            raise ValueError(f"rate must lie between 0 and 1, not {self.rate}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be at least 0 and below 1, not {self.ema}")
        for name in ("l2_from", "distil"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie from 0 to 1, not {getattr(self, name)}")
        if self.warm_up < 0 or self.clip < 0 or self.seed < 0:
            raise ValueError("warm_up, clip and seed must not be negative")
        for name, kind in (("loss", Loss), ("schedule", Schedule), ("form", Form), ("optimiser", OptimiserName)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} must be one of {get_args(kind)}, not {getattr(self, name)!r}")
