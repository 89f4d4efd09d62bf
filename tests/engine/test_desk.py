"""What the window asks of the engine, for pictures that are large, deep, of several pages or made by us."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from engine import images
from engine.catalogue import Catalogue
from engine.errors import TooLargeError
from engine.events import Warned
from engine.jobs import Tools
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.provenance import recorded
from engine.serve import preview, protocol, wire
from engine.serve.desk import Desk
from tests.commands import photo, store, store_model
from tests.foreign import network, saved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event

SMALL = protocol.Network("sesr-m1f4-x2", backend="onnx")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "models").mkdir()
    store_model(tmp_path / "models" / "small.safetensors", NetworkSpec(2, 1, 4))
    saved(network(scale=4, size=(40, 40)), tmp_path / "models" / "theirs.onnx")
    made = Desk(Tools(Catalogue([tmp_path / "models"])))
    yield made
    made.close()


def unheard(_event: Event) -> None:
    """Nobody listens."""


def never() -> bool:
    return False


def header_only(path: Path, width: int, height: int) -> Path:
    """A PNG file that says that it is this large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b""))
    return path


def test_what_is_too_large_for_the_screen_is_refused_before_it_is_decoded(desk: Desk, tmp_path: Path) -> None:
    huge = header_only(tmp_path / "huge.png", 20_000, 10_000)
    with pytest.raises(TooLargeError, match=r"20000×10000 pixels are too many to be shown \(200 megapixels, at most 100\)"):
        desk.open(protocol.Open(1, str(huge)))


def test_a_result_that_is_too_large_is_refused_but_previewed(desk: Desk, tmp_path: Path) -> None:
    images.write(Picture(np.full((5001, 5001), 90, np.uint8)), tmp_path / "large.png")
    path = str(tmp_path / "large.png")
    with pytest.raises(TooLargeError, match="its result's 10002×10002 pixels"):
        desk.show(protocol.Show(1, path, SMALL), unheard, never)
    whole = protocol.Region(0, 0, 5001, 5001)
    shown = desk.preview(protocol.Preview(2, path, whole, SMALL, "bicubic", 16, exact=True), never)
    assert not shown.exact, "exactly, it would be as large as the result"
    near = desk.preview(protocol.Preview(3, path, protocol.Region(900, 900, 64, 64), SMALL), never)
    assert near.exact


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_thumbnail_by_the_strip_is_that_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, alpha: bool) -> None:
    pixels = photo(403, 257)
    cover = np.tile(np.linspace(0, 255, 403).astype(np.uint8), (257, 1)) if alpha and kind != "jpg" else None
    images.write(Picture(pixels, cover), tmp_path / f"p.{kind}")
    read = images.read(tmp_path / f"p.{kind}")
    wanted = preview.reduced(read.with_pixels(read.pixels[:255], None if read.alpha is None else read.alpha[:255]), 5)
    monkeypatch.setattr(preview, "STRIP_PIXELS", 403 * 11)
    small, width, height = preview.thumbnail(tmp_path / f"p.{kind}", 96)
    assert (width, height) == (403, 257)
    assert (small.width, small.height) == (81, 52)
    np.testing.assert_array_equal(small.pixels[:50], wanted.pixels[:50])
    if cover is None:
        assert small.alpha is None
    else:
        np.testing.assert_array_equal(small.alpha[:50], wanted.alpha[:50])


def test_saving_what_is_shown_notes_how_it_was_made(desk: Desk, tmp_path: Path) -> None:
    source = str(store(tmp_path / "photo.png", 60, 40))
    desk.show(protocol.Show(1, source, SMALL), unheard, never)
    first = desk.save(protocol.Save(2, source, SMALL, protocol.Output()), unheard, never)
    made = recorded(images.read(tmp_path / "photo_x2.png").metadata)
    assert made is not None
    assert (made.model, made.backend, made.width, made.height) == ("sesr-m1f4-x2", "onnx", 120, 80)
    opened = desk.open(protocol.Open(3, first.output))
    assert opened.made_with == "sesr-m1f4-x2"
    assert desk.open(protocol.Open(4, source)).made_with == ""
    told: list[Event] = []
    desk.save(protocol.Save(5, source, SMALL, protocol.Output(redo=first.output)), told.append, never)
    assert [event.message for event in told if isinstance(event, Warned)] == [f"pixel for pixel the same as {first.output}"]


def test_what_is_read_with_a_loss_is_told_when_it_is_opened(desk: Desk, tmp_path: Path) -> None:
    Image.fromarray(photo(30, 20)).convert("CMYK").save(tmp_path / "print.jpg")
    opened = desk.open(protocol.Open(1, str(tmp_path / "print.jpg")))
    assert opened.warnings[0].startswith("converted from CMYK to sRGB")
    assert wire.parse_event(opened.to_json()) == opened


def test_the_models_of_others_are_listed_over_the_wire_and_shown(desk: Desk, tmp_path: Path) -> None:
    ready = desk.hello(protocol.Hello(1))
    assert wire.parse_event(ready.to_json()) == ready
    card = next(card for card in ready.models if card.id == "theirs")
    assert card.foreign is not None
    assert (card.block, card.m, card.f, card.foreign.window, card.spec.scale) == ("other", 0, 0, (40, 40), 4)
    theirs = protocol.Network("theirs")
    source = store(tmp_path / "photo.png", 130, 90)
    shown = desk.show(protocol.Show(2, str(source), theirs), unheard, never)
    assert (shown.width, shown.height, shown.backend) == (520, 360, "onnx")
    saved_as = desk.save(protocol.Save(3, str(source), theirs, protocol.Output()), unheard, never)
    small = cv2.resize(images.read(tmp_path / "photo_x4.png").pixels, (130, 90), interpolation=cv2.INTER_AREA)
    assert saved_as.output == str(tmp_path / "photo_x4.png")
    assert np.abs(small.astype(int) - images.read(source).pixels).mean() < 6
    timed = desk.bench(protocol.Bench(4, theirs, 100, 60))
    assert timed.seconds > 0
