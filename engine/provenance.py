"""How a picture was made, kept in its XMP: which network with which settings, so that it can be made again exactly.

The record is one ``rdf:Description`` of our own namespace. It is put in and taken out as text: every other byte of a packet stays
as it was, and no XML of strangers is parsed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from html import escape, unescape
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from engine import weights

if TYPE_CHECKING:
    from engine.backends import Backend
    from engine.picture import Metadata
    from engine.weights import Model

NAMESPACE = "urn:x-addersesr:provenance:1"
PREFIX = "addersesr"

_OURS = re.compile(rb'\s*<rdf:Description[^<>]*xmlns:addersesr="' + NAMESPACE.encode() + rb'"[^<>]*/>')
_ATTRIBUTE = re.compile(rb'addersesr:(\w+)="([^"<>]*)"')
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
)
_END = b"</rdf:RDF>"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What has to be the same for the same result.

    ``digest`` is the SHA-256 of the model's file as we write it; ``tile`` is 0 where it was automatic.
    """

    version: str
    model: str
    digest: str
    backend: str
    precision: str
    width: int
    height: int
    tile: int = 0


def made_with(model: Model, backend: Backend, size: tuple[int, int], tile: int | None) -> Provenance:
    """The record of ``model`` run by ``backend`` to a result of ``size`` (width, height)."""
    digest = hashlib.sha256(weights.to_bytes(model)).hexdigest()
    return Provenance(_version(), model.id, digest, backend.name, backend.precision, *size, tile or 0)


def _version() -> str:
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
        return Provenance(
            found["version"],
            found["model"],
            found["digest"],
            found["backend"],
            found["precision"],
            int(found["width"]),
            int(found["height"]),
            int(found["tile"]),
        )
    except (KeyError, ValueError):
        return None
