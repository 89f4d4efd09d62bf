"""What networks are trained for: clean material, or what JPEG or video codecs leave behind. `engine.suited` tells what a file is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Material = Literal["clean", "photo", "video"]


class Named(Protocol):
    """A model as far as it matters here."""

    @property
    def id(self) -> str:
        """Its id, such as ``sesr-m11-x2-photo``."""


Candidate = TypeVar("Candidate", bound=Named)


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
