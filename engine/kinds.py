"""What a file is, by its first bytes; its name counts only where the bytes say nothing."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["picture", "video"]


def extensions(words: str) -> frozenset[str]:
    """The words, each with a dot before it."""
    return frozenset(f".{word}" for word in words.split())


PICTURE_EXTENSIONS = extensions("jpg jpeg jpe jfif png apng webp tif tiff bmp dib gif avif heic heif jp2 j2k jpx pnm pbm pgm ppm pam pfm")
VIDEO_EXTENSIONS = extensions("mp4 m4v mov mkv webm avi ts m2ts mts mpg mpeg wmv flv ogv 3gp mxf")

_HEAD_BYTES = 400
_PICTURE_MAGIC = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",  # TIFF, and BigTIFF below
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"BM",
    b"\0\0\0\x0cjP  \r\n\x87\n",  # JPEG 2000 in its box format, and as a bare codestream
    b"\xff\x4f\xff\x51",
)
_VIDEO_MAGIC = (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"OggS", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")
_PICTURE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})


def kind_of(path: Path) -> Kind | None:
    """What the regular file at ``path`` holds. None: neither a picture nor a video. Raises OSError."""
    with path.open("rb") as file:
        found = kind_of_bytes(file.read(_HEAD_BYTES))
    return found or kind_of_name(path)


def kind_of_name(path: Path) -> Kind | None:
    """What the extension promises."""
    extension = path.suffix.lower()
    if extension in PICTURE_EXTENSIONS:
        return "picture"
    return "video" if extension in VIDEO_EXTENSIONS else None


def kind_of_bytes(head: bytes) -> Kind | None:
    """What a file that starts with ``head`` (400 bytes are enough) holds, None where that does not tell."""
    if head[4:8] == b"ftyp":
        return "picture" if head[8:12] in _PICTURE_BRANDS else "video"
    if head[:4] == b"RIFF":
        return {b"WEBP": "picture", b"AVI ": "video"}.get(head[8:12])  # type: ignore[return-value]
    if head.startswith(_PICTURE_MAGIC) or (head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3] in b"\n\r\t "):
        return "picture"
    if head.startswith(_VIDEO_MAGIC) or (len(head) > 376 and head[0] == head[188] == head[376] == 0x47):
        return "video"
    return None


def what_it_is(mode: int) -> str:
    """A file mode in words, for what is not a regular file: ``a named pipe``, ``a device``."""
    tests = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
    words = next((words for test, words in tests if test(mode)), None)
    return words or ("a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "not a regular file")
