"""The record goes in, comes out, is replaced, and leaves all else in a packet as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import images
from engine.picture import Metadata, Picture
from engine.provenance import NAMESPACE, Provenance, record, recorded

if TYPE_CHECKING:
    from pathlib import Path

MADE = Provenance("0.1.0", "sesr-m5-x2", "ab" * 32, "native", "fp32", 640, 480)
THEIRS = (
    b'<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


def test_into_an_empty_packet_and_out() -> None:
    kept = record(Metadata(), MADE)
    assert recorded(kept) == MADE
    assert recorded(Metadata()) is None
    tree = ET.fromstring((kept.xmp or b"").split(b"?>", 1)[1].rsplit(b"<?xpacket", 1)[0])
    [description] = tree.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description.get(f"{{{NAMESPACE}}}model") == "sesr-m5-x2"


def test_beside_what_others_wrote_and_in_place_of_an_earlier_record() -> None:
    once = record(Metadata(xmp=THEIRS), MADE)
    again = record(once, Provenance("0.2.0", "other", "cd" * 32, "onnx", "int8", 1, 2, 64))
    assert recorded(again) == Provenance("0.2.0", "other", "cd" * 32, "onnx", "int8", 1, 2, 64)
    assert again.xmp is not None
    assert again.xmp.count(NAMESPACE.encode()) == 1
    assert b'dc:format="image/jpeg"' in again.xmp
    ET.fromstring(again.xmp.split(b"?>", 1)[1].rsplit(b"<?xpacket", 1)[0])


@given(st.text(st.characters(exclude_categories=["C"]), max_size=40))
def test_any_name_comes_back(name: str) -> None:
    made = Provenance("1", name, "d", "b", "p", 1, 1)
    assert recorded(record(Metadata(), made)) == made


@given(st.binary(max_size=200))
def test_what_is_no_packet_is_left_alone(junk: bytes) -> None:
    for xmp in (junk, THEIRS[: len(junk)]):
        kept = record(Metadata(xmp=xmp), MADE)
        assert recorded(kept) == MADE or kept.xmp == xmp
    assert recorded(Metadata(xmp=f'<rdf:Description xmlns:addersesr="{NAMESPACE}" addersesr:width="x"/>'.encode())) is None


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_through_a_file(tmp_path: Path, ending: str) -> None:
    metadata = record(Metadata(), MADE)
    images.write(Picture(np.zeros((8, 8, 3), np.uint8), metadata=metadata), tmp_path / f"p{ending}")
    assert recorded(images.read(tmp_path / f"p{ending}").metadata) == MADE
