"""SOAP: Adam run in the eigenbasis of Shampoo's preconditioner (arXiv 2409.11321).

Adam takes each weight by itself. The kernels of a network this small are badly conditioned: what one channel learns undoes what
another has learnt, and most steps go into that. SOAP keeps running means of G Gᵀ and Gᵀ G of each kernel's gradient G (outputs ×
everything else), turns the gradient into their eigenvectors' coordinates, where its entries hardly depend on each other, and takes
Adam's step there. The matrices are small (16 × 16 and 144 × 144 for a layer of SESR-M5), so this costs no more than expanding the kernels
did. What it gains, most of it early in a run, is in `docs/training.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_SIDE = 1024
"""A side of more rows than this is left as it is: decomposing it would cost more than the step."""


class SOAP(Optimizer):
    """The optimiser over ``parameters``, for kernels (O, ...) and vectors; for vectors it is Adam.

    ``rate`` is the step's length in Adam's sense (under the key ``lr``); ``betas`` the decay of the gradient's mean, and of its squares
    and the preconditioner; ``every`` the steps between two updates of the eigenvectors.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        rate: float,
        *,
        betas: tuple[float, float] = (0.95, 0.95),
        epsilon: float = 1e-8,
        every: int = 10,
    ) -> None:
        super().__init__(parameters, {"lr": rate, "betas": betas, "epsilon": epsilon, "every": every})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _move(parameter, parameter.grad.flatten(1) if parameter.ndim > 1 else parameter.grad, self.state[parameter], group)


def _move(parameter: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    """One step of one parameter; its gradient is a matrix, or a vector that is taken as it is."""
    (slow, fast), bases = group["betas"], _bases(gradient, state)
    state["step"] += 1
    turned = _turn(gradient, bases)
    state["mean"].lerp_(gradient, 1 - slow)
    state["square"].mul_(fast).addcmul_(turned, turned, value=1 - fast)
    spread = (state["square"] / (1 - fast ** state["step"])).sqrt_().add_(group["epsilon"])
    direction = _turn(state["mean"], bases).div_(spread).div_(1 - slow ** state["step"])
    parameter.sub_(_turn_back(direction, bases).view_as(parameter), alpha=group["lr"])
    if gradient.ndim > 1:
        _observe(gradient, state, fast, refresh=state["step"] % group["every"] == 1 % group["every"])


def _bases(gradient: Tensor, state: dict[str, Any]) -> tuple[Tensor | None, Tensor | None]:
    """The eigenvectors on the left and on the right, as columns, largest first; None for a side that is left as it is."""
    if not state:
        state |= {"step": 0, "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
        for side, size, product in _sides(gradient):
            if size <= LARGEST_SIDE:
                state[f"{side} mean"] = product()
                state[f"{side} basis"] = torch.linalg.eigh(state[f"{side} mean"].double())[1].flip(1).to(gradient.dtype).contiguous()
    return state.get("left basis"), state.get("right basis")


def _observe(gradient: Tensor, state: dict[str, Any], decay: float, *, refresh: bool) -> None:
    """Take the gradient into the running means; with ``refresh``, turn the eigenvectors after them by one orthogonal iteration.

    They are sorted by their eigenvalues first, and the squares, which are in their coordinates, with them.
    """
    for axis, (side, _, product) in enumerate(_sides(gradient)):
        if f"{side} basis" not in state:
            continue
        mean, basis = state[f"{side} mean"].lerp_(product(), 1 - decay), state[f"{side} basis"]
        if refresh:
            order = ((mean @ basis) * basis).sum(0).argsort(descending=True, stable=True)
            state["square"] = state["square"].index_select(axis, order)
            state[f"{side} basis"] = torch.linalg.qr(mean @ basis[:, order])[0]


def _sides(gradient: Tensor) -> list[tuple[str, int, Any]]:
    """Both sides of a matrix: what it is called, its size, and what makes the product that is averaged. None of a vector or number."""
    if gradient.ndim < 2:
        return []
    rows, columns = gradient.shape
    return [("left", rows, lambda: gradient @ gradient.T), ("right", columns, lambda: gradient.T @ gradient)]


def _turn(matrix: Tensor, bases: tuple[Tensor | None, Tensor | None]) -> Tensor:
    """Into the eigenvectors' coordinates; a new tensor."""
    left, right = bases
    turned = matrix.clone() if left is None else left.T @ matrix
    return turned if right is None else turned @ right


def _turn_back(matrix: Tensor, bases: tuple[Tensor | None, Tensor | None]) -> Tensor:
    left, right = bases
    turned = matrix if left is None else left @ matrix
    return turned if right is None else turned @ right.T
