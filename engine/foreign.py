"""Somebody else's networks: ``.onnx`` files, kept as they came, with what was found out about them appended.

An ONNX file is a protobuf message, and what is appended to such a message counts as a part of it: an entry of its metadata with the key
`KEY`, JSON, which says what a trial run found. So a file that was taken in need not be tried again, and its maker's own bytes, whose
SHA-256 is the network's digest, are still in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from dataclasses import asdict, dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

from engine.backends import runtimes
from engine.errors import ModelError
from engine.network import ForeignSpec
from engine.weights import Model, checked_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engine.network import Precision

SUFFIX = ".onnx"
KEY = b"addersesr"
FORMAT_VERSION = 1
MAX_FILE_BYTES = 512 * 2**20
MAX_FACTS_BYTES = 1 << 16
METADATA_FIELD = 14
"""Of ModelProto, ``metadata_props``: pairs of a key (1) and a value (2)."""
VARINT, LENGTH_DELIMITED = 0, 2


@dataclass(frozen=True)
class ForeignModel:
    """A network in ``file``. ``digest`` is the SHA-256, in hex, of the file as its maker gave it out; ``about`` as `Model` has it."""

    id: str
    spec: ForeignSpec
    file: Path
    digest: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What it can run at."""
        return ("fp32",)

    def graph(self) -> bytes:
        """The ONNX file as its maker gave it out. Raises ModelError where it is not there or not the same any more."""
        data = _without_facts(_read(self.file))
        if hashlib.sha256(data).hexdigest() != self.digest:
            raise ModelError(f"{self.file}: the network is not the one that it says it is (its digest is another); take it in again")
        return data

    def with_about(self, **changes: Any) -> ForeignModel:
        """The same network with keys of ``about`` replaced."""
        return replace(self, about={**self.about, **changes})


AnyModel = Model | ForeignModel


def read(path: Path) -> ForeignModel:
    """The network in an ONNX file; one that does not say what was found out about it is tried out. Raises ModelError with the reason."""
    data = _read(path)
    try:
        facts = _facts(io.BytesIO(data), len(data))
    except ValueError as error:
        raise ModelError(f"{path}: not an ONNX file, or damaged ({error})") from error
    return _tried(path, data) if facts is None else _known(path, facts[1])


def to_bytes(model: ForeignModel) -> bytes:
    """The file of a network that was taken in: its maker's bytes and what is known of it. Raises ModelError."""
    facts = {"format": FORMAT_VERSION, "id": model.id, "spec": asdict(model.spec), "digest": model.digest, "about": dict(model.about)}
    pair = _delimited(1, KEY) + _delimited(2, json.dumps(facts, sort_keys=True).encode())
    return model.graph() + _delimited(METADATA_FIELD, pair)


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG((found := path.stat()).st_mode):
            raise ModelError(f"{path}: not a file")
        if found.st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: too large for a network that upscales (over {MAX_FILE_BYTES >> 20} MiB)")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


def _tried(path: Path, data: bytes) -> ForeignModel:
    try:
        from engine import trial  # noqa: PLC0415 (the runtime is loaded only where a network has to be tried)
    except ImportError as error:
        raise ModelError(f"{path}: ONNX files need ONNX Runtime; {runtimes.REMEDY} ({error})") from error
    spec, about = trial.examine(data, str(path))
    return ForeignModel(checked_id(path.stem, str(path)), spec, path, hashlib.sha256(data).hexdigest(), about)


def _known(path: Path, value: bytes) -> ForeignModel:
    """The network as the file says itself. Raises ModelError."""
    try:
        facts = json.loads(value)
        if facts["format"] != FORMAT_VERSION:
            raise ModelError(f"{path}: facts of format {facts['format']!r} are unknown; this version reads format {FORMAT_VERSION}")
        spec = dict(facts["spec"])
        spec["window"] = tuple(spec["window"]) if spec.get("window") else None
        return ForeignModel(checked_id(facts["id"], str(path)), ForeignSpec(**spec), path, str(facts["digest"]), dict(facts["about"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path}: what it says of its network is not understood ({error})") from error


def _without_facts(data: bytes) -> bytes:
    facts = _facts(io.BytesIO(data), len(data))
    return data if facts is None else data[: facts[0]]


def _facts(file: IO[bytes], size: int) -> tuple[int, bytes] | None:
    """Where our entry begins, which is the last of the file, and its value. Raises ValueError for what is no such message."""
    last = None
    for number, before, start, end in _fields(file, size):
        last = (number, before, start, end)
    if last is None or last[0] != METADATA_FIELD or last[3] - last[2] > MAX_FACTS_BYTES:
        return None
    _, before, start, end = last
    file.seek(start)
    pair = file.read(end - start)
    values = {number: pair[first:stop] for number, _, first, stop in _fields(io.BytesIO(pair), len(pair))}
    return (before, values[2]) if values.get(1) == KEY and 2 in values else None


def _fields(file: IO[bytes], size: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a protobuf message: number, where its tag is, and where its payload begins and ends. Raises ValueError."""
    if size == 0:
        raise ValueError("it is empty")
    while (before := file.tell()) < size:
        number, kind = divmod(_varint(file), 8)
        if kind == VARINT:
            start = file.tell()
            _varint(file)
        elif kind == LENGTH_DELIMITED:
            length = _varint(file)
            start = file.tell()
            file.seek(length, os.SEEK_CUR)
        else:
            raise ValueError(f"a field of wire type {kind}")
        if file.tell() > size or number == 0:
            raise ValueError("cut short")
        yield number, before, start, file.tell()


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("cut short")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number of more than 64 bits")


def _delimited(number: int, payload: bytes) -> bytes:
    return _coded(8 * number + LENGTH_DELIMITED) + _coded(len(payload)) + payload


def _coded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
