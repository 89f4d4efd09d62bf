"""How a picture was made, kept in its XMP: which network with which settings, so that it can be made again (`engine.redo`).

The record is one ``rdf:Description`` of our own namespace. It is put in and taken out as text: every other byte of a packet stays
as it was, and no XML of strangers is parsed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields, replace
from html import escape, unescape
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from engine.errors import PictureError
from engine.strength import FULL, strength_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from dataclasses import Field
    from pathlib import Path

    from engine.backends import Backend
    from engine.foreign import AnyModel
    from engine.picture import Metadata

NAMESPACE = "urn:x-addersesr:provenance:1"
PREFIX = "addersesr"

_OURS = re.compile(rb'\s*<rdf:Description[^<>]*xmlns:addersesr="' + NAMESPACE.encode() + rb'"[^<>]*/>')
_ATTRIBUTE = re.compile(rb'addersesr:(\w+)="([^"<>]*)"')
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
)
_END = b"</rdf:RDF>"
_PLAIN_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}


@dataclass(frozen=True, slots=True)
class Provenance:
    """What has to be the same for the same result.

    ``digest`` is the model's (see `engine.weights.Model.digest`), ``source`` the SHA-256 of the file that it was made from, empty where
    an earlier version did not note it, as are ``device``, ``tile`` and ``quality``; the last two are 0 where they were automatic.
    ``strength`` is that of a network mixed with its plain twin (see `engine.strength`), whose ``digest`` is that of the mixture.
    """

    version: str
    model: str
    digest: str
    backend: str
    precision: str
    width: int
    height: int
    tile: int = 0
    device: str = ""
    quality: int = 0
    source: str = ""
    strength: float = FULL


def made_with(
    model: AnyModel, backend: Backend, size: tuple[int, int], tile: int | None, quality: int | None = None, source: Path | None = None
) -> Provenance:
    """The record of ``model`` run by ``backend`` to a result of ``size`` (width, height) from the file ``source``.

    Raises PictureError where that cannot be read.
    """
    made_from = "" if source is None else digest_of(source)
    settings = (backend.name, backend.precision, *size, tile or 0, backend.device, quality or 0)
    return Provenance(running_version(), model.id, model.digest, *settings, made_from, strength_of(model))


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex. Raises PictureError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror or error}") from error


def running_version() -> str:
    """The version of this program."""
    try:
        return version("addersesr")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


def record(metadata: Metadata, made: Provenance) -> Metadata:
    """``metadata`` with ``made`` in its XMP, in place of an earlier record."""
    attributes = "".join(f'\n  {PREFIX}:{name}="{escape(str(value))}"' for name, value in asdict(made).items())
    ours = f'\n<rdf:Description rdf:about="" xmlns:{PREFIX}="{NAMESPACE}"{attributes}/>'
    packet = _OURS.sub(b"", metadata.xmp) if metadata.xmp else b""
    if (end := packet.rfind(_END)) >= 0 and b"xmlns:rdf=" in packet:
        xmp = packet[:end].rstrip() + ours.encode() + b"\n" + packet[end:]
    elif packet.strip(b"\0 \r\n\t"):
        return metadata  # not a packet as we know it: better left alone
    else:
        xmp = _PACKET.format(ours).encode()
    return replace(metadata, xmp=xmp)


def recorded(metadata: Metadata) -> Provenance | None:
    """The record in a picture's XMP, None where it has none that is understood."""
    match = _OURS.search(metadata.xmp or b"")
    if match is None:
        return None
    found = {name.decode(): unescape(value.decode("utf-8", "replace")) for name, value in _ATTRIBUTE.findall(match[0])}
    try:
        values: dict[str, Any] = {each.name: _PLAIN_TYPES[str(each.type)](found[each.name]) for each in _known(found)}
        return Provenance(**values)
    except (TypeError, ValueError):
        return None


def _known(found: Mapping[str, str]) -> Iterator[Field[Any]]:
    """The fields that a record has; what a later version adds is left out."""
    return (each for each in fields(Provenance) if each.name in found)
