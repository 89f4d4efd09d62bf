"""Films and sheaves of pages: every page by itself, with its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from engine import images
from engine.formats import losses
from engine.network import NetworkSpec
from engine.rows import pieces
from engine.upscaler import Upscaler
from tests.pictures import frames

if TYPE_CHECKING:
    from pathlib import Path


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
