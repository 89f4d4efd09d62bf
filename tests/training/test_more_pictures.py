"""More training pictures: pages are drawn, clip art is laid out, packages are unpacked. No package is fetched here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import TrainingError
from training import drawn, more_pictures

FONTS = sorted(Path("/usr/share/fonts").rglob("DejaVuSans.ttf"))
renders = pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="clip art is drawn by librsvg2-bin")
packs = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg")
RED = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4" fill="#ff0000"/></svg>'


def test_pages_of_lines_have_edges_and_are_known_by_their_seed():
    pages = [drawn.lines(seed) for seed in range(6)]
    for page in pages:
        assert page.shape == (480, 640, 3)
        assert more_pictures.bicubic_db(page) < more_pictures.MOST_DB
    assert np.mean([more_pictures.bicubic_db(page) for page in pages]) < 30  # photographs have 30 to 35
    assert np.array_equal(pages[3], drawn.lines(3))
    assert len({page.tobytes() for page in pages}) == 6


@pytest.mark.skipif(not FONTS, reason="needs a font")
def test_pages_of_text_have_the_words():
    few, many = (drawn.text(1, [word], FONTS) for word in ("i", "WWWWWW"))
    ink = [np.abs(page.astype(int) - np.median(page, (0, 1))).mean() for page in (few, many)]
    assert ink[1] > 1.5 * ink[0] > 0
    assert more_pictures.bicubic_db(many) < 35


@renders
def test_clip_art_is_laid_out_in_pages_and_what_cannot_be_drawn_is_left_out(tmp_path):
    (tmp_path / "broken.svg").write_text("no drawing")
    for number in range(3):
        (tmp_path / f"{number}.svg").write_text(RED)
    pages = dict(more_pictures.clipart(sorted(tmp_path.iterdir()), 2))
    (page,) = pages.values()  # three drawings do not fill a second one
    red = (np.abs(page.astype(int) - [255, 0, 0]).max(-1) < 3).mean()
    assert 0.03 < red < 0.95


@packs
def test_packages_are_unpacked_and_pictures_without_detail_left_out(tmp_path):
    rng = np.random.default_rng(0)
    inside = tmp_path / "walls" / "usr" / "share" / "art" / "contents" / "images"
    inside.mkdir(parents=True)
    grain = cv2.resize(rng.integers(0, 256, (600, 900, 3), np.uint8), (1800, 1200), interpolation=cv2.INTER_NEAREST)
    smooth = np.repeat(np.linspace(0, 255, 1800).astype(np.uint8)[None, :, None], 1200, 0).repeat(3, 2)
    for name, pixels in {"grain": grain, "smooth": smooth, "small": grain[:300, :300], "other": grain}.items():
        cv2.imwrite(str(inside / f"{name}.png"), pixels)
    (inside / "damaged.png").write_bytes(b"\x89PNG")
    control = tmp_path / "walls" / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text("Package: walls\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@b>\nDescription: pictures\n")
    debs = tmp_path / "debs"
    debs.mkdir()
    subprocess.run(["dpkg-deb", "--build", str(tmp_path / "walls"), str(debs / "walls_1_all.deb")], check=True, capture_output=True)
    (tmp_path / "place").mkdir()

    found = more_pictures.files({"walls": [f"**/{name}.png" for name in ("grain", "s*", "damaged")]}, debs, tmp_path / "place")
    assert [path.stem for path in found] == ["damaged", "grain", "small", "smooth"]
    assert more_pictures.store(more_pictures.wallpapers(found), tmp_path / "out") == 1
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "art-grain-900.png"
    assert cv2.imread(str(path)).shape == (600, 900, 3)


def test_a_package_that_cannot_be_had_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(more_pictures.shutil, "which", lambda name: None)
    with pytest.raises(TrainingError, match="there is no apt-get on this system"):
        more_pictures.files({"walls": ["**/*"]}, tmp_path / "debs", tmp_path)


def test_a_missing_command_is_said_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(more_pictures.shutil, "which", lambda name: None if name == "rsvg-convert" else name)
    with pytest.raises(SystemExit, match=r"^error: there is no rsvg-convert on this system \(Debian's package librsvg2-bin\)"):
        more_pictures.main([str(tmp_path / "out"), "--packages", str(tmp_path / "debs")])
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "debs").exists()
