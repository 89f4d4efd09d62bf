"""The peak memory of upscaling a 200-megapixel JPEG to 800 megapixels: ``python -m tests.benchmarks.large_picture``.

Takes some minutes. Fails above 1.5 GB.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from engine import images
from engine.colour import Span
from engine.picture import Metadata
from engine.rows import Layout, Strip

WIDTH, HEIGHT = 20_000, 10_000
LIMIT_MB = 1500


def strips(layout: Layout) -> object:
    """Blocks of random colours."""
    draw = np.random.default_rng(0)
    for _ in range(0, layout.height, 100):
        blocks = draw.integers(0, 256, (10, layout.width // 10, 3)).astype(np.uint8)
        yield Strip(blocks.repeat(10, 0).repeat(10, 1), None)


def main() -> int:
    """Make the picture, upscale it in a process of its own, and tell what that took."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "large.jpg", Path(folder) / "large_x2.jpg"
        layout = Layout(HEIGHT, WIDTH, False, False, np.dtype(np.uint8), Span(0, 255))
        images.write_strips(layout, strips(layout), Metadata(), source)
        started = time.perf_counter()
        command = [sys.executable, "-m", "addersesr_app", "upscale", str(source), "-o", str(output), *sys.argv[1:]]
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - started
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        with images.reading(output, trusted=True) as made:
            size = f"{made.layout.width}×{made.layout.height}"
        sys.stdout.write(f"{WIDTH}×{HEIGHT} to {size}: {seconds:.0f} s, peak memory {peak_mb:.0f} MB (limit {LIMIT_MB})\n")
        return 0 if peak_mb < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
