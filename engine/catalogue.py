"""The models that can be named: those that ship, and in a folder of theirs the user's own, also ONNX files that others made."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import foreign, weights
from engine.errors import ModelError
from engine.network import NetworkSpec
from engine.strength import plain_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.foreign import AnyModel

SUFFIXES = (".safetensors", foreign.SUFFIX)
ORDER_FILE = "catalogue.toml"


@dataclass(frozen=True)
class Entry:
    """A model and the file that it came from."""

    model: AnyModel
    file: Path

    @property
    def title(self) -> str:
        """The model's name for people; its id where the card gives none."""
        return str(self.model.about.get("title", self.model.id))

    @property
    def psnr(self) -> dict[str, float]:
        """Y PSNR in dB by test set, as the card says; empty where it says nothing."""
        return self.figures("fp32")[0]

    def figures(self, precision: str) -> tuple[dict[str, float], dict[str, float]]:
        """PSNR in dB and SSIM by test set at a precision, as the card says."""
        about = self.model.about if precision == "fp32" else _mapping(self.model.about.get(precision))
        return _figures(about.get("psnr")), _figures(about.get("ssim"))

    def row(self) -> dict[str, Any]:
        """The model as plain JSON types, as ``addersesr models --json`` prints it."""
        spec = self.model.spec
        shape = asdict(spec) if isinstance(spec, NetworkSpec) else {"m": None, "f": None, "block": "other", "activation": None}
        return {
            "id": self.model.id,
            "scale": spec.scale,
            "m": shape["m"],
            "f": shape["f"],
            "block": shape["block"],
            "precision": ",".join(self.model.precisions),
            "parameters": spec.parameters,
            "psnr": self.psnr,
            "licence": str(self.model.about.get("licence", "unknown")),
            "file": str(self.file),
            "title": self.title,
            "activation": shape["activation"],
            "ssim": self.figures("fp32")[1],
            "plain": plain_id(self.model) or None,
        }


@dataclass(frozen=True)
class Problem:
    """A model file that cannot be used, and why."""

    file: Path
    message: str


class Catalogue:
    """The models in some folders, read again at every call: a file that was added is there, one that was removed is not.

    A folder that does not exist is empty. Where two files have one id, the earlier folder's counts. The order is that of a
    folder's ``catalogue.toml`` (``order``, an array of ids), then by id.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._tried: dict[tuple[Path, int, int], AnyModel] = {}

    def models(self) -> tuple[AnyModel, ...]:
        """Every usable model, in order. Damaged files are left out: see `problems`."""
        return tuple(entry.model for entry in self.entries())

    def entries(self) -> tuple[Entry, ...]:
        """Every usable model with its file, in order."""
        return tuple(self._read()[0].values())

    def problems(self) -> tuple[Problem, ...]:
        """The files that look like models but cannot be used."""
        return tuple(self._read()[1])

    def find(self, id_or_path: str | Path) -> AnyModel:
        """The model of this id, or in this file. Raises ModelError, which names near ids or what is wrong with the file."""
        return self.entry(id_or_path).model

    def entry(self, id_or_path: str | Path) -> Entry:
        """As `find`, with the file."""
        name = str(id_or_path)
        entries, problems = self._read()
        if name in entries:
            return entries[name]
        path = Path(id_or_path)
        if path.suffix in SUFFIXES or len(path.parts) > 1 or path.is_file():
            return Entry(read(path), path)
        for problem in problems:
            if problem.file.stem == name:
                raise ModelError(problem.message)
        raise ModelError(_unknown(name, list(entries)))

    def _read(self) -> tuple[dict[str, Entry], list[Problem]]:
        entries: dict[str, Entry] = {}
        problems: list[Problem] = []
        for folder in self.folders:
            for entry in _ordered(self._entries(folder, problems), _order(folder, problems)):
                entries.setdefault(entry.model.id, entry)
        return entries, problems

    def _entries(self, folder: Path, problems: list[Problem]) -> list[Entry]:
        """The usable models of one folder; the other files go to ``problems``."""
        entries = []
        for file in _files(folder, problems):
            try:
                entries.append(Entry(self._model(file), file))
            except ModelError as error:
                problems.append(Problem(file, str(error)))
        return entries

    def _model(self, file: Path) -> AnyModel:
        """As `read`; what others made, which may have to be tried out, is kept as long as its file is the same."""
        if file.suffix != foreign.SUFFIX:
            return read(file)
        try:
            status = file.stat()
        except OSError as error:
            raise ModelError(f"{file}: cannot be read ({error.strerror})") from error
        key = (file, status.st_mtime_ns, status.st_size)
        if key not in self._tried:
            self._tried[key] = read(file)
        return self._tried[key]


def read(path: Path) -> AnyModel:
    """The model in a file: ours, or an ONNX file that somebody else made. Raises ModelError."""
    return foreign.read(path) if path.suffix == foreign.SUFFIX else weights.read(path)


def _files(folder: Path, problems: list[Problem]) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(Problem(folder, f"{folder}: models cannot be listed ({error.strerror})"))
        return []


def _order(folder: Path, problems: list[Problem]) -> tuple[str, ...]:
    """The ids of the folder's ``catalogue.toml``, in order."""
    file = folder / ORDER_FILE
    try:
        listed = tomllib.loads(file.read_text("utf-8")).get("order", [])
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError) as error:
        problems.append(Problem(file, f"{file}: not understood ({error})"))
        return ()
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _ordered(entries: list[Entry], order: tuple[str, ...]) -> list[Entry]:
    place = {name: number for number, name in reversed(list(enumerate(order)))}
    return sorted(entries, key=lambda entry: (place.get(entry.model.id, len(order)), entry.model.id, str(entry.file)))


def _figures(value: Any) -> dict[str, float]:
    """The numbers of a card's table; what is not a number is left out."""
    return {str(name): float(figure) for name, figure in _mapping(value).items() if isinstance(figure, int | float)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    if near:
        return f"there is no model {name!r}; did you mean {' or '.join(near)}?"
    return f"there is no model {name!r}; there are: {', '.join(known) or 'none'}"
