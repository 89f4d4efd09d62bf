"""The peak memory of upscaling large pictures: ``python -m tests.benchmarks.large_picture``, by itself 200 megapixels of JPEG with SESR-M5.

``--kind png-16 --orientation 6 --megapixels 100`` take another picture, ``--to tiff`` another output; what follows ``--`` goes to
``addersesr upscale``. Takes some minutes a picture. Fails above 1.5 GB, unless the picture was refused, which is then told.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyvips

from engine import images
from engine.colour import Span
from engine.picture import Metadata
from engine.rows import Layout, Strip

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_MB = 1500
BLOCK = 10
PEAK = """
import sys
from pathlib import Path
from addersesr_app.cli import main
from engine.footprint import peak_bytes
status = main(sys.argv[2:])
Path(sys.argv[1]).write_text(str(peak_bytes()))
sys.exit(status)
"""


@dataclass(frozen=True)
class Kind:
    """How a picture is stored: its ending, samples, and libvips' options where it takes other than ours."""

    ending: str
    dtype: str = "u1"
    alpha: bool = False
    profile: bool = False
    options: str = ""


KINDS = {
    "jpeg": Kind("jpg"),
    "jpeg-progressive": Kind("jpg", options="interlace"),
    "jpeg-profile": Kind("jpg", profile=True),
    "png": Kind("png"),
    "png-alpha": Kind("png", alpha=True),
    "png-16": Kind("png", "u2"),
    "png-16-alpha": Kind("png", "u2", alpha=True),
    "png-interlaced": Kind("png", options="interlace"),
    "png-16-alpha-interlaced": Kind("png", "u2", alpha=True, options="interlace"),
    "tiff": Kind("tif"),
    "tiff-16-alpha": Kind("tif", "u2", alpha=True),
    "tiff-float": Kind("tif", "f4"),
    "webp": Kind("webp"),
    "webp-alpha": Kind("webp", alpha=True),
    "avif": Kind("avif"),
    "avif-16": Kind("avif", "u2"),
    "jp2": Kind("jp2"),
    "jp2-16": Kind("jp2", "u2"),
    "bmp": Kind("bmp"),
    "gif": Kind("gif"),
    "pnm-float": Kind("pfm", "f4"),
}


def strips(layout: Layout) -> Iterator[Strip]:
    """Blocks of random colours."""
    draw = np.random.default_rng(0)
    span = {"f4": (0.0, 1.0), "u2": (0, 65536), "u1": (0, 256)}[layout.dtype.str[1:]]
    for top in range(0, layout.height, BLOCK):
        rows = min(BLOCK, layout.height - top)
        blocks = draw.uniform(*span, (1, -(-layout.width // BLOCK), 4)).astype(layout.dtype)
        samples = blocks.repeat(rows, 0).repeat(BLOCK, 1)[:, : layout.width]
        yield Strip(np.ascontiguousarray(samples[..., :3]), np.ascontiguousarray(samples[..., 3]) if layout.alpha else None)


def make(folder: Path, kind: Kind, megapixels: float, width: int, orientation: int) -> Path:
    """A picture of this width, 0 for twice its height."""
    width = width or 2 * round((megapixels * 5e5) ** 0.5)
    height = round(megapixels * 1e6 / width)
    dtype = np.dtype(kind.dtype)
    layout = Layout(height, width, False, kind.alpha, dtype, Span.of(dtype) if dtype.kind == "u" else Span(0, 1))
    icc = pyvips.Image.black(1, 1, bands=3).icc_export(output_profile="p3").get("icc-profile-data") if kind.profile else None
    path = folder / f"large.{kind.ending}"
    images.write_strips(layout, strips(layout), Metadata(icc=icc), path, quality=None if kind.ending != "avif" else 60)
    if kind.options or orientation != 1:
        image = pyvips.Image.new_from_file(str(path), access="sequential").copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
        again = path.with_stem("tagged")
        image.write_to_file(f"{again}[{kind.options}]" if kind.options else str(again))
        again.replace(path)
    return path


def main() -> int:
    """Make the picture in a process of its own, upscale it in another, and tell what that took."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.large_picture", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="jpeg")
    parser.add_argument("--to", metavar="ENDING", help="the output's, by default the source's")
    parser.add_argument("--megapixels", type=float, default=200)
    parser.add_argument("--width", type=int, default=0, help="in pixels, by default twice the height")
    parser.add_argument("--orientation", type=int, choices=range(1, 9), default=1)
    parser.add_argument("--model", default="sesr-m5-x2")
    options, more = parser.parse_known_args()
    more = [word for word in more if word != "--"]
    with tempfile.TemporaryDirectory() as folder:
        source = make(Path(folder), KINDS[options.kind], options.megapixels, options.width, options.orientation)
        told = Path(folder) / "peak"
        output = Path(folder) / f"large_x2.{options.to or KINDS[options.kind].ending}"
        command = ["upscale", str(source), "-o", str(output), "--model", options.model, "--json", *more]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", PEAK, str(told), *command], check=False, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - started
        events = [json.loads(line) for line in done.stdout.splitlines()]
        peak_mb = int(told.read_text()) / 1e6
    return report(options, seconds, peak_mb, events)


def report(options: argparse.Namespace, seconds: float, peak_mb: float, events: list[dict[str, object]]) -> int:
    """Tell what came of it."""
    failed = [str(event["message"]) for event in events if event["event"] == "failed"]
    what = f"{options.kind}, {options.megapixels:g} megapixels, orientation {options.orientation}, {options.model}"
    sys.stdout.write(f"{what}: peak memory {peak_mb:.0f} MB (limit {LIMIT_MB}), {seconds:.0f} s{', refused: ' if failed else ''}")
    sys.stdout.write("; ".join(failed) + "\n")
    return 0 if peak_mb < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
