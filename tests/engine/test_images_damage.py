"""Files that are damaged, enormous or no files, and writing that fails: one clear error, and nothing half done."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import pyvips

from engine import images
from engine.codecs import vips_save
from engine.errors import OutputError, PictureError
from engine.formats import MAX_PIXELS
from engine.picture import Metadata, Picture
from engine.rows import Layout, Strip
from tests.pictures import drawn, samples

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def small_files() -> dict[str, bytes]:
    return samples()


@pytest.mark.parametrize("name", ["JPEG", "progressive", "PNG", "WEBP", "TIFF", "JPEG2000", "PPM", "AVIF", "HEIC", "BMP", "GIF"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.95])
def test_a_truncated_file_is_an_error_never_half_a_picture(tmp_path: Path, small_files: dict[str, bytes], name: str, kept: float) -> None:
    whole = small_files[name]
    (tmp_path / "whole").write_bytes(whole)
    assert images.read(tmp_path / "whole").pixels.shape[:2] == (60, 70)
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(PictureError) as caught:
        images.read(tmp_path / "cut")
    assert str(tmp_path / "cut") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["JPEG", "progressive", "PNG", "WEBP", "TIFF", "JPEG2000", "PPM", "AVIF", "HEIC", "BMP", "GIF"])
def test_damaged_files_give_a_picture_or_one_clear_error(tmp_path: Path, small_files: dict[str, bytes], name: str) -> None:
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    path, outcomes = tmp_path / "damaged", []
    for _ in range(60):
        damaged = bytearray(small_files[name])
        for _ in range(draw.integers(1, 7)):
            reach = min(200, len(damaged)) if draw.random() < 0.5 else len(damaged)
            damaged[draw.integers(reach)] = draw.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            picture = images.read(path)
            outcomes.append(picture.height * picture.width < MAX_PIXELS)
        except PictureError as error:
            outcomes.append(str(path) in str(error))
    assert all(outcomes)


def test_a_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9)) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(PictureError, match="90000×90000 pixels are over the limit of 500 megapixels"):
        images.read(tmp_path / "bomb.png")
    bmp = bytearray(cv2.imencode(".bmp", np.zeros((2, 2, 3), np.uint8))[1].tobytes())
    bmp[18:26] = struct.pack("<ii", 40_000, 40_000)
    (tmp_path / "bomb.bmp").write_bytes(bmp)
    with pytest.raises(PictureError, match="over the limit"):
        images.read(tmp_path / "bomb.bmp")


@pytest.mark.parametrize(("ending", "most"), [(".jp2", 40), (".bmp", 80), (".ppm", 40)])
def test_what_is_decoded_whole_is_limited_by_what_that_takes(tmp_path: Path, ending: str, most: int) -> None:
    """More than these of any samples would not stay below 1.5 GB; a file of one row more says so before it is decoded."""
    data, rows = bytearray(cv2.imencode(ending, np.zeros((64, 64, 3), np.uint8))[1].tobytes()), most * 100 + 1
    match ending:
        case ".jp2":
            struct.pack_into(">II", data, data.index(b"ihdr") + 4, rows, 10_000)
        case ".bmp":
            struct.pack_into("<ii", data, 18, 10_000, rows)
        case ".ppm":
            data = bytearray(b"P3\n10000 %d\n255\n0 0 0\n" % rows)
    (tmp_path / f"p{ending}").write_bytes(data)
    with pytest.raises(PictureError, match=f"10000×{rows} pixels are over the limit of {most} megapixels for its format"):
        images.read(tmp_path / f"p{ending}")


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_file_of_several_passes_has_the_limit_of_what_is_held_whole(tmp_path: Path, kind: str) -> None:
    image = pyvips.Image.new_from_array(drawn((16, 16, 3)))
    for passes in (False, True):
        data = bytearray(getattr(image, f"{kind}save_buffer")(interlace=passes))
        if kind == "png":
            struct.pack_into(">II", data, 16, 20_000, 10_000)
            struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
        else:
            frame = data.index(b"\xff\xc2" if passes else b"\xff\xc0")
            struct.pack_into(">HH", data, frame + 5, 10_000, 20_000)
        (tmp_path / "p").write_bytes(data)
        with pytest.raises(PictureError, match="over the limit of 120 megapixels for a progressive or" if passes else "damaged"):
            images.read(tmp_path / "p")


def test_deep_files_of_several_passes_are_limited_by_their_bytes(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(np.zeros((16, 16, 4), np.uint16), interpretation="rgb16")
    data = bytearray(image.pngsave_buffer(interlace=True))
    struct.pack_into(">II", data, 16, 8_000, 6_000)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    (tmp_path / "p.png").write_bytes(data)
    with pytest.raises(PictureError, match=r"8000×6000 pixels are over the limit of 45 megapixels for a progressive .* at 8 bytes a pixel"):
        images.read(tmp_path / "p.png")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name, reason in [
        ("pipe.png", "a pipe"),
        ("empty.png", "empty"),
        ("absent.png", "No such file"),
        ("loop.png", "symbolic"),
        ("", "folder"),
    ]:
        with pytest.raises(PictureError, match=reason):
            images.read(tmp_path / name)
    (tmp_path / "shut.png").write_bytes(b"x")
    (tmp_path / "shut.png").chmod(0)
    if os.geteuid():
        with pytest.raises(PictureError, match="ermission"):
            images.read(tmp_path / "shut.png")


@pytest.mark.parametrize("name", ["photo 📷 ünï.png", "תמונה.jpg", "写真.webp", os.fsdecode(b"latin-\xe9\xff.tif"), "x" * 251 + ".png"])
def test_any_name_works(tmp_path: Path, name: str) -> None:
    picture = Picture(drawn((12, 14, 3)))
    images.write(picture, tmp_path / name)
    assert images.read(tmp_path / name).pixels.shape == (12, 14, 3)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_existing_file_is_never_replaced_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        images.write(Picture(drawn((5, 5))), path)
    assert path.read_bytes() == b"precious"
    images.write(Picture(drawn((5, 5))), path, overwrite=True)
    assert images.read(path).pixels.shape == (5, 5)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_taken_while_writing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    layout = Layout.of(Picture(drawn((8, 8))))

    def slow() -> object:
        yield Strip(drawn((8, 8))[:4], None)
        path.write_bytes(b"somebody else's")
        yield Strip(drawn((8, 8))[4:], None)

    with pytest.raises(OutputError, match="exists already"):
        images.write_strips(layout, slow(), Metadata(), path)
    assert path.read_bytes() == b"somebody else's"
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    outcomes: list[str] = []

    def attempt(level: int) -> None:
        try:
            images.write(Picture(np.full((50, 50, 3), level, np.uint8)), tmp_path / "p.png")
            outcomes.append("written")
        except OutputError:
            outcomes.append("taken")

    threads = [threading.Thread(target=attempt, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["taken"] * 5 + ["written"]
    assert len(np.unique(images.read(tmp_path / "p.png").pixels)) == 1


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".bmp", ".webp"])
def test_a_failure_half_way_leaves_nothing(tmp_path: Path, ending: str) -> None:
    layout = Layout.of(Picture(drawn((64, 8, 3))))

    def failing() -> object:
        yield Strip(drawn((32, 8, 3)), None)
        raise RuntimeError("the network failed")

    with pytest.raises(RuntimeError, match="the network failed"):
        images.write_strips(layout, failing(), Metadata(), tmp_path / f"p{ending}")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("no /dev/full here")
    big = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    for kind in ("jpeg", "png", "tiff", "webp"):
        with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb+", buffering=0) as full:  # noqa: PTH123
            vips_save.encode(Layout.of(Picture(big)), [Strip(big, None)], Metadata(), kind, 95, full)


def test_missing_and_unwritable_folders(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        images.write(Picture(drawn((5, 5))), tmp_path / "no" / "p.png")
    if os.geteuid():
        (tmp_path / "shut").mkdir(mode=0o500)
        with pytest.raises(OutputError, match="no permission"):
            images.write(Picture(drawn((5, 5))), tmp_path / "shut" / "p.png")
