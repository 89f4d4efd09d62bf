"""From a request to pixels that the window can show, for a region of 640×400 input pixels: `python -m tests.benchmarks.preview_speed`.

A real `addersesr serve` is asked, as the window asks it. Beside the clock's time stands the processor time that the engine spent, over
its threads; on a machine with nothing else to do, two cores need a little more than half of that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from engine import images
from engine.picture import Picture
from engine.serve.protocol import Network, Preview, Region, Release

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 15
NETWORKS = [(model, precision) for model in ("sesr-m5-x2", "addersesr-m5-x2") for precision in ("fp32", "int8")]


class Engine:
    """One `addersesr serve`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "addersesr_app", "serve"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._ticks = os.sysconf("SC_CLK_TCK")

    def preview(self, path: Path, network: Network) -> tuple[float, float]:
        """Seconds by the clock and of the processor."""
        processor, clock = self._processor_s(), time.perf_counter()
        self._send(Preview(1, str(path), Region(500, 500, 640, 400), network).to_json())
        answer = json.loads(self._process.stdout.readline())
        taken = time.perf_counter() - clock, self._processor_s() - processor
        assert answer["event"] == "previewed", answer
        for side in ("left", "right"):
            self._send(Release(0, answer[side]["name"]).to_json())
        return taken

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        self._process.stdin.write(line.encode() + b"\n")

    def _processor_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / self._ticks


def main() -> None:
    small = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    engine = Engine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        images.write(Picture(np.kron(small, np.ones((10, 10, 1), np.uint8))), path)
        for model, precision in NETWORKS:
            network = Network(model, precision=precision)
            engine.serve.preview(path, network)
            times = [engine.serve.preview(path, network) for _ in range(ROUNDS)]
            clock, processor = ([1000 * one[part] for one in times] for part in (0, 1))
            print(f"{model:16} {precision}: {median(clock):4.0f} ms (least {min(clock):.0f}), processor {np.mean(processor):4.0f} ms")  # noqa: T201
    engine.close()


if __name__ == "__main__":
    main()
