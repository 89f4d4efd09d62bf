"""What an output is called, and where it goes."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from engine.existing import Existing

PLACEHOLDERS = ("stem", "scale", "model", "precision", "extension", "folder")
DEFAULT_TEMPLATE = "{stem}_x{scale}"
MAX_NAME_BYTES = 255
_FORBIDDEN = frozenset("/\\\0") | ({"<", ">", ":", '"', "|", "?", "*"} if os.name == "nt" else frozenset())


@dataclass(frozen=True, slots=True)
class Naming:
    """The rules that a user chose for names.

    ``destination`` is a file or a folder, or None for beside the source; ``template`` has placeholders such as ``{stem}``
    and no extension; ``extension`` (with its dot) is None where the source's is kept. ``existing`` says what to do with a
    name that is taken: take the next free one, replace, or leave the input alone. ``made_with`` gives the model's id and the precision
    that a file is done with; it is asked where a name tells them. ``excerpt`` ends the names of films of which only a part is done.
    """

    scale: int
    destination: Path | None = None
    template: str | None = None
    extension: str | None = None
    existing: Existing = "rename"
    made_with: Callable[[Path], tuple[str, str]] = lambda _: ("", "")
    excerpt: str = ""

    def __post_init__(self) -> None:
        if self.template is not None:
            check_template(self.template)

    def name(self, source: Path, extension: str, *, stem: str | None = None, template: str | None = None) -> str:
        """The file name for ``source``'s output; ``extension`` ends it. Shortened at its end to what a folder can hold.

        ``stem`` is what ``source`` is called where that is not its own name's. Raises what ``made_with`` raises.
        """
        chosen = self.template or template or DEFAULT_TEMPLATE
        values = {"stem": source.stem if stem is None else stem, "scale": str(self.scale)}
        if "{model}" in chosen or "{precision}" in chosen:
            values["model"], values["precision"] = self.made_with(source)
        made = chosen.format_map({**values, "extension": source.suffix.lstrip("."), "folder": source.parent.name})
        if self.excerpt:
            made += f"_{self.excerpt}"
        if not made.strip(". ") or _FORBIDDEN & set(made):
            raise OutputError(f"{source}: '{chosen}' gives '{made}', which cannot be a file's name")
        return fit(made, extension)


def check_template(template: str) -> None:
    """Raise UsageError unless ``template`` is a file name with known placeholders and no extension of its own needed."""
    try:
        fields = [field for _, field, spec, conversion in string.Formatter().parse(template) if field is not None]
        plain = template.format_map(dict.fromkeys(PLACEHOLDERS, "x"))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        fields, plain = [field for field in _loose_fields(template) if field not in PLACEHOLDERS] or ["{"], "x"
    for field in fields:
        if field not in PLACEHOLDERS:
            from difflib import get_close_matches  # noqa: PLC0415 (only where something was mistyped)

            near = get_close_matches(field, PLACEHOLDERS, 1)
            hint = f"; did you mean {{{near[0]}}}?" if near else ""
            raise UsageError(f"--name {template}: unknown placeholder{hint} (known: {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)})")
    if _FORBIDDEN & set(plain):
        raise UsageError(f"--name {template}: a name cannot hold a path; give the folder with -o")


def _loose_fields(template: str) -> list[str]:
    """The words after opening braces of a template that cannot be parsed."""
    return [part.split("}")[0] for part in template.split("{")[1:]]


def fit(stem: str, ending: str) -> str:
    """``stem`` + ``ending``, the stem shortened at a character's boundary until the name has at most 255 bytes."""
    room = MAX_NAME_BYTES - len(os.fsencode(ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + ending


def next_free(path: Path, taken: Callable[[Path], bool]) -> Path:
    """``path``, or the first of ``NAME-1.ext``, ``NAME-2.ext``, … that is not taken."""
    candidate, number = path, 0
    while taken(candidate):
        number += 1
        candidate = path.with_name(fit_numbered(path, number))
    return candidate


def fit_numbered(path: Path, number: int) -> str:
    """The name of ``path`` with ``-number`` before its extension."""
    return fit(path.stem, f"-{number}{path.suffix}")


def output_extension(source: Path, naming: Naming, writable: Collection[str], fallback: str) -> str:
    """The extension to write: the chosen one where it fits the input's kind, else the source's own where it can be written."""
    if naming.extension is not None and naming.extension in writable:
        return naming.extension
    return source.suffix if source.suffix.lower() in writable else fallback
