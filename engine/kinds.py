"""What a file is, by its first bytes; its name counts only where the bytes say nothing."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Literal

from engine import headers
from engine.formats import READABLE_ENDINGS

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["picture", "video"]


def extensions(words: str) -> frozenset[str]:
    """The words, each with a dot before it."""
    return frozenset(f".{word}" for word in words.split())


VIDEO_EXTENSIONS = extensions("mp4 m4v mov mkv webm avi ts m2ts mts mpg mpeg wmv flv ogv 3gp mxf")

_VIDEO_MAGIC = (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"OggS", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")


def kind_of(path: Path) -> Kind | None:
    """What the regular file at ``path`` holds. None: neither a picture nor a video. Raises OSError."""
    with path.open("rb") as file:
        found = kind_of_bytes(file.read(headers.HEAD_BYTES))
    return found or kind_of_name(path)


def kind_of_name(path: Path) -> Kind | None:
    """What the extension promises."""
    extension = path.suffix.lower()
    if extension in READABLE_ENDINGS:
        return "picture"
    return "video" if extension in VIDEO_EXTENSIONS else None


def kind_of_bytes(head: bytes) -> Kind | None:
    """What a file that starts with ``head`` holds, None where that does not tell."""
    if headers.kind(head) is not None:
        return "picture"
    if head.startswith(_VIDEO_MAGIC) or head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "video"
    return "video" if len(head) > 376 and head[0] == head[188] == head[376] == 0x47 else None


def what_it_is(mode: int) -> str:
    """A file mode in words, for what is not a regular file: ``a named pipe``, ``a device``."""
    tests = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
    words = next((words for test, words in tests if test(mode)), None)
    return words or ("a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "not a regular file")
