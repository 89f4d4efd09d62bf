"""What a person has chosen, kept as TOML: typed, checked, and never a reason not to start."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from engine.existing import Existing  # noqa: TC001 (read at run time, to check values)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION = 3
Theme = Literal["light", "dark", "auto"]
Accounting = Literal["published", "exact"]
Mode = Literal["split", "side", "hold", "heat"]
SIZINGS = ("", "width", "height")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """The window. ``left`` is what the left side of a comparison is: an interpolation, or a model's id.

    ``accounting`` is how operations are counted (see `engine.cost`).
    """

    theme: Theme = "auto"
    mode: Mode = "split"
    left: str = "bicubic"
    accounting: Accounting = "published"


@dataclass(frozen=True, slots=True)
class Engine:
    """What upscales. An empty ``model`` is the first there is; 0 ``threads`` is automatic. ``strength`` is for networks with a plain twin.

    ``suited``: take the network that suits each picture's compression. ``watts`` is the computer's power under load where a person has
    measured it, else 0.
    """

    model: str = ""
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    at_once: bool = True
    suited: bool = True
    watts: float = 0.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", min(max(self.strength, 0.0), 1.0))


@dataclass(frozen=True, slots=True)
class Saving:
    """Where results go. An empty ``folder`` is beside the source, an empty ``extension`` the source's own.

    An empty ``template`` is ``{stem}_x{scale}``, but the source's own name for what is found in a folder. ``metadata``: keep EXIF and XMP;
    ``provenance``: note there how a result was made.
    """

    folder: str = ""
    template: str = ""
    extension: str = ""
    quality: int = 95
    existing: Existing = "rename"
    metadata: bool = True
    provenance: bool = True


@dataclass(frozen=True, slots=True)
class Preset:
    """A named way of saving. The side ``sizing`` (``width`` or ``height``) gets ``side`` pixels; empty: as the network gives.

    ``strength`` is as `Engine` has it; below 0 it is left as it is.
    """

    name: str = ""
    sizing: str = ""
    side: int = 0
    saving: Saving = field(default_factory=Saving)
    strength: float = -1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is remembered from one start to the next."""

    look: Look = field(default_factory=Look)
    engine: Engine = field(default_factory=Engine)
    saving: Saving = field(default_factory=Saving)
    presets: tuple[Preset, ...] = ()


def load(path: Path) -> Settings:
    """The settings at ``path``; what is missing, damaged or of the wrong type is as if never chosen.

    A file that cannot be parsed at all is put aside as ``NAME.damaged``, so that nothing of it is lost.
    """
    if not path.exists():
        return Settings()
    import tomllib  # noqa: PLC0415 (the first start needs none)

    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a ValueError is text that is not UTF-8 or not TOML
        _log.warning("%s: the settings cannot be read (%s)", path, error)
        _put_aside(path)
        return Settings()
    return _settings(migrated(stored))


def save(settings: Settings, path: Path) -> None:
    """Store the settings, written aside and renamed; a folder that cannot be written is only logged."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(to_toml(settings), encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        _log.warning("%s: the settings cannot be stored (%s)", path, error)


def to_toml(settings: Settings) -> str:
    """The settings as a TOML file."""
    lines = [f"version = {VERSION}"]
    for group in ("look", "engine", "saving"):
        lines += ["", f"[{group}]", *_pairs(dataclasses.asdict(getattr(settings, group)))]
    for preset in settings.presets:
        own = {"name": preset.name, "sizing": preset.sizing, "side": preset.side, "strength": preset.strength}
        lines += ["", "[[presets]]", *_pairs({**own, **dataclasses.asdict(preset.saving)})]
    return "\n".join(lines) + "\n"


def migrated(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A file of an older version brought up to date, one version after the other."""
    record = dict(stored)
    version = record.get("version")
    for older in range(version if isinstance(version, int) else VERSION, VERSION):
        record = MIGRATIONS[older](record)
    return record


def _from_1(record: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had the theme and the model at the top."""
    return {"look": {"theme": record.get("theme")}, "engine": {"model": record.get("model")}}


def _from_2(record: dict[str, Any]) -> dict[str, Any]:
    """Version 2 had the window's size (now `addersesr_app.glance`) and no presets: what it has means the same now."""
    return record


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1, 2: _from_2}


def _settings(record: Mapping[str, Any]) -> Settings:
    return Settings(
        Look(**_fitting(Look, record.get("look"))),
        Engine(**_fitting(Engine, record.get("engine"))),
        Saving(**_fitting(Saving, record.get("saving"))),
        _presets(record.get("presets")),
    )


def _presets(stored: Any) -> tuple[Preset, ...]:
    """Those that have a name, the first of each."""
    made: dict[str, Preset] = {}
    for values in stored if isinstance(stored, list) else []:
        preset = Preset(**{**_fitting(Preset, values), "saving": Saving(**_fitting(Saving, values))})
        if preset.name and preset.sizing in SIZINGS:
            made.setdefault(preset.name, preset)
    return tuple(made.values())


def _fitting(kind: type[Any], values: Any) -> dict[str, Any]:
    """Those of ``values`` that ``kind`` has, with the right type."""
    if not isinstance(values, dict):
        return {}
    return {name: values[name] for name, hint in get_type_hints(kind).items() if name in values and _fits(values[name], hint)}


def _fits(value: Any, hint: Any) -> bool:
    options = get_args(hint)
    if hint is float:
        return type(value) in (int, float) and isfinite(value)
    return value in options if options else type(value) is hint


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in values.items()]


def _toml(value: str | float | bool) -> str:
    """A TOML value; JSON's strings are TOML's basic strings, but for DEL."""
    import json  # noqa: PLC0415 (starting needs none)

    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(path.name + ".damaged"))
    except OSError as error:
        _log.warning("%s: cannot be put aside (%s)", path, error)
