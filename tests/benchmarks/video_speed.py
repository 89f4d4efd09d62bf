"""How fast films are upscaled, and how well the stages overlap: `python -m tests.benchmarks.video_speed [SECONDS]`.

Prints a Markdown table of 640×360 → 1280×720 frames a second for each network and for bicubic, with x264 veryfast and with no
encoder; and, for the first network, the whole job's time against the processor seconds of its stages measured apart.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from engine import videos
from engine.backends import choose
from engine.cpu import cores
from engine.errors import BackendError, ModelError
from engine.network import NetworkSpec
from engine.quantise import quantise
from engine.video_codecs import Wish
from engine.video_codecs import choose as encoding_for
from engine.video_frames import stills
from engine.video_segments import Pieces
from engine.video_source import examine
from engine.videos import Film
from tests.clips import RATE, store_clip
from tests.commands import mild_model

SIZE = (640, 360)


def film_of(source: Path, threads: int | None = None) -> Film:
    info = examine(source)
    return Film(info, (2 * info.width, 2 * info.height), encoding_for(info, 2 * info.width, ".mp4", Wish(effort="fast")), False, threads)


def backends(threads: int | None = None):
    """Each network that the table is about, as a back end, with a name."""
    for name, spec, precision in (
        ("M5 int8 adder", NetworkSpec(2, 5, 16, "adder", "relu"), "int8"),
        ("M5 fp32", NetworkSpec(2, 5, 16), "fp32"),
        ("M5 fp32 adder", NetworkSpec(2, 5, 16, "adder"), "fp32"),
    ):
        model = mild_model(spec)
        try:
            if precision == "int8":
                pictures = [np.random.default_rng(seed).random((64, 64), np.float32) for seed in range(2)]
                model = replace(model, int8=quantise(model, pictures))
            yield name, choose.create(model, precision=precision, threads=threads)
        except (BackendError, ModelError):
            say(f"{name}: not here")


def upscale_only(film: Film, backend) -> float:
    """Frames a second without an encoder."""
    start = time.perf_counter()
    read = videos.ahead(stills(film.info, False, None, lambda _: None), videos.QUEUE)
    rough = videos.ahead(map(film.luma_stage(backend).run, read), videos.QUEUE)
    count = sum(1 for _ in map(film.sample_stage(backend).run, rough))
    return count / (time.perf_counter() - start)


def whole(film: Film, backend, folder: Path) -> tuple[float, float]:
    """Frames a second of the whole job up to the encoded pieces, and its seconds."""
    pieces = Pieces(folder / "pieces", str(time.perf_counter_ns()))
    seen = []
    start = time.perf_counter()
    videos.make_pieces(film, pieces, film.luma_stage(backend), seen.append, lambda _: None)
    seconds = time.perf_counter() - start
    pieces.remove()
    return seen[-1] / seconds, seconds


class Bicubic:
    """OpenCV's bicubic in place of a network."""

    name, device, precision = "opencv", "cpu", "fp32"
    spec = NetworkSpec(2, 1, 1)

    def run(self, y_hw):
        return cv2.resize(y_hw, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def apart(film: Film, backend, folder: Path) -> list[float]:
    """Processor seconds of decoding, upscaling and encoding, one after the other."""
    spent = []
    mark = time.process_time()
    read = list(stills(film.info, False, None, lambda _: None))
    spent.append(time.process_time() - mark)
    mark = time.process_time()
    luma, samples = film.luma_stage(backend), film.sample_stage(backend)
    made = [samples.run(luma.run(still)) for still in read]
    spent.append(time.process_time() - mark)
    mark = time.process_time()
    pieces, left = Pieces(folder / "apart", "apart"), iter(made)
    while len(pieces.done) * 240 < len(made):
        pieces.write((next(left) for _ in range(min(240, len(made) - 240 * len(pieces.done)))), film.info, film.encoding, film.threads)
    spent.append(time.process_time() - mark)
    return spent


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = store_clip(folder / "clip.mp4", int(seconds * RATE), size=SIZE, options={"preset": "veryfast"})
        film = film_of(source)
        say("| network | back end | fps, x264 veryfast | fps, no encoder |\n|---|---|---:|---:|")
        made = tuple(backends())
        for label, backend in (*made, ("bicubic", Bicubic())):
            backend.run(np.zeros(SIZE[::-1], np.float32))
            coded, _ = whole(film, backend, folder)
            say(f"| {label} | {backend.name} | {coded:.1f} | {upscale_only(film, backend):.1f} |")
        label, backend = made[0]
        spent, (_, took) = apart(film, backend, folder), whole(film, backend, folder)
        bound = sum(spent) / cores()
        words = ", ".join(f"{stage} {part:.2f} s" for stage, part in zip(("decoding", "upscaling", "encoding"), spent, strict=True))
        say(f"\n{label}: processor seconds: {words}; over {cores()} cores {bound:.2f} s; whole job {took:.2f} s = {took / bound:.2f} ×")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
