"""Which network does a job, and how often it is applied to reach a size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine import strength as strengths
from engine.errors import ModelError, UsageError
from engine.material import preferred, suiting
from engine.weights import Model

if TYPE_CHECKING:
    from engine.catalogue import Catalogue
    from engine.foreign import AnyModel
    from engine.material import Material

DEFAULT_SCALE = 2
MAX_SIDE = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """The size wanted: a factor, or the output's width, height or both in pixels. With none of them, the network's own factor.

    Beside an exact size, the factor only says which network takes the picture there.
    """

    scale: int | None = None
    width: int | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        for name, side in (("--width", self.width), ("--height", self.height)):
            if side is not None and not 1 <= side <= MAX_SIDE:
                raise UsageError(f"{name} {side}: not between 1 and {MAX_SIDE}")

    @property
    def exact(self) -> bool:
        """Whether the size is given in pixels."""
        return self.width is not None or self.height is not None

    def size(self, width: int, height: int, scale: int) -> tuple[int, int]:
        """Output width and height for an input of this size; one side given keeps the proportions, rounded half up."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        if self.width is not None:
            return self.width, _proportional(height, self.width, width)
        if self.height is not None:
            return _proportional(width, self.height, height), self.height
        factor = self.scale or scale
        return width * factor, height * factor


def _proportional(side: int, wanted: int, other: int) -> int:
    return max(1, (2 * side * wanted + other) // (2 * other))


@dataclass(frozen=True)
class Selection:
    """The network for each file: the one that the user named, else the catalogue's first of a fitting scale and material.

    Where there are ``models`` beside a named one, it gives way to those among them that suit a file's material.
    """

    models: tuple[AnyModel, ...]
    named: AnyModel | None
    target: Target

    def for_size(self, width: int, height: int, material: Material = "clean") -> AnyModel:
        """The network for an input of this size: the smallest scale that reaches the target, else the largest there is."""
        if self.named is not None:
            return suiting(self.named, self.models, material)
        return self._preferred(self._scale_for(width, height), material)

    @property
    def fixed(self) -> bool:
        """Whether the named network does every file."""
        return self.named is not None and not self.models

    @property
    def by_size(self) -> bool:
        """Whether a file's size says which network does it."""
        return self.named is None and self.target.exact and self.target.scale is None

    @property
    def nominal(self) -> AnyModel:
        """The network that stands in names and is prepared first."""
        return self.named or self._preferred(self._at_least(self.target.scale or DEFAULT_SCALE))

    @property
    def nominal_scale(self) -> int:
        """The factor that stands in names."""
        return self.target.scale or self.nominal.spec.scale

    def _scale_for(self, width: int, height: int) -> int:
        if not self.by_size:
            return self._at_least(self.target.scale or DEFAULT_SCALE)
        wanted_width, wanted_height = self.target.size(width, height, 1)
        return self._at_least(max(-(-wanted_width // width), -(-wanted_height // height)))

    def _at_least(self, factor: int) -> int:
        scales = sorted({model.spec.scale for model in self.models})
        return next((scale for scale in scales if scale >= factor), scales[-1])

    def _preferred(self, scale: int, material: Material = "clean") -> AnyModel:
        return preferred([model for model in self.models if model.spec.scale == scale], material)


def select(
    catalogue: Catalogue,
    model: str | None,
    target: Target,
    precision: str = "auto",
    strength: float = strengths.FULL,
    *,
    suited: bool = False,
) -> Selection:
    """The networks that a job may use, those that have a plain twin at ``strength`` (see `engine.strength`).

    ``suited``: the named model gives way to those that suit a file's material.

    Raises UsageError for an id that is not known, or a precision or strength that the named model does not have, ModelError for a damaged
    file or where there is no model at all.
    """
    if model is None:
        models = tuple(each for each in strengths.all_at(catalogue.models(), strength) if precision in ("auto", *each.precisions))
        if not models:
            raise ModelError(f"no {'' if precision == 'auto' else precision + ' '}model is installed; name a model file with --model")
        return Selection(models, None, target)
    named = strengths.at(find(catalogue, model), strength, catalogue.models)
    if precision not in ("auto", *named.precisions):
        between = "" if strengths.strength_of(named) == strengths.FULL else f" at strength {strength:g}"
        raise UsageError(f"--precision {precision}: {named.id} has no {precision} form{between} (it has {', '.join(named.precisions)})")
    return Selection(strengths.all_at(catalogue.models(), strength) if suited else (), named, target)


def find_own(catalogue: Catalogue, model: str) -> Model:
    """As `find`, for what needs a network's layers. Raises UsageError for somebody else's ONNX file, whose layers are not ours."""
    found = find(catalogue, model)
    if not isinstance(found, Model):
        raise UsageError(f"{found.id} is somebody else's ONNX file: it can be run, but not taken apart")
    return found


def find(catalogue: Catalogue, model: str) -> AnyModel:
    """The model of this id or file. Raises UsageError where there is none, ModelError where the file is damaged."""
    try:
        return catalogue.find(model)
    except ModelError as error:
        if Path(model).exists():
            raise
        raise UsageError(str(error)) from error
