"""Large pictures that their orientation tag turns: the same pixels as by way of memory, and a bounded peak."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from engine import images
from engine.codecs import turned, vips
from engine.errors import PictureError
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATIONS = range(1, 9)


def store(path: Path, pixels: np.ndarray, orientation: int, **options: object) -> Path:
    """A file whose tag says how it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path


def meant(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What EXIF means by an orientation: where the stored row 0 and column 0 are to be seen."""
    flipped = {1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1]}
    sideways = pixels.swapaxes(0, 1)
    turned = {5: sideways, 6: sideways[:, ::-1], 7: sideways[::-1, ::-1], 8: sideways[::-1]}
    return np.ascontiguousarray((flipped | turned)[orientation])


@pytest.fixture(params=["file", "memory"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of turning; the file's in blocks of a few rows."""
    if request.param == "file":
        monkeypatch.setattr(vips, "MOST_IN_MEMORY", 0)
        monkeypatch.setattr(vips, "STRIP_BYTES", 3000)
        monkeypatch.setattr(turned, "BLOCK_BYTES", 2000)
    return str(request.param)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["png", "png-alpha", "png-grey", "png-16", "tiff"])
def test_upright_is_as_exif_means_it(tmp_path: Path, rng: np.random.Generator, way: str, orientation: int, kind: str) -> None:
    shape = (61, 83) if kind in ("png-grey", "png-16") else (61, 83, 4 if kind == "png-alpha" else 3)
    deep = kind == "png-16"
    pixels = rng.integers(0, 65536 if deep else 256, shape).astype(np.uint16 if deep else np.uint8)
    path = store(tmp_path / f"p.{kind.partition('-')[0]}", pixels, orientation)
    found = images.read(path)
    wanted = meant(pixels, orientation)
    if kind == "png-alpha":
        assert found.alpha is not None
        np.testing.assert_array_equal(found.alpha, wanted[..., 3])
        wanted = wanted[..., :3]
    np.testing.assert_array_equal(found.pixels, wanted)
    assert found.pixels.dtype == pixels.dtype


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_jpeg_comes_out_the_same_both_ways(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, orientation: int
) -> None:
    path = store(tmp_path / "p.jpg", rng.integers(0, 256, (75, 93, 3), np.uint8), orientation, quality=90, dpi=(300, 200))
    memory = images.read(path)
    monkeypatch.setattr(vips, "MOST_IN_MEMORY", 0)
    file = images.read(path)
    np.testing.assert_array_equal(file.pixels, memory.pixels)
    assert file.metadata == memory.metadata


def test_a_damaged_one_is_refused_all_the_same(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vips, "MOST_IN_MEMORY", 0)
    path = store(tmp_path / "p.jpg", rng.integers(0, 256, (300, 300, 3), np.uint8), 6)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(PictureError, match="damaged"):
        images.read(path)


def test_no_room_is_said_with_the_numbers(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vips, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(turned, "ROOM_SPARE", 1 << 60)
    path = store(tmp_path / "p.png", rng.integers(0, 256, (300, 400, 3), np.uint8), 8)
    with pytest.raises(PictureError, match=r"p\.png: turning it upright takes 0 MB in .*, where [\d,]+ MB are free; make room, or name"):
        images.read(path)


PEAK = """
import sys
from pathlib import Path
from engine import images
from engine.footprint import peak_bytes
from engine.rows import pieces
with images.reading(Path(sys.argv[1])) as source:
    rows = sum(len(strip.pixels) for strip in pieces(source))
print(rows, peak_bytes() >> 20)
"""
MOST_MORE_MB = 50
"""How much more memory a turned picture may take than an upright one: by way of memory it would be its 108 MB."""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's own peak is told by Linux alone")
def test_turning_takes_no_memory_worth_the_name(tmp_path: Path) -> None:
    pixels, peak_mb = np.tile(np.linspace(40, 200, 8000).astype(np.uint8)[None, :, None], (4500, 1, 3)), {}
    for orientation in (1, 3, 6):
        path = store(tmp_path / f"{orientation}.jpg", pixels, orientation)
        done = subprocess.run([sys.executable, "-c", PEAK, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
        rows, peak_mb[orientation] = map(int, done.stdout.split())
        assert rows == (8000 if orientation == 6 else 4500)
    assert max(peak_mb[3], peak_mb[6]) - peak_mb[1] < MOST_MORE_MB, peak_mb


def test_what_is_kept_on_disk_is_gone_afterwards(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vips, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(turned.tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = store(tmp_path / "p.png", rng.integers(0, 256, (50, 60, 3), np.uint8), 5)
    images.read(path)
    assert not list((tmp_path / "scratch").iterdir())
