"""Pictures that the window has open: read once, kept while they are looked at, read again when their files change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine import images
from engine.errors import PictureError, TooLargeError
from engine.kinds import kind_of
from engine.serve import display

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory

    from engine.picture import Picture
    from engine.serve.protocol import Network, Pixels

KEPT_PICTURES = 2
SPARE_BLOCKS = 3
MOST_SHOWN_PIXELS = 100_000_000
"""Of a source or a result that is held whole for the screen: 8 bytes a pixel, its copy in shared memory included."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as it was at one time; another file by the same name has another stamp.

    ``at_s`` is a moment of a film, whose frame is ``deinterlaced`` or not.
    """

    path: str
    modified_ns: int
    size: int
    at_s: float | None = None
    deinterlaced: bool = False


class Gallery:
    """Sources by their path, and the latest whole result. For use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: OrderedDict[Stamp, Picture] = OrderedDict()
        self._result: tuple[Stamp, Network, Picture] | None = None

    def picture(self, path: str, at_s: float | None = None, *, deinterlaced: bool = False) -> Picture:
        """The picture at ``path`` as it is now; of a film the frame that is shown ``at_s`` seconds from its first one.

        Raises PictureError, TooLargeError among them, and VideoError.
        """
        stamp = replace(stamp_of(path), at_s=at_s, deinterlaced=deinterlaced)
        with self._lock:
            if stamp not in self._pictures:
                self._pictures[stamp] = _read(stamp)
            self._pictures.move_to_end(stamp)
            while len(self._pictures) > KEPT_PICTURES:
                self._pictures.popitem(last=False)
            return self._pictures[stamp]

    def keep_result(self, path: str, network: Network, picture: Picture) -> None:
        """Remember what ``network`` made of the picture at ``path``, in place of what was remembered before."""
        stamp = stamp_of(path)
        with self._lock:
            self._result = (stamp, network, picture)

    def result(self, path: str, network: Network) -> Picture | None:
        """What was remembered, if it is of this file as it is now and this network."""
        stamp = stamp_of(path)
        with self._lock:
            return self._result[2] if self._result and self._result[:2] == (stamp, network) else None


class Wall:
    """Shared memory that the window looks at. For use from several threads.

    What is hung with ``passing`` is used again after `take_down`: new memory costs a preview more than its pixels do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[str, SharedMemory] = {}
        self._passing: set[str] = set()
        self._spare: list[SharedMemory] = []

    def hang(self, picture: Picture, *, whole_only: bool = False, passing: bool = False) -> Pixels:
        """Put a picture where the window can see it, until `take_down`. Raises OutputError where there is no room."""
        levels = display.plan_levels(picture.width, picture.height, whole_only=whole_only)
        with self._lock:
            memory = (self._spare_for(display.bytes_of(levels)) if passing else None) or display.memory_for(levels)
            self._blocks[memory.name] = memory
            if passing:
                self._passing.add(memory.name)
        return display.share(picture, memory, levels)

    def take_down(self, name: str) -> None:
        """Let go of one block; unless it was ``passing``, the window keeps what it has mapped. Unknown names are left alone."""
        with self._lock:
            memory = self._blocks.pop(name, None)
            if memory is None:
                return
            if name in self._passing and len(self._spare) < SPARE_BLOCKS:
                self._spare.append(memory)
                return
            self._passing.discard(name)
        _remove(memory)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            blocks = [*self._blocks.values(), *self._spare]
            self._blocks, self._spare = {}, []
        for memory in blocks:
            _remove(memory)

    def _spare_for(self, size: int) -> SharedMemory | None:
        """A spare block of at least this size; smaller ones are removed, since what is seen has become larger."""
        while self._spare:
            memory = self._spare.pop()
            if memory.size >= size:
                return memory
            self._passing.discard(memory.name)
            _remove(memory)
        return None


def _remove(memory: SharedMemory) -> None:
    memory.close()
    memory.unlink()


def check_shown(path: str, width: int, height: int, what: str = "") -> None:
    """Raise TooLargeError for a picture, or (``what``) something of it, that cannot be held whole for the screen."""
    if width * height > MOST_SHOWN_PIXELS:
        megapixels, most = width * height // 1_000_000, MOST_SHOWN_PIXELS // 1_000_000
        raise TooLargeError(
            f"{path}: {what}{width}×{height} pixels are too many to be shown ({megapixels} megapixels, at most {most}); "
            "saving and the queue work strip by strip, at any size"
        )


def _read(stamp: Stamp) -> Picture:
    path = stamp.path
    if kind_of(Path(path)) == "video":
        from engine.serve.video_stills import frame_at  # noqa: PLC0415 (it loads FFmpeg, which pictures do not need)

        return frame_at(Path(path), stamp.at_s or 0.0, deinterlaced=stamp.deinterlaced)
    with images.reading(Path(path)) as source:
        check_shown(path, source.layout.width, source.layout.height)
        return images.first_page(source)


def stamp_of(path: str) -> Stamp:
    """What tells a file from another by the same name. Raises PictureError where there is none."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror})") from error
    return Stamp(path, status.st_mtime_ns, status.st_size)
