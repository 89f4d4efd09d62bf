"""Model files: one ``.safetensors`` with the collapsed weights and, in its metadata, JSON that says what they are."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from engine.errors import ModelError
from engine.network import NetworkSpec, Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT_VERSION = 1
METADATA_KEY = "addersesr"
INT8_PREFIX = "int8."
MAX_FILE_BYTES = 64 * 2**20
MAX_ID = 100


@dataclass(frozen=True)
class Model:
    """A network with its weights.

    ``tensors`` holds exactly `NetworkSpec.tensor_shapes` in float32; ``int8`` the integer form's tensors (see
    `engine.integer`), empty where the model has none. ``about`` is free JSON: training data, recipe, licence and
    figures, each with the command that made it.
    """

    id: str
    spec: NetworkSpec
    tensors: Mapping[str, NDArray[np.float32]]
    int8: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_tensors(self.spec, self.tensors, self.id)

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions that this model can run at."""
        return ("fp32", "int8") if self.int8 else ("fp32",)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the model's file as `to_bytes` writes it."""
        return hashlib.sha256(to_bytes(self)).hexdigest()

    def with_about(self, **changes: Any) -> Model:
        """The same model with keys of ``about`` replaced."""
        return replace(self, about={**self.about, **changes})


def check_tensors(spec: NetworkSpec, tensors: Mapping[str, NDArray[Any]], name: str) -> None:
    """Raise ModelError unless ``tensors`` are just what ``spec`` needs: names, shapes, float32, all finite."""
    expected = spec.tensor_shapes()
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ModelError(f"{name}: the model lacks {', '.join(missing)}")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ModelError(f"{name}: the model has tensors that its network does not: {', '.join(extra)}")
    for key, shape in expected.items():
        array = tensors[key]
        if array.shape != shape:
            raise ModelError(f"{name}: {key} has shape {array.shape}, its network needs {shape}")
        if array.dtype != np.float32:
            raise ModelError(f"{name}: {key} is {array.dtype}, not float32")
        if not np.isfinite(array).all():
            raise ModelError(f"{name}: {key} holds values that are not finite")


def to_bytes(model: Model) -> bytes:
    """The model as the bytes of a ``.safetensors`` file; the same model gives the same bytes."""
    header = {"format": FORMAT_VERSION, "id": model.id, "spec": asdict(model.spec), "about": dict(model.about)}
    tensors = {**model.tensors, **{INT8_PREFIX + name: array for name, array in model.int8.items()}}
    contiguous = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    return save_tensors(contiguous, {METADATA_KEY: json.dumps(header, sort_keys=True)})


def write(model: Model, path: Path) -> None:
    """Store ``model`` at ``path``, written aside and renamed, so that a reader never sees half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(to_bytes(model))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ModelError(f"{path}: the model cannot be stored ({error.strerror})") from error


def read(path: Path) -> Model:
    """Read and verify a model file. Raises ModelError with the reason; an unknown format version is refused."""
    try:
        if not stat.S_ISREG((found := path.stat()).st_mode):
            raise ModelError(f"{path}: not a file")
        if found.st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: too large for a model file (over {MAX_FILE_BYTES >> 20} MiB)")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    return from_bytes(data, str(path))


def from_bytes(data: bytes, name: str) -> Model:
    """A model from a file's bytes; ``name`` is used in errors. Raises ModelError."""
    header = _header(data, name)
    try:
        stored = load_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{name}: damaged model file ({error})") from error
    spec = _spec(header, name)
    floats = {key: array for key, array in stored.items() if not key.startswith(INT8_PREFIX)}
    int8 = {key.removeprefix(INT8_PREFIX): array for key, array in stored.items() if key.startswith(INT8_PREFIX)}
    check_tensors(spec, floats, name)  # again in Model, which knows the id, not the file
    return Model(_id(header, name), spec, floats, int8, _mapping(header.get("about", {}), name))


def digest(path: Path) -> str:
    """SHA-256 of a model file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _header(data: bytes, name: str) -> dict[str, Any]:
    """The JSON under our metadata key, its format version checked."""
    if len(data) < 8 or (size := struct.unpack("<Q", data[:8])[0]) > len(data) - 8:
        raise ModelError(f"{name}: not a .safetensors file, or cut short")
    try:
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        header = json.loads(metadata[METADATA_KEY])
    except KeyError:
        raise ModelError(f"{name}: a .safetensors file, but not one of AdderSESR's (no '{METADATA_KEY}' metadata)") from None
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ModelError(f"{name}: damaged model file ({error})") from error
    header = _mapping(header, name)
    if header.get("format") != FORMAT_VERSION:
        raise ModelError(f"{name}: model format {header.get('format')!r} is unknown; this version reads format {FORMAT_VERSION}")
    return header


def _spec(header: dict[str, Any], name: str) -> NetworkSpec:
    try:
        return NetworkSpec(**_mapping(header.get("spec"), name))
    except (TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{name}: the model's network is not understood ({why})") from error


def _id(header: dict[str, Any], name: str) -> str:
    """The model's id, the file's name where it has none. It goes into names of files: no separators, nothing unprintable."""
    return checked_id(header.get("id", Path(name).stem), name)


def checked_id(identity: Any, name: str) -> str:
    """``identity``, if it can be a model's id. Raises ModelError, which says so of ``name``."""
    if not isinstance(identity, str) or not 0 < len(identity) <= MAX_ID or not identity.isprintable() or set(identity) & set("/\\"):
        raise ModelError(f"{name}: {identity!r:.60} cannot be a model's id")
    return identity


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelError(f"{name}: damaged model file (metadata is not what it should be)")
    return value
