"""Following a file that another process appends lines to, or replaces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 20
"""Bytes taken at a time, so that a long file is read without holding the window up."""


class Follower:
    """Reads what is new in a file at each call of `read`. The file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._rest = b""

    def read(self) -> tuple[bool, list[bytes], bool]:
        """(whether the file is another one and everything starts anew, complete new lines, whether more waits)."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                anew = (self._inode, self._offset) != (0, 0) and (status.st_ino != self._inode or status.st_size < self._offset)
                if anew:
                    self._offset, self._rest = 0, b""
                self._inode = status.st_ino
                file.seek(self._offset)
                data = file.read(CHUNK)
        except OSError:
            return False, [], False
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return anew, lines, self._offset < status.st_size
