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
    """The optimiser over ``parameters`` (or groups of them, as torch has it), for kernels (O, ...) and vectors; for vectors it is Adam.

    ``rate`` is the step's length in Adam's sense (under the key ``lr``); ``betas`` the decay of the gradient's mean, and of its squares
    and the preconditioner; ``every`` the steps between two updates of the eigenvectors.

    Parameters of one shape are taken together, as a stack: a network has many small kernels, and calls cost more than they compute. Their
    state is the first one's. A gradient missing in a stack that has others counts as zero.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
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
            for stack in _stacks(group["params"]):
                if any(parameter.grad is not None for parameter in stack):
                    _move(stack, self.state[stack[0]], group)


def _stacks(parameters: list[Tensor]) -> list[list[Tensor]]:
    """Parameters by shape, in the order in which the shapes come."""
    stacks: dict[torch.Size, list[Tensor]] = {}
    for parameter in parameters:
        stacks.setdefault(parameter.shape, []).append(parameter)
    return list(stacks.values())


def _move(stack: list[Tensor], state: dict[str, Any], group: dict[str, Any]) -> None:
    """One step of parameters of one shape."""
    gradient = torch.stack([torch.zeros_like(each) if each.grad is None else each.grad for each in stack])
    if gradient.ndim > 2:
        gradient = gradient.flatten(2)  # one matrix a kernel
    (slow, fast), bases = group["betas"], _bases(gradient, state)
    state["step"] += 1
    turned = _turn(gradient, bases)
    state["mean"].lerp_(gradient, 1 - slow)
    state["square"].mul_(fast).addcmul_(turned, turned, value=1 - fast)
    spread = (state["square"] / (1 - fast ** state["step"])).sqrt_().add_(group["epsilon"])
    direction = _turn(state["mean"], bases).div_(spread).div_(1 - slow ** state["step"])
    for parameter, way in zip(stack, _turn_back(direction, bases), strict=True):
        parameter.sub_(way.view_as(parameter), alpha=group["lr"])
    if gradient.ndim > 2:
        _observe(gradient, state, fast, refresh=state["step"] % group["every"] == 1 % group["every"])


def _bases(gradient: Tensor, state: dict[str, Any]) -> tuple[Tensor | None, Tensor | None]:
    """The eigenvectors on the left and on the right, as columns, largest first; None for a side that is left as it is."""
    if not state:
        state |= {"step": 0, "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
        for side, size, product in _sides(gradient):
            if size <= LARGEST_SIDE:
                state[f"{side} mean"] = product()
                state[f"{side} basis"] = torch.linalg.eigh(state[f"{side} mean"].double())[1].flip(2).to(gradient.dtype).contiguous()
    return state.get("left basis"), state.get("right basis")


def _observe(gradient: Tensor, state: dict[str, Any], decay: float, *, refresh: bool) -> None:
    """Take the gradients into the running means; with ``refresh``, turn the eigenvectors after them by one orthogonal iteration.

    They are sorted by their eigenvalues first, and the squares, which are in their coordinates, with them.
    """
    for axis, (side, _, product) in enumerate(_sides(gradient), start=1):
        if f"{side} basis" not in state:
            continue
        mean, basis = state[f"{side} mean"].lerp_(product(), 1 - decay), state[f"{side} basis"]
        if refresh:
            order = ((mean @ basis) * basis).sum(1).argsort(dim=1, descending=True, stable=True)
            along = order[:, :, None] if axis == 1 else order[:, None, :]
            state["square"] = state["square"].gather(axis, along.expand_as(state["square"]))
            state[f"{side} basis"] = torch.linalg.qr(mean @ basis.gather(2, order[:, None, :].expand_as(basis)))[0]


def _sides(gradient: Tensor) -> list[tuple[str, int, Any]]:
    """Both sides of the matrices: what it is called, its size, and what makes the products that are averaged. None of vectors."""
    if gradient.ndim < 3:
        return []
    _, rows, columns = gradient.shape
    return [("left", rows, lambda: gradient @ gradient.mT), ("right", columns, lambda: gradient.mT @ gradient)]


def _turn(matrices: Tensor, bases: tuple[Tensor | None, Tensor | None]) -> Tensor:
    """Into the eigenvectors' coordinates; a new tensor."""
    left, right = bases
    turned = matrices.clone() if left is None else left.mT @ matrices
    return turned if right is None else turned @ right


def _turn_back(matrices: Tensor, bases: tuple[Tensor | None, Tensor | None]) -> Tensor:
    left, right = bases
    turned = matrices if left is None else left @ matrices
    return turned if right is None else turned @ right.mT
