"""Files put into their place whole: written aside, flushed to the disk, then named. A reader or a crash never meets half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX, SUFFIX = ".addersesr-", ".part"
SECONDS_A_DAY = 86400

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your quota on this disk is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than this disk's file system allows; choose another folder",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "the folder does not exist",
    errno.ENAMETOOLONG: "the name is too long for this disk; choose a shorter one",
    errno.EISDIR: "it is a folder",
}


@contextmanager
def aside(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a path in ``target``'s folder to write to; afterwards what was written there is ``target``.

    Where the body raises, ``target`` stays as it was and nothing is left behind. Raises OutputError where the file cannot be
    stored, or where ``target`` exists and ``overwrite`` is false, even if it came into being meanwhile.
    """
    if not overwrite and os.path.lexists(target):
        raise taken(target)
    temporary = target.with_name(f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}")
    try:
        temporary.open("xb").close()
        yield temporary
        _flush(temporary)
        _place(temporary, target, overwrite=overwrite)
    except OSError as error:
        raise unstorable(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left aside in ``folder``. What a living process writes is not touched."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            owner = path.name.removeprefix(PREFIX).partition("-")[0]
            if owner.isdecimal() and _forsaken(path, int(owner)):
                path.unlink(missing_ok=True)


def taken(target: Path) -> OutputError:
    """The error for a name that is in use."""
    return OutputError(f"{target}: exists already; choose another name or allow overwriting")


def unstorable(target: Path, error: OSError) -> OutputError:
    """The error for a file that the system refuses to store, with what to do about it."""
    reason = _REMEDIES.get(error.errno or 0) or error.strerror or str(error)
    return OutputError(f"{target}: cannot be written: {reason}")


def _forsaken(path: Path, owner: int) -> bool:
    """Whether the process ``owner`` is gone; on Windows, where asking is not harmless, whether ``path`` is a day old."""
    if os.name == "nt":
        return time.time() - path.stat().st_mtime > SECONDS_A_DAY
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # alive, and somebody else's
        return False
    return False


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _place(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(target)
    elif os.name == "nt":
        _rename_new(temporary, target)
    else:
        _link_new(temporary, target)
    if os.name != "nt":
        _flush_folder(target.parent)


def _rename_new(temporary: Path, target: Path) -> None:
    """On Windows a rename never replaces."""
    try:
        temporary.rename(target)
    except FileExistsError as error:
        raise taken(target) from error


def _link_new(temporary: Path, target: Path) -> None:
    """A hard link never replaces; where the file system has none, an exclusively made empty file reserves the name."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise taken(target) from error
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        try:
            target.open("xb").close()
        except FileExistsError as exists:
            raise taken(target) from exists
        temporary.replace(target)


def _flush_folder(folder: Path) -> None:
    """So that the new name survives a power cut too. Some file systems refuse, which loses nothing else."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
