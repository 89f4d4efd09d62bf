"""What users of upscalers complain about, on files, with the network that ships at every precision: levels, colours, edges, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from engine import images, jobs
from engine.catalogue import Catalogue
from engine.events import Finished
from engine.jobs import Job, Settings, Tools
from engine.network import NetworkSpec
from engine.picture import Picture
from tests.commands import store_model

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "resources" / "models"
WIDTH, HEIGHTS = 3000, (800, 2400)
MOST_MORE_MB = 100
"""How much more memory the higher picture may take: whole, its input, result and their floats are larger by 360 MB."""
PEAK = """
import json, sys
from addersesr_app.cli import main
from engine.footprint import peak_bytes
status = main(sys.argv[1:])
print(json.dumps({"status": status, "mb": peak_bytes() / (1 << 20)}))
"""


@pytest.fixture(params=["fp32", "int8"])
def upscaled(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """Upscales a file with the network that ships, at each precision."""

    def run(source: Path) -> Path:
        settings = Settings(model="sesr-m5-x2", precision=request.param, backend="onnx")
        [finished] = [event for event in jobs.run(Job((source,), settings), Tools(Catalogue([MODELS]))) if isinstance(event, Finished)]
        assert finished.precision == request.param
        return Path(finished.output)

    return run


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_16_bit_ramps_stay_ramps(tmp_path: Path, upscaled: Callable[[Path], Path], ending: str) -> None:
    ramp = np.linspace(0, 65535, 256 * 200).reshape(200, 256).astype(np.uint16)
    for name, pixels in (("grey", ramp), ("rgb", np.dstack([ramp, ramp[::-1], ramp[:, ::-1]]))):
        images.write(Picture(np.ascontiguousarray(pixels)), tmp_path / f"{name}{ending}")
        out = cv2.imread(str(upscaled(tmp_path / f"{name}{ending}")), cv2.IMREAD_UNCHANGED)
        assert out.dtype == np.uint16
        assert all(len(np.unique(plane)) > 20_000 for plane in np.atleast_3d(out).transpose(2, 0, 1))


def test_mean_colours_stay(tmp_path: Path, upscaled: Callable[[Path], Path]) -> None:
    pixels = images.read(ROOT / "resources" / "sample.png").pixels
    for name, part in (("photo", pixels), ("grey", np.ascontiguousarray(pixels[..., 1])), ("dark", pixels // 8)):
        images.write(Picture(part), tmp_path / f"{name}.png")
        out = images.read(upscaled(tmp_path / f"{name}.png"))
        assert out.grey == (name == "grey")
        assert np.abs(out.pixels.mean((0, 1)) - part.mean((0, 1))).max() < 0.2


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 40), (7, 7), (8, 8), (9, 12), (10, 10), (11, 14)])
@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 60, 200), (128, 128, 128), (255, 255, 255)])
def test_mean_colours_of_the_smallest_pictures_stay(
    tmp_path: Path, upscaled: Callable[[Path], Path], shape: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    images.write(Picture(np.full((*shape, 3), colour, np.uint8)), tmp_path / "small.png")
    out = images.read(upscaled(tmp_path / "small.png")).pixels
    assert out.shape == (2 * shape[0], 2 * shape[1], 3)
    assert np.abs(out.mean((0, 1)) - colour).max() <= (0 if min(shape) < 10 else 0.2)


@pytest.mark.parametrize("blocks", [1, 4])
def test_only_what_is_cut_off_at_black_and_white_shifts_a_mean(tmp_path: Path, upscaled: Callable[[Path], Path], blocks: int) -> None:
    """A network overshoots at hard edges. Where there is room above white and below black, even noise of two levels keeps its mean."""
    bits = np.kron(np.random.default_rng(0).integers(0, 2, (256 // blocks, 256 // blocks)), np.ones((blocks, blocks)))
    for name, pixels, most in (("room", 100 + 40 * bits, 0.2), ("none", 255 * bits, 3)):
        images.write(Picture(pixels.astype(np.uint8)), tmp_path / f"{name}.png")
        assert abs(images.read(upscaled(tmp_path / f"{name}.png")).pixels.mean() - pixels.mean()) < most


@pytest.mark.parametrize("hidden", [0, 255])
def test_cut_out_things_have_no_fringe(tmp_path: Path, upscaled: Callable[[Path], Path], hidden: int) -> None:
    y, x = np.mgrid[:96, :96] - 47.5
    alpha = np.clip(34 - np.hypot(x, y) + 0.5, 0, 1)
    pixels = np.where((alpha > 0)[..., None], np.array([200, 120, 60]), hidden).astype(np.uint8)
    images.write(Picture(pixels, (alpha * 255 + 0.5).astype(np.uint8)), tmp_path / "disc.png")
    out = images.read(upscaled(tmp_path / "disc.png"))
    assert out.alpha is not None
    seen = out.alpha > 12
    assert np.abs(out.pixels[seen].astype(int) - [200, 120, 60]).max() <= 3, "neither dark nor bright"
    far = np.hypot(*np.mgrid[:192, :192] - 95.5)
    assert (out.alpha[far < 60] == 255).all()
    assert (out.alpha[far > 76] == 0).all()
    rim = out.alpha.reshape(96, 2, 96, 2).transpose(0, 2, 1, 3).reshape(96, 96, 4)[(alpha > 0) & (alpha < 1)]
    assert (np.ptp(rim, axis=1) > 8).mean() > 0.9, "jagged: in steps of the source's pixels"


@pytest.mark.skipif(sys.platform == "win32", reason="the process's peak memory is asked for as POSIX has it")
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_memory_does_not_grow_with_the_picture(tmp_path: Path, ending: str) -> None:
    model, peak = store_model(tmp_path / "m.safetensors", NetworkSpec(2, 1, 2)), {}
    for height in HEIGHTS:
        pixels = np.tile(np.linspace(40, 200, WIDTH).astype(np.uint8)[None, :, None], (height, 1, 3))
        images.write(Picture(pixels), tmp_path / f"{height}.{ending}")
        words = ["upscale", tmp_path / f"{height}.{ending}", "--model", model, "--backend", "onnx", "--tile", "256"]
        done = subprocess.run([sys.executable, "-c", PEAK, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        assert told["status"] == 0, done.stderr
        peak[height] = told["mb"]
    assert peak[HEIGHTS[1]] - peak[HEIGHTS[0]] < MOST_MORE_MB, peak
