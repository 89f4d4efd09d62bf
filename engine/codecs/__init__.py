"""The libraries that decode and encode pictures, each behind the same few names. Only `engine.images` uses what is in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.picture import Metadata
    from engine.rows import Source


class CodecError(Exception):
    """A library refused a file or a picture. The message is a reason without a file name."""


class RoomError(CodecError):
    """There is not the room, on disk or in memory, for a picture that is in order. The message says how much it takes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture's rows, upright, to be taken once from the top down, and what the file says beside them.

    ``warnings`` are for the user: something about the picture could not be kept. ``source.rows`` raises CodecError where the data
    turn out to be damaged; where they are only odd, ``complaints`` say so once they are taken.
    """

    source: Source
    metadata: Metadata
    warnings: tuple[str, ...] = ()
    complaints: Sequence[str] = ()
