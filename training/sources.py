"""Which pictures a folder offers for training or validation, and which of them are held out for choosing.

Three layouts are understood: DIV2K's published one (``DIV2K_train_HR``, with or without ``DIV2K_train_LR_bicubic/X2``),
pairs named ``NAME_HR``/``NAME_LR``, and any folder of pictures, searched with its sub-folders, linked ones too.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.errors import DataError
from engine.formats import READABLE_ENDINGS
from engine.kinds import VIDEO_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

SUFFIXES = READABLE_ENDINGS
HELD_OUT_LIST = Path(__file__).parent / "heldout.toml"
HELD_OUT_EVERY, HELD_OUT_AT = 40, 7
"""Of each folder's sorted pictures, those whose index leaves ``HELD_OUT_AT`` when divided by ``HELD_OUT_EVERY`` are held out."""

Part = Literal["train", "valid"]


@dataclass(frozen=True, slots=True)
class Source:
    """One picture of a data set: its high-resolution file and, where the set has one, its low-resolution file."""

    name: str
    hr: Path
    lr: Path | None = None


def picture_files(folder: Path) -> list[Path]:
    """Every picture below ``folder``, hidden ones left out, in a fixed order. Raises DataError if there is none."""
    files = _below(folder, SUFFIXES)
    if not files:
        raise DataError(f"{folder}: no pictures here; give a folder with JPEG, PNG, TIFF, WebP or other picture files")
    return files


def material_files(folder: Path) -> list[Path]:
    """As `picture_files`, clips included."""
    files = _below(folder, SUFFIXES | VIDEO_EXTENSIONS)
    if not files:
        raise DataError(f"{folder}: neither pictures nor clips here")
    return files


def find(folder: Path, scale: int, part: Part = "train") -> list[Source]:
    """What ``folder`` offers for training or validation at ``scale``. Raises DataError if that is nothing."""
    if (folder / f"DIV2K_{part}_HR").is_dir():
        return _div2k(folder, scale, part)
    files = picture_files(folder)
    pairs = _named_pairs(folder, files)
    return pairs or [Source(_name(folder, file), file) for file in files]


def has_validation(folder: Path) -> bool:
    """Whether ``folder`` is a data set that brings its own validation pictures."""
    return (folder / "DIV2K_train_HR").is_dir() and (folder / "DIV2K_valid_HR").is_dir()


def hold_out(sources: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """Split into (training, held out): the committed list where its sets are meant, else every 40th picture of each folder.

    From a folder of fewer than 8 pictures none is held out, so a handful of pictures can be trained on without validation.
    """
    known = held_out_list()
    held = set()
    folders: dict[Path, list[Path]] = {}
    for source in sources:
        folders.setdefault(source.hr.parent, []).append(source.hr)
    for folder, files in folders.items():
        listed = {file for file in files if file.name in known.get(folder.name, ())}
        held |= listed or set(sorted(files)[HELD_OUT_AT::HELD_OUT_EVERY])
    train = [source for source in sources if source.hr not in held]
    return train, [source for source in sources if source.hr in held]


def held_out_list() -> dict[str, frozenset[str]]:
    """The committed held-out pictures: file names by set (the name of the folder that they lie in)."""
    return {name: frozenset(files) for name, files in tomllib.loads(HELD_OUT_LIST.read_text("utf-8"))["held_out"].items()}


def _div2k(folder: Path, scale: int, part: Part) -> list[Source]:
    """DIV2K's layout; a missing or empty folder of low-resolution pictures means that they are made."""
    small = {file.stem: file for file in _files(folder / f"DIV2K_{part}_LR_bicubic" / f"X{scale}")}
    sources = [Source(file.stem, file, small.get(f"{file.stem}x{scale}")) for file in _files(folder / f"DIV2K_{part}_HR")]
    if not sources:
        raise DataError(f"{folder / f'DIV2K_{part}_HR'}: no pictures here")
    return sources


def _below(folder: Path, endings: AbstractSet[str]) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found: list[Path] = []
    seen: set[str] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:  # a link may lead back to where it lies
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(where, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in endings]
    return sorted(found)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []


def _named_pairs(folder: Path, files: Iterable[Path]) -> list[Source]:
    """``NAME_HR``/``NAME_LR`` pairs; none unless at least one is complete."""
    by_stem = {file.with_suffix(""): file for file in files}
    pairs = []
    for stem, file in by_stem.items():
        if stem.name.endswith("_HR"):
            twin = by_stem.get(stem.with_name(stem.name.removesuffix("_HR") + "_LR"))
            if twin is not None:
                pairs.append(Source(_name(folder, file).removesuffix("_HR"), file, twin))
    return pairs


def _name(folder: Path, file: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()
