"""What files say beside their pixels: kept where the format can, told of where it cannot."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from engine import exif, exif_tiff, images
from engine.codecs import blocks, vips_save
from engine.formats import losses
from engine.picture import Metadata, Picture
from engine.rows import Layout, Strip
from tests.pictures import drawn, exif_block, frames, profile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".avif"])
def test_profile_exif_xmp_and_resolution_come_along(tmp_path: Path, ending: str) -> None:
    given_metadata = Metadata(icc=profile(), exif=exif_block(6).removeprefix(exif.PREFIX), xmp=b"<x:xmpmeta/>", resolution=(300.0, 300.0))
    images.write(Picture(drawn((30, 40, 3)), metadata=given_metadata), tmp_path / f"p{ending}")
    with Image.open(tmp_path / f"p{ending}") as file:
        assert file.info["icc_profile"] == given_metadata.icc
        tags = file.getexif()
        assert tags[0x010F] == "Maker"
        assert tags.get(0x0112, 1) == 1, "the pixels are upright already"
        camera = tags.get_ifd(0x8769)
        assert (camera[0xA002], camera[0xA003]) == (40, 30)
        assert camera[0x9003] == "2026:01:02 03:04:05"
        assert 299 < float(tags[0x011A]) < 301
        if ending in (".jpg", ".png"):
            assert file.info["dpi"] == pytest.approx((300, 300), abs=1)
    back = images.read(tmp_path / f"p{ending}").metadata
    assert back.icc == given_metadata.icc
    assert back.xmp == given_metadata.xmp
    assert back.exif is not None


def test_tiff_keeps_profile_xmp_and_resolution(tmp_path: Path) -> None:
    about = Metadata(icc=profile(), xmp=b"<x:xmpmeta/>", resolution=(240.0, 120.0))
    images.write(Picture(drawn((30, 40, 3)), metadata=about), tmp_path / "p.tif")
    back = images.read(tmp_path / "p.tif").metadata
    assert (back.icc, back.xmp) == (about.icc, about.xmp)
    assert back.resolution == pytest.approx((240, 120), abs=0.01)


@pytest.mark.parametrize("ending", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, ending: str, orientation: int) -> None:
    upright = drawn((40, 24, 3))
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    options = {"exif": exif_block(orientation), "quality": 98} if ending != "tiff" else {"tiffinfo": {274: orientation}}
    path = tmp_path / "turned"
    Image.fromarray(np.ascontiguousarray(turned)).save(path, ending, **options)
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    once = images.read(path)
    assert once.pixels.shape == upright.shape
    assert np.abs(once.pixels.astype(int) - expected).max() <= 4
    assert np.abs(once.pixels.astype(int) - upright).mean() < 5
    images.write(once, tmp_path / "again.png")
    again = images.read(tmp_path / "again.png")
    np.testing.assert_array_equal(again.pixels, once.pixels)


@pytest.mark.parametrize(
    ("ending", "lost"),
    [
        ("bmp", ["8 bits a sample instead of 16", "transparency", "colour profile", "EXIF", "XMP"]),
        ("jp2", ["transparency", "colour profile", "EXIF", "XMP", "print resolution"]),
        ("ppm", ["transparency", "colour profile", "EXIF", "XMP", "print resolution"]),
        (
            "gif",
            [
                "8 bits a sample instead of 16",
                "transparency other than",
                "256 colours",
                "colour profile",
                "EXIF",
                "XMP",
                "print resolution",
            ],
        ),
        ("jpg", ["8 bits a sample instead of 16", "transparency"]),
        ("webp", ["8 bits a sample instead of 16"]),
        ("png", []),
        ("tif", []),
        ("avif", []),
    ],
)
def test_what_a_format_cannot_keep_is_told_and_what_is_not_told_is_kept(tmp_path: Path, ending: str, lost: list[str]) -> None:
    about = Metadata(icc=profile(), exif=exif_block(1).removeprefix(exif.PREFIX), xmp=b"<x:xmpmeta/>", resolution=(300.0, 300.0))
    deep = Picture(drawn((40, 48, 3), np.uint16), drawn((40, 48), np.uint16), about)
    told = losses(tmp_path / f"p.{ending}", Layout.of(deep), about)
    assert len(told) == len(lost)
    assert all(words in line for words, line in zip(lost, told, strict=True))
    images.write(deep, tmp_path / f"p.{ending}")
    back = images.read(tmp_path / f"p.{ending}")
    kept = {
        "8 bits": back.bits == 16,
        "transparency": back.alpha is not None and len(np.unique(back.alpha)) > 2,
        "colour profile": back.metadata.icc == about.icc,
        "EXIF": back.metadata.exif is not None,
        "XMP": back.metadata.xmp == about.xmp,
        "print resolution": back.metadata.resolution is not None and back.metadata.resolution == pytest.approx((300, 300), abs=1),
    }
    told_words = " ".join(told)
    assert {words for words, is_kept in kept.items() if not is_kept} == {words for words in kept if words in told_words}


def camera_exif(order: bytes = b"MM") -> bytes:
    block = Image.Exif()
    block.endian = "<" if order == b"II" else ">"
    block[0x0112], block[0x010F], block[0x013B] = 6, "A maker of cameras", "An artist"
    camera, place = block.get_ifd(0x8769), block.get_ifd(0x8825)
    camera[0xA002], camera[0xA003], camera[0x829A], camera[0x9003] = 40, 30, 0.004, "2026:01:02 03:04:05"
    camera[0x927C] = b"a maker's note"
    place[1], place[2] = "N", (50.0, 30.0, 12.34)
    return block.tobytes()


def tags_of(path: Path) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    """As another library reads them: of the picture, the camera, the place."""
    with Image.open(path) as file:
        tags = file.getexif()
        return dict(tags), dict(tags.get_ifd(0x8769)), dict(tags.get_ifd(0x8825))


@pytest.mark.parametrize("order", [b"II", b"MM"])
@pytest.mark.parametrize("big", [False, True])
def test_exif_goes_into_tiff_and_out_again(tmp_path: Path, order: bytes, big: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if big:
        monkeypatch.setattr(vips_save, "BIG_TIFF_BYTES", 100)
    Image.fromarray(drawn((30, 40, 3))).save(tmp_path / "in.jpg", exif=camera_exif(order))
    images.write(images.read(tmp_path / "in.jpg"), tmp_path / "p.tif")
    assert (tmp_path / "p.tif").read_bytes()[2] == (43 if big else 42)
    images.write(images.read(tmp_path / "p.tif"), tmp_path / "again.tif")
    images.write(images.read(tmp_path / "again.tif"), tmp_path / "out.jpg")
    for name in ("out.jpg",) if big else ("p.tif", "again.tif", "out.jpg"):
        picture, camera, place = tags_of(tmp_path / name)
        assert (picture[0x010F], picture[0x013B], picture.get(0x0112, 1)) == ("A maker of cameras", "An artist", 1)
        assert (camera[0xA002], camera[0xA003], camera[0x9003]) == (30, 40, "2026:01:02 03:04:05"), "turned upright"
        assert camera[0x829A] == pytest.approx(0.004)
        assert camera[0x927C] == b"a maker's note"
        assert place == {1: "N", 2: (50.0, 30.0, 12.34)}


def test_exif_of_a_tiff_of_pages_and_of_float(tmp_path: Path) -> None:
    about = Metadata(exif=camera_exif().removeprefix(exif.PREFIX))
    images.write(Picture(drawn((30, 40, 3), np.float32), metadata=about), tmp_path / "float.tif")
    back = images.read(tmp_path / "float.tif")
    assert back.pixels.dtype == np.float32
    assert back.metadata.exif is not None
    assert b"A maker of cameras" in back.metadata.exif
    layout = replace(Layout.of(Picture(drawn((15, 40, 3)))), pages=2)
    images.write_strips(layout, [Strip(drawn((30, 40, 3)), None)], about, tmp_path / "pages.tif")
    with Image.open(tmp_path / "pages.tif") as file:
        assert file.n_frames == 2
        assert file.getexif().get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
        file.seek(1)
        np.testing.assert_array_equal(np.asarray(file), drawn((30, 40, 3))[15:])


@given(st.data())
def test_damaged_directories_give_some_tags_or_none(data: st.DataObject) -> None:
    block = camera_exif(data.draw(st.sampled_from([b"II", b"MM"]))).removeprefix(exif.PREFIX)
    damaged = bytearray(block[: data.draw(st.integers(0, len(block)))])
    for _ in range(data.draw(st.integers(0, 5)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = exif_tiff.block_of(io.BytesIO(bytes(damaged)))
    assert found is None or exif.upright(found, 5, 6) is not None
    file = io.BytesIO()
    Image.fromarray(drawn((5, 6, 3))).save(file, "TIFF")
    exif_tiff.add(file, bytes(damaged))
    with Image.open(file) as picture:
        np.testing.assert_array_equal(np.asarray(picture), drawn((5, 6, 3)))


def test_an_animated_png_gives_its_metadata(tmp_path: Path) -> None:
    first, *rest = [Image.fromarray(frame) for frame in frames()]
    about = PngImagePlugin.PngInfo()
    about.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    options = {"icc_profile": profile(), "exif": exif_block(1), "dpi": (240, 240), "pnginfo": about}
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, **options)
    with images.reading(tmp_path / "in.png") as source:
        found = source.metadata
    assert source.format == "apng"
    assert (found.icc, found.xmp) == (profile(), b"<x:xmpmeta/>")
    assert found.exif is not None
    assert b"Maker" in found.exif
    assert found.resolution == pytest.approx((240, 240), abs=0.1)


def test_a_bmp_keeps_its_resolution_and_gives_its_profile(tmp_path: Path) -> None:
    images.write(Picture(drawn((9, 12, 3)), metadata=Metadata(resolution=(300.0, 150.0))), tmp_path / "p.bmp")
    with Image.open(tmp_path / "p.bmp") as file:
        assert file.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    assert images.read(tmp_path / "p.bmp").metadata.resolution == pytest.approx((300, 150), abs=0.1)
    old = (tmp_path / "p.bmp").read_bytes()
    offset, size, icc = struct.unpack_from("<I", old, 10)[0], struct.unpack_from("<I", old, 14)[0], profile()
    header = bytearray(old[14:54].ljust(124, b"\0"))
    struct.pack_into("<I", header, 0, 124)
    header[56:60] = b"DEBM"
    struct.pack_into("<II", header, 112, 124 + len(old) - offset, len(icc))
    fifth = old[:10] + struct.pack("<I", 14 + 124) + bytes(header) + old[offset:] + icc
    assert size == 40 or size > 40
    (tmp_path / "fifth.bmp").write_bytes(fifth)
    back = images.read(tmp_path / "fifth.bmp")
    np.testing.assert_array_equal(back.pixels, drawn((9, 12, 3)))
    assert back.metadata.icc == icc


def test_a_jpeg_2000_gives_its_profile_and_xmp(tmp_path: Path) -> None:
    Image.fromarray(drawn((40, 50, 3))).save(tmp_path / "p.jp2", irreversible=False)
    data = (tmp_path / "p.jp2").read_bytes()
    at = data.index(b"colr") - 4
    old = struct.unpack_from(">I", data, at)[0]
    colour = box(b"colr", b"\2\0\0" + profile())
    grown = bytearray(data[:at] + colour + data[at + old :])
    folder = data.index(b"jp2h") - 4
    struct.pack_into(">I", grown, folder, struct.unpack_from(">I", data, folder)[0] + len(colour) - old)
    stream = grown.index(b"jp2c") - 4
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b"<x:xmpmeta/>")
    (tmp_path / "q.jp2").write_bytes(grown[:stream] + xmp + grown[stream:])
    back = images.read(tmp_path / "q.jp2")
    assert (back.metadata.icc, back.metadata.xmp) == (profile(), b"<x:xmpmeta/>")
    np.testing.assert_array_equal(back.pixels, drawn((40, 50, 3)))


def box(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", 8 + len(contents)) + kind + contents


@given(st.sampled_from(["bmp", "jp2", "apng"]), st.binary(max_size=300))
def test_damaged_blocks_are_left_out(kind: str, junk: bytes) -> None:
    for head in (b"", b"BM" + bytes(12) + b"\x7c", b"\0\0\0\x0cjP  \r\n\x87\n", b"\x89PNG\r\n\x1a\n\0\0\0\x09iCCP"):
        assert isinstance(blocks.metadata(head + junk, kind), Metadata)


def test_what_is_not_taken_from_a_gif_is_told(tmp_path: Path) -> None:
    first, *rest = [Image.fromarray(frame) for frame in frames()]
    first.save(tmp_path / "plain.gif", save_all=True, append_images=rest)
    data = (tmp_path / "plain.gif").read_bytes()
    at = 13 + (3 << (1 + (data[10] & 7)) if data[10] & 0x80 else 0)
    (tmp_path / "in.gif").write_bytes(data[:at] + b"\x21\xff\x0bXMP DataXMP\x0c<x:xmpmeta/>\0" + data[at:])
    with images.reading(tmp_path / "in.gif") as source:
        assert source.warnings == ("its XMP is not taken",)


def test_what_is_not_taken_from_a_heic_of_several_is_told(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    Image.fromarray(drawn((48, 64, 3))).save(
        tmp_path / "p.heic", save_all=True, append_images=[Image.fromarray(drawn((48, 64, 3), seed=2))]
    )
    with images.reading(tmp_path / "p.heic") as source:
        assert source.warnings == ("only the first of its 2 pictures is taken",)


def test_exif_is_patched_in_place() -> None:
    for order in (b"II", b"MM"):
        block = exif_block(8, order).removeprefix(exif.PREFIX)
        assert block[:2] == order
        assert exif.orientation(block) == 8
        patched = exif.upright(block, 70_000, 50)
        assert patched is not None
        assert len(patched) == len(block)
        assert exif.orientation(patched) == 1
        tags = Image.Exif()
        tags.load(patched)
        assert tags.get_ifd(0x8769)[0xA002] == 70_000
        assert tags[0x010F] == "Maker"


@given(st.binary(max_size=300), st.integers(0, 80))
def test_any_exif_block_is_patched_or_dropped(junk: bytes, cut: int) -> None:
    for block in (junk, b"II*\0\x08\0\0\0" + junk, exif_block(6).removeprefix(exif.PREFIX)[:cut] + junk):
        assert 1 <= exif.orientation(block) <= 8
        patched = exif.upright(block, 5, 6)
        assert patched is None or len(patched) == len(block)
