"""Networks between two: one that was fine-tuned from a plain twin, and that twin, mixed weight by weight.

Fine-tuning leaves weights so near to where they began that every point on the line between is a network that works, from the plain
one (strength 0) to the one that ships (strength 1). The fine-tuned model's card names its twin, and the twin's weights by their
checksum: between others there is no such line.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import ModelError, UsageError
from engine.weights import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.foreign import AnyModel

FULL = 1.0
PLAIN = "plain"
"""The card's key: ``{"id": …, "weights": …}``, the twin's id and `weights_digest`."""
STRENGTH = "strength"
FIGURES = frozenset({"psnr", "ssim", "int8", "jpeg", "command", "collapse_error"})
"""What a card says of full strength alone."""


def check(strength: float) -> float:
    """``strength`` itself. Raises UsageError for one that is not between 0 and 1."""
    if not 0 <= strength <= FULL:
        raise UsageError(f"--strength {strength:g}: not between 0 (as the plain network) and 1 (as the model ships)")
    return strength


def weights_digest(model: Model) -> str:
    """SHA-256, in hex, of a model's float weights, whatever its card says."""
    found = hashlib.sha256()
    for name in sorted(model.tensors):
        found.update(f"{name} {model.tensors[name].shape}\n".encode())
        found.update(np.ascontiguousarray(model.tensors[name]).tobytes())
    return found.hexdigest()


def with_plain(model: Model, plain: Model) -> Model:
    """``model`` with ``plain`` named on its card as the twin that it was fine-tuned from. Raises ModelError for other networks."""
    if model.spec != plain.spec:
        raise ModelError(f"{plain.id} is another network than {model.id}: there is nothing between them")
    return model.with_about(**{PLAIN: {"id": plain.id, "weights": weights_digest(plain)}})


def plain_id(model: AnyModel) -> str:
    """The id of the twin that a card names, empty where it names none."""
    named = model.about.get(PLAIN)
    return str(named.get("id", "")) if isinstance(named, dict) else ""


def twin(model: AnyModel, others: Iterable[AnyModel]) -> Model | None:
    """The plain twin that ``model``'s card names, if it is among ``others`` with the weights that it had then."""
    if not isinstance(model, Model) or not (identity := plain_id(model)):
        return None
    named = model.about[PLAIN].get("weights")
    alike = (other for other in others if isinstance(other, Model) and other.id == identity and other.spec == model.spec)
    return next((other for other in alike if weights_digest(other) == named), None)


def strength_of(model: AnyModel) -> float:
    """How far along the line from its twin a model is; 1 for all that were not made by `at`."""
    value: Any = model.about.get(STRENGTH, FULL)
    return float(value) if isinstance(value, int | float) else FULL


def at(model: AnyModel, strength: float, others: Callable[[], Iterable[AnyModel]]) -> AnyModel:
    """``model`` at ``strength``: itself at 1, with the very weights of its twin at 0; in float32 alone between.

    ``others`` gives the models among which the twin is. Raises UsageError where the model has no twin, or not here.
    """
    if check(strength) == FULL:
        return model
    plain = twin(model, others())
    if plain is None:
        raise UsageError(f"--strength {strength:g}: {_why_not(model)}")
    assert isinstance(model, Model)
    return between(model, plain, strength)


def all_at(models: Sequence[AnyModel], strength: float) -> tuple[AnyModel, ...]:
    """``models``, those that have their twin among them at ``strength``. Raises UsageError as `check`."""
    if check(strength) == FULL:
        return tuple(models)
    pairs = ((model, twin(model, models)) for model in models)
    return tuple(model if plain is None or not isinstance(model, Model) else between(model, plain, strength) for model, plain in pairs)


def between(model: Model, plain: Model, strength: float) -> Model:
    """The network at ``strength`` on the line from ``plain`` to ``model``, under the latter's id."""

    def mixed(name: str) -> Any:
        start, end = plain.tensors[name].astype(np.float64), model.tensors[name].astype(np.float64)
        return (start + strength * (end - start)).astype(np.float32)

    about = {key: value for key, value in model.about.items() if key not in FIGURES}
    return replace(model, tensors={name: mixed(name) for name in model.tensors}, int8={}, about={**about, STRENGTH: strength})


def _why_not(model: AnyModel) -> str:
    identity = plain_id(model)
    if not identity:
        return f"{model.id} has no plain twin to be mixed with"
    return f"{model.id} is mixed with {identity}, which is not here with the weights that it was fine-tuned from"
