"""Real files in, real files out, checked with other libraries than the ones that read and wrote them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pillow_heif
import pytest
import pyvips
from PIL import Image

from engine import images
from engine.codecs import pnm
from engine.colour import Span
from engine.errors import PictureError
from engine.formats import check_by_strips, check_writable
from engine.picture import Picture
from engine.rows import Layout
from tests.conftest import ROOT
from tests.pictures import drawn, exif_block, profile

if TYPE_CHECKING:
    from pathlib import Path


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


def test_pngs_of_every_kind(tmp_path: Path) -> None:
    grey = drawn((20, 30))
    palette = Image.fromarray(drawn((20, 30, 3))).quantize(17)
    seen = {
        "bit": Image.fromarray(grey > 128),
        "palette": palette,
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
    assert set(np.unique(images.read(tmp_path / "two.png").pixels)) <= {0, 85, 170, 255}, "two bits are the whole range"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_interlaced_pngs(tmp_path: Path, dtype: type) -> None:
    pixels = drawn((37, 53, 3), dtype)
    pyvips.Image.new_from_array(pixels).pngsave(str(tmp_path / "p.png"), interlace=True)
    data = (tmp_path / "p.png").read_bytes()
    assert data[28] == 1, "Adam7"
    np.testing.assert_array_equal(images.read(tmp_path / "p.png").pixels, pixels)
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError):
        images.read(tmp_path / "cut.png")


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


def test_bytes_decide_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(drawn((10, 12, 3))).save(tmp_path / "really.png", "JPEG")
    assert images.read(tmp_path / "really.png").format == "jpeg"
    (tmp_path / "text.png").write_text("I am not a picture at all\n" * 50)
    (tmp_path / "svg.png").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    for name in ("text.png", "svg.png"):
        with pytest.raises(PictureError, match="not a picture"):
            images.read(tmp_path / name)


def test_formats_that_cannot_hold_a_picture_say_so_before_the_work(tmp_path: Path) -> None:
    huge = Layout(20_000, 20_000, False, False, np.dtype(np.uint8), Picture(drawn((2, 2))).span)
    for name, reason in [
        ("p.webp", "16383 a side"),
        ("p.avif", "16384 a side"),
        ("p.bmp", "over the 85 megapixels"),
        ("p.xyz", "use one of"),
    ]:
        with pytest.raises(PictureError, match=reason):
            check_writable(tmp_path / name, huge)
    check_writable(tmp_path / "p.png", huge)
    for name, layout, most in (
        ("p.tif", Layout(9000, 9000, False, False, np.dtype(np.float32), Span(0, 1)), "75 megapixels that can be written as float TIFF"),
        ("p.webp", Layout(10_000, 10_000, False, True, np.dtype(np.uint8), Span(0, 255)), "50 .* as WEBP with transparency"),
        ("p.avif", Layout(10_000, 10_000, False, False, np.dtype(np.uint16), Span(0, 65535)), "50 .* as 16-bit AVIF"),
        ("p.jp2", Layout(5000, 9000, False, False, np.dtype(np.uint8), Span(0, 255)), "40 megapixels that can be written as JP2"),
        ("p.jp2", Layout(5000, 5000, False, False, np.dtype(np.uint16), Span(0, 65535)), "20 megapixels that can be written as 16-bit JP2"),
    ):
        with pytest.raises(PictureError, match=most):
            check_writable(tmp_path / name, layout)
        check_writable(tmp_path / "p.jpg", layout)
    for name in ("p.webp", "p.avif", "p.bmp", "p.tif", "p.pfm", "p.gif"):
        check_writable(tmp_path / name, Layout(6000, 8000, False, True, np.dtype(np.float32), Span(0, 1)))
    check_writable(tmp_path / "p.pfm", Layout(20_000, 20_000, False, False, np.dtype(np.float32), Span(0, 1)))


def test_rows_too_long_for_strips_are_refused_with_the_numbers(tmp_path: Path) -> None:
    deep = Layout(20, 100_000, False, True, np.dtype(np.uint16), Span.of(np.uint16))
    with pytest.raises(
        PictureError, match=r"p\.tif: rows of 100000 pixels would take 2\.1 GB of memory, over .* 1\.4 GB; .* at most 63\d\d\d pixels"
    ):
        check_by_strips(tmp_path / "p.tif", deep)
    check_by_strips(tmp_path / "p.tif", replace(deep, width=60_000))
    check_by_strips(tmp_path / "p.png", replace(deep, width=120_000, alpha=False, dtype=np.dtype(np.uint8)))


PEAK = """
import sys
from pathlib import Path
import numpy as np
from engine import images
from engine.codecs import pnm
from engine.colour import Span
from engine.footprint import peak_bytes
from engine.picture import Metadata
from engine.rows import Layout, Strip, pieces
dtype, path = np.dtype(sys.argv[1]), Path(sys.argv[2])
layout = Layout(6000, 4000, False, False, dtype, Span(0, 1) if dtype.kind == "f" else Span.of(dtype))
before = peak_bytes()
images.write_strips(layout, (Strip(np.full((100, 4000, 3), 1, dtype), None) for _ in range(60)), Metadata(), path)
with images.reading(path) as source:
    assert sum(len(strip.pixels) for strip in pieces(source)) == 6000
print((peak_bytes() - before) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's own peak is told by Linux alone")
@pytest.mark.parametrize(("name", "dtype"), [("p.pfm", "float32"), ("p.ppm", "uint16")])
def test_what_is_stored_by_the_strip_is_never_held_whole(tmp_path: Path, name: str, dtype: str) -> None:
    """24 megapixels, 144 MB or more of samples."""
    done = subprocess.run([sys.executable, "-c", PEAK, dtype, str(tmp_path / name)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60, "MB more than before"


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_binary_pnm_is_that_of_others(tmp_path: Path, dtype: type, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is read by OpenCV, and OpenCV's, and one with the other order of bytes, by us; some rows at a time."""
    monkeypatch.setattr(pnm, "STRIP_BYTES", 2000)
    pixels = drawn((37, 53, channels) if channels else (37, 53), dtype)
    theirs = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    ending = ".pfm" if dtype == np.float32 else ".ppm" if channels else ".pgm"
    ours, other = tmp_path / f"ours{ending}", tmp_path / f"theirs{ending}"
    images.write(Picture(pixels), ours)
    np.testing.assert_array_equal(cv2.imread(str(ours), cv2.IMREAD_UNCHANGED), theirs)
    cv2.imwrite(str(other), theirs)
    np.testing.assert_array_equal(images.read(other).pixels, pixels)
    if dtype == np.float32:
        head, samples = f"P{'F' if channels else 'f'}\n53 37\n1.0\n", np.ascontiguousarray(pixels[::-1], ">f4")
        other.write_bytes(head.encode() + samples.tobytes())
        np.testing.assert_array_equal(images.read(other).pixels, pixels)
    other.write_bytes(other.read_bytes()[:-5])
    with pytest.raises(PictureError, match="samples end too early"):
        images.read(other)


def test_rarer_kinds_of_pnm_are_read_too(tmp_path: Path) -> None:
    grey = np.array([[0, 128, 255], [7, 8, 9]], np.uint8)
    (tmp_path / "text.pgm").write_text("P2\n# a remark\n3 2\n255\n0 128 255\n7 8 9\n")
    (tmp_path / "remark.pgm").write_bytes(b"P5\n# a remark\n3 2 # and one more\n255\n" + grey.tobytes())
    for name in ("text.pgm", "remark.pgm"):
        np.testing.assert_array_equal(images.read(tmp_path / name).pixels, grey)
    (tmp_path / "bits.pbm").write_bytes(b"P4\n3 2\n\x40\xa0")
    np.testing.assert_array_equal(images.read(tmp_path / "bits.pbm").pixels > 0, [[True, False, True], [False, True, False]])
    broken = np.full((4, 5, 3), np.nan, "<f4")
    (tmp_path / "nan.pfm").write_bytes(b"PF\n5 4\n-1.0\n" + broken.tobytes())
    with pytest.raises(PictureError, match="not finite"):
        images.read(tmp_path / "nan.pfm")


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
