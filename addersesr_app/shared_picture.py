"""Pictures that the engine's process made, mapped into the window's without a copy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from collections.abc import Sized
    from multiprocessing.shared_memory import SharedMemory

    from engine.serve.protocol import Level, Pixels

BYTES_A_PIXEL = 4


class SharedPicture:
    """A picture's levels as images over shared memory; ``levels[0]`` is the whole one, each next half as large.

    The images are views: they must not be kept beyond `close`, nor painted into. Raises FileNotFoundError where the
    memory is gone.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._memory = attach(pixels.name)
        kind = QImage.Format.Format_ARGB32_Premultiplied if pixels.alpha else QImage.Format.Format_RGB32
        self.levels = [self._image(level, kind) for level in pixels.levels]

    @property
    def width(self) -> int:
        """Pixels a row of the whole picture."""
        return self.levels[0].width()

    @property
    def height(self) -> int:
        """Rows of the whole picture."""
        return self.levels[0].height()

    def level(self, zoom: float) -> QImage:
        """The smallest image that still has a pixel for every screen pixel at ``zoom`` screen pixels a picture pixel."""
        chosen = self.levels[0]
        for image in self.levels[1:]:
            if image.width() < self.width * zoom or image.height() < self.height * zoom:
                break
            chosen = image
        return chosen

    def close(self) -> None:
        """Let go of the memory."""
        self.levels = []
        self._memory.close()

    def _image(self, level: Level, kind: QImage.Format) -> QImage:
        row, buffer = level.width * BYTES_A_PIXEL, self._memory.buf
        assert buffer is not None
        view = buffer[level.offset : level.offset + row * level.height].toreadonly()
        return QImage(view, level.width, level.height, row, kind)


def attach(name: str) -> SharedMemory:
    """Map the block ``name``, which another process owns and removes.

    Before Python 3.13 attaching also books the block with this process's resource tracker, which would start one and remove
    the block at exit (python/cpython#82300); so booking is switched off for the call. The imports are here because no window
    needs them to start.
    """
    from multiprocessing import resource_tracker  # noqa: PLC0415
    from multiprocessing.shared_memory import SharedMemory  # noqa: PLC0415

    if sys.version_info >= (3, 13):
        return SharedMemory(name=name, track=False)
    register = resource_tracker.register
    resource_tracker.register = _book_nothing
    try:
        return SharedMemory(name=name)
    finally:
        resource_tracker.register = register


def _book_nothing(name: Sized, rtype: str) -> None:
    """Take the place of `resource_tracker.register`."""
