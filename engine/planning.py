"""Inputs (files and folders) to pairs of an input and its output, all decided before any work starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import OutputError, PictureError, UsageError
from engine.events import Event, Failed, Skipped, Warned
from engine.formats import ENDINGS
from engine.kinds import Kind, extensions, kind_of, what_it_is
from engine.naming import Naming, next_free, output_extension
from engine.sequences import sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WRITABLE_PICTURES = frozenset(ENDINGS)
WRITABLE_VIDEOS = extensions("mp4 m4v mov mkv webm avi ts")
FALLBACKS: dict[Kind, str] = {"picture": ".png", "video": ".mkv"}


@dataclass(frozen=True, slots=True)
class Task:
    """One file to upscale. ``root`` is the folder input that it was found in, None for a file that was named itself."""

    source: Path
    output: Path
    kind: Kind
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order, and what a person is to be told first (skipped, failed and warned inputs)."""

    tasks: tuple[Task, ...]
    notices: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was found for an input, not yet named."""

    path: Path
    kind: Kind
    root: Path | None


@dataclass
class _Planner:
    """Names outputs one after the other, remembering which are spoken for."""

    naming: Naming
    sources: frozenset[tuple[int, int]]
    claimed: set[str] = field(default_factory=set)
    tasks: list[Task] = field(default_factory=list)
    notices: list[Event] = field(default_factory=list)

    def add(self, found: Found, wanted: Path) -> None:
        """Give ``found`` the output ``wanted``, the next free name, or none."""
        output = wanted
        if _claim(output) in self.claimed:
            output = next_free(output, lambda path: _claim(path) in self.claimed)
            self.notices.append(Warned(str(found.path), f"another input is written to {wanted.name}: this one goes to {output.name}"))
        if self.naming.existing == "rename":
            output = next_free(output, lambda path: _claim(path) in self.claimed or os.path.lexists(path))
        elif self.naming.existing == "skip" and os.path.lexists(output):
            self.notices.append(Skipped(str(found.path), f"{output} exists"))
            self.claimed.add(_claim(output))
            return
        elif _identity(output) in self.sources:
            message = f"{found.path}: its output would replace an input ({output}); choose another name or folder"
            self.notices.append(Failed(str(found.path), OutputError.__name__, message))
            return
        self.claimed.add(_claim(output))
        self.tasks.append(Task(found.path, output, found.kind, found.root))


def plan(inputs: Sequence[Path], naming: Naming) -> Plan:
    """Decide every output. Raises UsageError where the destination does not fit the inputs."""
    notices: list[Event] = []
    found = _without_repeats([file for path in inputs for file in find(path, notices, naming.destination)], notices)
    _check_destination(inputs, naming)
    identities = (_identity(file.path) for file in found)
    planner = _Planner(naming, frozenset(identity for identity in identities if identity is not None), notices=notices)
    alone = len(inputs) == 1 and not _looks(inputs[0], Path.is_dir)
    for file in found:
        try:
            planner.add(file, output_for(file, naming, alone=alone))
        except OutputError as error:
            notices.append(Failed(str(file.path), type(error).__name__, str(error)))
    return Plan(tuple(planner.tasks), tuple(planner.notices))


def output_for(file: Found, naming: Naming, *, alone: bool) -> Path:
    """Where the rules put ``file``'s output, whether or not that name is free. ``alone``: it is the only input."""
    destination = naming.destination
    if destination is not None and alone and is_file_name(destination):
        return destination
    writable = WRITABLE_PICTURES if file.kind == "picture" else WRITABLE_VIDEOS
    naming = naming if file.kind == "video" else replace(naming, excerpt="")
    extension = output_extension(file.path, naming, writable, FALLBACKS[file.kind])
    if file.root is None:
        pictures = sequence(file.path)
        stem = None if pictures is None else pictures.stem
        return (destination or file.path.parent) / naming.name(file.path, extension, stem=stem)
    base = destination or beside(file.root, naming.scale)
    return base / file.path.relative_to(file.root).parent / naming.name(file.path, extension, template="{stem}")


def beside(folder: Path, scale: int) -> Path:
    """The folder that mirrors ``folder`` where the user named none: ``FOLDER_x2`` beside it."""
    resolved = folder.resolve()
    return resolved.parent / f"{resolved.name}_x{scale}" if folder.name in ("", "..") else folder.with_name(f"{folder.name}_x{scale}")


def is_file_name(destination: Path) -> bool:
    """Whether ``-o`` names a file: it is not a folder, and has an extension that can be written."""
    return not _looks(destination, Path.is_dir) and destination.suffix.lower() in WRITABLE_PICTURES | WRITABLE_VIDEOS


def find(path: Path, notices: list[Event], destination: Path | None = None) -> Iterator[Found]:
    """The pictures and videos that ``path`` names, folders walked in the order of their names.

    What is left out (hidden, linked, neither picture nor video, the destination itself) and what cannot be read is appended
    to ``notices``.
    """
    try:
        if sequence(path) is not None:
            yield Found(path, "video", None)
            return
        mode = path.stat().st_mode
        if path.is_dir():
            yield from _walk(path, path, notices, destination.resolve() if destination else None)
        elif not path.is_file():
            notices.append(Failed(str(path), PictureError.__name__, f"{path}: {what_it_is(mode)}, not a picture or a video"))
        else:
            yield Found(path, kind_of(path) or "picture", None)
    except OSError as error:
        notices.append(Failed(str(path), PictureError.__name__, f"{path}: cannot be read ({reason(error)})"))


def _walk(folder: Path, root: Path, notices: list[Event], destination: Path | None) -> Iterator[Found]:
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        notices.append(Failed(str(folder), PictureError.__name__, f"{folder}: cannot be read ({reason(error)})"))
        return
    for path in paths:
        if why := _left_out(path, destination):
            notices.append(Skipped(str(path), why))
        elif path.is_dir():
            yield from _walk(path, root, notices, destination)
        else:
            yield from _file_in_folder(path, root, notices)


def _left_out(path: Path, destination: Path | None) -> str | None:
    """Why an entry of a folder is not looked at, or None."""
    if path.name.startswith("."):
        return "hidden"
    if path.is_dir():
        if path.is_symlink():
            return "a linked folder"
        return "the folder for the outputs" if destination is not None and path.resolve() == destination else None
    if not path.exists():
        return "a link to nothing"
    return None if path.is_file() else what_it_is(path.stat().st_mode)


def _file_in_folder(path: Path, root: Path, notices: list[Event]) -> Iterator[Found]:
    try:
        kind = kind_of(path)
    except OSError as error:
        notices.append(Failed(str(path), PictureError.__name__, f"{path}: cannot be read ({reason(error)})"))
        return
    if kind is None:
        notices.append(Skipped(str(path), "not a picture or a video"))
    else:
        yield Found(path, kind, root)


def _without_repeats(files: list[Found], notices: list[Event]) -> list[Found]:
    """``files`` without those that were given before, by the same path."""
    kept: dict[str, Found] = {}
    for file in files:
        key = os.path.realpath(file.path.parent) + os.sep + file.path.name
        if key in kept:
            notices.append(Skipped(str(file.path), "given twice"))
        else:
            kept[key] = file
    return list(kept.values())


def _looks(path: Path, question: Callable[[Path], bool]) -> bool:
    """The answer to ``question``; no for a name that the system cannot look up, such as one that is too long."""
    try:
        return question(path)
    except OSError:
        return False


def _check_destination(inputs: Sequence[Path], naming: Naming) -> None:
    """Raise UsageError where ``-o`` is a file and the inputs need a folder, or has an extension that nothing writes."""
    destination = naming.destination
    if destination is None or _looks(destination, Path.is_dir):
        return
    several = len(inputs) > 1 or any(_looks(path, Path.is_dir) for path in inputs)
    if several and (_looks(destination, Path.exists) or is_file_name(destination)):
        raise UsageError(f"-o {destination}: several inputs need a folder, not a file")
    if _looks(destination, Path.exists) and not is_file_name(destination):
        raise UsageError(f"-o {destination}: {destination.suffix or 'a name without an extension'} is no format that can be written")
    if destination.suffix and not is_file_name(destination) and not several:
        known = " ".join(sorted(WRITABLE_PICTURES | WRITABLE_VIDEOS))
        raise UsageError(f"-o {destination}: unknown extension {destination.suffix} (known: {known}); for a folder, create it first")


def reason(error: OSError) -> str:
    """An operating system's error in a few words, without its number and path."""
    return (error.strerror or str(error)).lower()


def _claim(path: Path) -> str:
    """A key that is equal for two paths which would be one file; letter case counts only where file systems tell it apart."""
    return os.path.normcase(os.path.realpath(path.parent) + os.sep + path.name)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of an existing file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
