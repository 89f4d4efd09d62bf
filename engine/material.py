"""What networks are trained for: clean material, or what JPEG or video codecs leave behind. `engine.suited` tells what a file is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from engine.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.network import Spec

Material = Literal["clean", "photo", "video"]


class Named(Protocol):
    """A model as far as it matters here."""

    @property
    def id(self) -> str:
        """Its id, such as ``sesr-m11-x2-photo``."""


class Shaped(Named, Protocol):
    """A model with its network as data."""

    @property
    def spec(self) -> Spec:
        """The network."""


Candidate = TypeVar("Candidate", bound=Named)
Network = TypeVar("Network", bound=Shaped)


def trained_for(identity: str) -> Material:
    """What a model is for, by the end of its id."""
    if identity.endswith("-photo"):
        return "photo"
    return "video" if identity.endswith("-video") else "clean"


def preferred(candidates: Sequence[Candidate], material: Material) -> Candidate:
    """The first candidate for ``material``, else the first clean one, else the first. Raises ValueError where there is none."""
    if not candidates:
        raise ValueError("there is no model to choose from")
    order: Iterable[Material] = (material, "clean")
    found = (candidate for wanted in order for candidate in candidates if trained_for(candidate.id) == wanted)
    return next(found, candidates[0])


def suiting(chosen: Network, others: Sequence[Network], material: Material) -> Network:
    """``chosen``, or where it is for another material one of the ``others`` that is for this: at its scale, of its shape if possible."""
    if trained_for(chosen.id) == material:
        return chosen
    fitting = [other for other in others if other.spec.scale == chosen.spec.scale and trained_for(other.id) == material]
    return next((other for other in fitting if _shape(other) == _shape(chosen)), fitting[0] if fitting else chosen)


def _shape(model: Shaped) -> tuple[int, int, str] | str:
    """What two networks have in common that differ in their training alone; somebody else's is like no other."""
    spec = model.spec
    return (spec.m, spec.f, spec.block) if isinstance(spec, NetworkSpec) else model.id
