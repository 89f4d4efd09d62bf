"""A film written as numbered pictures, each whole or not at all; one that was interrupted goes on after the last."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from engine import images, video_frames
from engine.errors import VideoError
from engine.picture import Picture
from engine.sequences import sequence
from engine.storing import unstorable
from engine.video_rgb import shown
from engine.videos import upscaled, work_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.video_upscaler import LumaStage
    from engine.videos import Film


@dataclass(frozen=True, slots=True)
class Numbered:
    """Pictures by the name ``pattern``, the first with the number ``first``. ``key`` says what they are made from and how."""

    pattern: Path
    first: int
    key: str
    quality: int | None
    overwrite: bool

    def file(self, number: int) -> Path:
        """The picture of a frame, which are counted from 0."""
        return self.pattern.with_name(self.pattern.name % (self.first + number))

    def begin(self) -> int:
        """Note what is made; how many frames an earlier run of the same kind has left. Raises OutputError."""
        note = self._note()
        try:
            if note.exists() and note.read_text("utf-8") == self.key:
                return next(number for number in count() if not self.file(number).exists())
            note.parent.mkdir(exist_ok=True)
            note.write_text(self.key, "utf-8")
        except OSError as error:
            raise unstorable(note, error) from error
        return 0

    def end(self) -> None:
        """Forget the note: all is done."""
        with contextlib.suppress(OSError):
            self._note().unlink()
            self._note().parent.rmdir()

    def size(self, start: int, stop: int) -> int:
        """Bytes of the pictures of frames ``start`` up to ``stop``."""
        with contextlib.suppress(OSError):
            return sum(self.file(number).stat().st_size for number in range(start, stop))
        return 0

    def _note(self) -> Path:
        return work_folder(self.pattern) / "key.json"


def first_number(source: Path) -> int:
    """The number of the first picture: the source's own where that is numbered pictures as well, else 1."""
    pictures = sequence(source)
    return 1 if pictures is None else pictures.first


def make(
    film: Film, pictures: Numbered, before: int, luma: LumaStage, on_frame: Callable[[int], None], damaged: Callable[[float], None]
) -> int:
    """Write the frames that an earlier run has not, ``before`` of them; how many there are in all.

    Raises OutputError, VideoError, and what reading and upscaling raise.
    """
    info, done = film.info, before
    read = video_frames.stills(info, film.filters, None, damaged, film.excerpt)
    with upscaled(film, luma, (still for still in read if still.number >= before)) as made:
        for still in made:
            picture = Picture(shown(still.planes, info))
            images.write(picture, pictures.file(still.number), quality=pictures.quality, overwrite=pictures.overwrite)
            done = still.number + 1
            on_frame(done)
    if not done:
        raise VideoError(f"{info.path}: no frame of it can be decoded")
    pictures.end()
    return done
