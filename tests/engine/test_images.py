"""Real files in, real files out, checked with other libraries than the ones that read and wrote them."""

from __future__ import annotations

import io
import os
import struct
import threading
import zlib
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from engine import exif, images
from engine.codecs import vips_save
from engine.errors import OutputError, PictureError
from engine.formats import MAX_PIXELS, check_writable, losses
from engine.network import NetworkSpec
from engine.picture import Metadata, Picture
from engine.resize import imresize
from engine.rows import Layout, Strip, pieces
from engine.upscaler import Upscaler

if TYPE_CHECKING:
    from pathlib import Path


def drawn(shape: tuple[int, ...], dtype: type = np.uint8, seed: int = 1) -> np.ndarray:
    """A smooth picture, so that lossy formats keep it."""
    small = np.random.default_rng(seed).random((3, 4, *shape[2:]), np.float32)
    unit = np.clip(imresize(small, *shape[:2]) * 0.8 + 0.1, 0, 1)
    return unit if dtype == np.float32 else (unit * np.iinfo(dtype).max).astype(dtype)


@cache  # it holds the time at which it was made
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(orientation: int, order: bytes = b"MM") -> bytes:
    block = Image.Exif()
    block.endian = "<" if order == b"II" else ">"
    block[0x0112] = orientation
    block[0x010F] = "Maker"
    camera = block.get_ifd(0x8769)
    camera[0xA002], camera[0xA003] = 40, 30
    camera[0x9003] = "2026:01:02 03:04:05"
    return block.tobytes()


EXACT = [
    (ending, dtype, channels, alpha)
    for ending, dtypes, kinds in [
        (".png", [np.uint8, np.uint16], [0, 3]),
        (".tif", [np.uint8, np.uint16, np.float32], [0, 3]),
        (".bmp", [np.uint8], [0, 3]),
        (".ppm", [np.uint8, np.uint16, np.float32], [0, 3]),
    ]
    for dtype in dtypes
    for channels in kinds
    for alpha in ([False, True] if ending in (".png", ".tif") else [False])
]


@pytest.mark.parametrize(("ending", "dtype", "channels", "alpha"), EXACT)
def test_lossless_formats_keep_every_sample(tmp_path: Path, ending: str, dtype: type, channels: int, alpha: bool) -> None:
    shape = (37, 53, channels) if channels else (37, 53)
    picture = Picture(drawn(shape, dtype), drawn((37, 53), dtype, 2) if alpha else None)
    images.write(picture, tmp_path / f"p{ending}")
    back = images.read(tmp_path / f"p{ending}")
    np.testing.assert_array_equal(back.pixels, picture.pixels)
    assert back.pixels.dtype == dtype
    if alpha:
        np.testing.assert_array_equal(back.alpha, picture.alpha)
    else:
        assert back.alpha is None


@pytest.mark.parametrize(("ending", "error"), [(".jpg", 6), (".webp", 12), (".avif", 6), (".jp2", 4)])
@pytest.mark.parametrize("grey", [False, True])
def test_lossy_formats_keep_what_is_seen(tmp_path: Path, ending: str, error: int, grey: bool) -> None:
    picture = Picture(drawn((64, 80) if grey else (64, 80, 3)))
    images.write(picture, tmp_path / f"p{ending}")
    back = images.read(tmp_path / f"p{ending}")
    seen, meant = back.rgb8().astype(int), picture.rgb8().astype(int)
    assert np.abs(seen - meant).max() <= error
    assert np.abs(seen.mean((0, 1)) - meant.mean((0, 1))).max() < 0.5


def test_jpeg_is_written_in_full_colour_resolution_at_quality_95(tmp_path: Path) -> None:
    images.write(Picture(drawn((64, 64, 3))), tmp_path / "p.jpg")
    with Image.open(tmp_path / "p.jpg") as file:
        assert [layer[1:3] for layer in file.layer] == [(1, 1)] * 3
        best = sum(sum(table) for table in file.quantization.values())
    images.write(Picture(drawn((64, 64, 3))), tmp_path / "q.jpg", quality=50)
    with Image.open(tmp_path / "q.jpg") as file:
        assert sum(sum(table) for table in file.quantization.values()) > 3 * best


def test_deep_avif_stays_deep(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256 * 64).reshape(64, 256).astype(np.uint16)
    picture = Picture(np.dstack([ramp] * 3))
    images.write(picture, tmp_path / "p.avif", quality=100)
    back = images.read(tmp_path / "p.avif")
    assert back.pixels.dtype == np.uint16
    assert len(np.unique(back.pixels)) > 1000
    assert back.pixels.max() > 65400
    assert np.abs(back.pixels.astype(int) - picture.pixels).max() < 600


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


def test_pngs_of_every_kind(tmp_path: Path) -> None:
    grey = drawn((20, 30))
    palette = Image.fromarray(drawn((20, 30, 3))).quantize(17)
    seen = {
        "bit": Image.fromarray(grey > 128),
        "palette": palette,
        "interlaced": Image.fromarray(drawn((20, 30, 3))),
        "la": Image.fromarray(np.dstack([grey, grey[::-1]])),
    }
    for name, picture in seen.items():
        picture.save(tmp_path / f"{name}.png")
    palette.save(tmp_path / "clear.png", transparency=3)
    two_bits = Image.fromarray((grey // 64).astype(np.uint8))
    two_bits.save(tmp_path / "two.png", bits=2)
    assert set(np.unique(images.read(tmp_path / "bit.png").pixels)) == {0, 255}
    np.testing.assert_array_equal(images.read(tmp_path / "palette.png").pixels, np.asarray(palette.convert("RGB")))
    la = images.read(tmp_path / "la.png")
    assert la.grey
    np.testing.assert_array_equal(la.alpha, grey[::-1])
    clear = images.read(tmp_path / "clear.png")
    assert clear.alpha is not None
    assert set(np.unique(clear.alpha)) == {0, 255}


def test_multichannel_and_odd_sample_types(tmp_path: Path) -> None:
    Image.fromarray(drawn((9, 9), np.uint8).astype(np.int32)).save(tmp_path / "int.tif")
    with pytest.raises(PictureError, match="samples of type int"):
        images.read(tmp_path / "int.tif")
    not_finite = drawn((9, 9, 3), np.float32)
    not_finite[3, 3] = np.nan
    cv2.imwrite(str(tmp_path / "nan.tif"), not_finite)
    with pytest.raises(PictureError, match="not finite"):
        images.read(tmp_path / "nan.tif")


def test_float_tiff_keeps_values_beyond_one(tmp_path: Path) -> None:
    pixels = drawn((19, 23, 3), np.float32) * 9 - 2
    cv2.imwrite(str(tmp_path / "hdr.tif"), np.ascontiguousarray(pixels[..., ::-1]))
    back = images.read(tmp_path / "hdr.tif")
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.span.low == pixels.min()
    assert back.span.high == pixels.max()
    images.write(back, tmp_path / "hdr.png")
    assert images.read(tmp_path / "hdr.png").pixels.dtype == np.uint16


def test_cmyk_is_converted_by_profile_and_said_so(tmp_path: Path) -> None:
    rgb = Image.fromarray(drawn((40, 40, 3)))
    rgb.convert("CMYK").save(tmp_path / "c.jpg", quality=97)
    with images.reading(tmp_path / "c.jpg") as source:
        assert "CMYK" in source.warnings[0]
    back = images.read(tmp_path / "c.jpg")
    assert back.pixels.shape == (40, 40, 3)
    assert back.metadata.icc, "what the colours mean now is told"
    assert np.abs(back.pixels.mean((0, 1)) - np.asarray(rgb).mean((0, 1))).max() < 40


def test_heic_is_read(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    pixels = drawn((48, 64, 3))
    Image.fromarray(pixels).save(tmp_path / "p.heic", quality=95, exif=exif_block(6), icc_profile=profile())
    back = images.read(tmp_path / "p.heic")
    assert back.format == "heic"
    assert back.pixels.shape == (64, 48, 3), "the container's rotation counts"
    assert np.abs(back.pixels.astype(int) - np.rot90(pixels, -1)).mean() < 3
    assert back.metadata.icc == profile()
    deep = pillow_heif.from_bytes("RGB;16", (64, 48), (pixels.astype(np.uint16) * 257).tobytes())
    deep.save(tmp_path / "deep.heic", quality=95)
    ten = images.read(tmp_path / "deep.heic")
    assert ten.pixels.dtype == np.uint16
    assert np.abs(ten.pixels / 257 - pixels).mean() < 3


def frames(count: int = 4) -> list[np.ndarray]:
    return [drawn((24, 36, 3), seed=i) for i in range(count)]


class Repeat:
    """A back end that repeats pixels, so that each page's own pixels can be told."""

    name, device, precision = "repeat", "cpu", "fp32"
    spec = NetworkSpec(2, 1, 1)

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        return y_hw.repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize(("ending", "error"), [(".gif", 70), (".webp", 12), (".tif", 12), (".png", 12)])
def test_every_page_is_upscaled_by_itself_and_keeps_its_time(tmp_path: Path, ending: str, error: int) -> None:
    delays = [40, 100, 250, 70]
    first, *rest = [Image.fromarray(frame) for frame in frames()]
    timing = {"duration": delays, "loop": 3} if ending != ".tif" else {}
    more = {"lossless": True} if ending == ".webp" else {}
    first.save(tmp_path / f"in{ending}", save_all=True, append_images=rest, **timing, **more)
    with images.reading(tmp_path / f"in{ending}") as source:
        assert (source.layout.pages, source.layout.height, source.layout.width) == (4, 24, 36)
        seen: list[tuple[int, int]] = []
        layout, strips = Upscaler(Repeat(), 20).stream(source, lambda done, total: seen.append((done, total)))
        images.write_strips(layout, strips, source.metadata, tmp_path / f"out{ending}")
        assert losses(tmp_path / "out.jpg", source.layout, source.metadata)[0].endswith("the first of 4 pages")
    assert seen == [(i + 1, 16) for i in range(16)]
    with Image.open(tmp_path / f"out{ending}") as made, Image.open(tmp_path / f"in{ending}") as given_file:
        assert (made.n_frames, made.size) == (4, (72, 48))
        for page, frame in enumerate(frames()):
            made.seek(page)
            made.load()
            given_file.seek(page)
            given_file.load()
            shrunk = np.asarray(made.convert("RGB"))[::2, ::2].astype(int)
            assert np.abs(shrunk - frame).mean() <= max(1, error / 4)
            if timing:
                assert made.info["duration"] == given_file.info["duration"] == delays[page]
        if timing:
            assert made.info["loop"] == given_file.info["loop"]


def test_an_animation_as_a_still_format_is_its_first_page(tmp_path: Path) -> None:
    first, *rest = [Image.fromarray(frame) for frame in frames()]
    first.save(tmp_path / "in.webp", save_all=True, append_images=rest, duration=50, lossless=True)
    with images.reading(tmp_path / "in.webp") as source:
        images.write_strips(source.layout, pieces(source), source.metadata, tmp_path / "out.bmp")
    np.testing.assert_array_equal(images.read(tmp_path / "out.bmp").pixels, frames()[0])
    np.testing.assert_array_equal(images.read(tmp_path / "in.webp").pixels, frames()[0])


def test_pages_of_different_sizes_are_told_of(tmp_path: Path) -> None:
    first, second = Image.fromarray(frames()[0]), Image.fromarray(frames()[1][:9])
    first.save(tmp_path / "mixed.tif", save_all=True, append_images=[second])
    with images.reading(tmp_path / "mixed.tif") as source:
        assert "only the first of its 2 pages" in source.warnings[0]
        assert source.layout.pages == 1
    np.testing.assert_array_equal(images.read(tmp_path / "mixed.tif").pixels, frames()[0])


def test_what_a_format_cannot_keep_is_told(tmp_path: Path) -> None:
    about = Metadata(icc=profile(), exif=b"MM")
    deep = Layout.of(Picture(drawn((4, 4, 3), np.uint16), drawn((4, 4), np.uint16)))
    told = " ".join(losses(tmp_path / "p.bmp", deep, about))
    for words in ("8 bits a sample instead of 16", "transparency", "colour profile", "EXIF"):
        assert words in told
    assert losses(tmp_path / "p.png", deep, about) == ()


def test_bytes_decide_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(drawn((10, 12, 3))).save(tmp_path / "really.png", "JPEG")
    assert images.read(tmp_path / "really.png").format == "jpeg"
    (tmp_path / "text.png").write_text("I am not a picture at all\n" * 50)
    (tmp_path / "svg.png").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    for name in ("text.png", "svg.png"):
        with pytest.raises(PictureError, match="not a picture"):
            images.read(tmp_path / name)


def samples() -> dict[str, bytes]:
    """One small file of each format."""
    picture = Image.fromarray(drawn((60, 70, 3)))
    out = {}
    for name, options in {
        "JPEG": {},
        "PNG": {},
        "WEBP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "BMP": {},
        "JPEG2000": {},
        "PPM": {},
        "GIF": {},
        "AVIF": {},
    }.items():
        file = io.BytesIO()
        picture.save(file, name, **options)
        out[name] = file.getvalue()
    progressive, heic = io.BytesIO(), io.BytesIO()
    picture.save(progressive, "JPEG", progressive=True)
    pillow_heif.register_heif_opener()
    picture.save(heic, "HEIF")
    return {**out, "progressive": progressive.getvalue(), "HEIC": heic.getvalue()}


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


def test_formats_that_cannot_hold_a_picture_say_so_before_the_work(tmp_path: Path) -> None:
    huge = Layout(20_000, 20_000, False, False, np.dtype(np.uint8), Picture(drawn((2, 2))).span)
    for name, reason in [
        ("p.webp", "16383 a side"),
        ("p.avif", "16384 a side"),
        ("p.bmp", "over the 120 megapixels"),
        ("p.xyz", "use one of"),
    ]:
        with pytest.raises(PictureError, match=reason):
            check_writable(tmp_path / name, huge)
    check_writable(tmp_path / "p.png", huge)


def test_alpha_goes_onto_white_where_the_format_has_none(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, 8:] = 0
    images.write(Picture(pixels, alpha), tmp_path / "p.bmp")
    back = images.read(tmp_path / "p.bmp")
    assert (back.pixels[:, :8] == 0).all()
    assert (back.pixels[:, 8:] == 255).all()


def test_deep_pictures_are_rounded_not_cut_for_shallow_formats(tmp_path: Path) -> None:
    levels = np.array([[0, 128, 129, 32767, 32896, 65535, 65407, 65406]], np.uint16)
    images.write(Picture(levels), tmp_path / "p.bmp")
    assert images.read(tmp_path / "p.bmp").pixels.tolist() == [[0, 0, 1, 127, 128, 255, 255, 254]]


def test_a_picture_is_what_it_says() -> None:
    with pytest.raises(ValueError, match="uint8, uint16 or float32"):
        Picture(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        Picture(np.zeros((2, 2, 4), np.uint8))
    with pytest.raises(ValueError, match="alpha is"):
        Picture(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    deep = Picture(np.full((2, 2), 65535, np.uint16))
    assert (deep.bits, deep.grey, deep.span.high) == (16, True, 65535)
    assert deep.rgb8().tolist() == [[[255] * 3] * 2] * 2


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
