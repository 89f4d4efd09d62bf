"""How fast films are upscaled, and how well the stages overlap: `python -m tests.benchmarks.video_speed [SECONDS] [table|pipeline]`.

Prints a Markdown table of 640×360 → 1280×720 frames a second for each network and for bicubic, with x264 veryfast and with no
encoder; and, for the first network, the whole job's time against the processor seconds of its stages measured apart. Those are
measured before and after each whole job, since a machine's speed is not the same from one second to the next.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

import resources
from engine import jobs, videos
from engine.catalogue import Catalogue
from engine.cpu import cores
from engine.errors import BackendError, ModelError
from engine.network import NetworkSpec
from engine.selection import Target, select
from engine.video_codecs import Wish
from engine.video_codecs import choose as encoding_for
from engine.video_frames import stills
from engine.video_segments import FRAMES, Pieces
from engine.video_source import examine
from engine.videos import Film
from engine.workshop import Workshop
from tests.clips import RATE, store_walk

SIZE = (640, 360)
ROUNDS, PIPELINE_ROUNDS = 3, 5
STAT = Path("/proc/stat")


def film_of(source: Path, threads: int | None = None) -> Film:
    info = examine(source)
    return Film(info, (2 * info.width, 2 * info.height), encoding_for(info, 2 * info.width, ".mp4", Wish(effort="fast")), "", threads)


def networks(threads: int | None = None):
    """Each network that the table is about, as a back end, with a name."""
    catalogue = Catalogue([resources.MODELS])
    for name, identity, precision in (
        ("M5 int8 adder", "addersesr-m5-x2", "int8"),
        ("M5 fp32", "sesr-m5-x2", "fp32"),
        ("M5 fp32 adder", "addersesr-m5-x2", "fp32"),
    ):
        try:
            settings = jobs.Settings(model=identity, precision=precision, threads=threads)
            shop = Workshop(settings, select(catalogue, identity, Target(), precision), None, ())
            yield name, shop.workers(catalogue.find(identity))
        except (BackendError, ModelError) as error:
            say(f"{name}: not here ({error})")


def upscale_only(film: Film, backends) -> float:
    """Frames a second without an encoder."""
    start, luma = time.perf_counter(), film.luma_stage(backends)
    read = videos.ahead(stills(film.info, "", None, lambda _: None), videos.QUEUE)
    rough = videos.ahead(map(luma.run, read), videos.QUEUE)
    count = sum(1 for _ in map(film.sample_stage(luma.spec.scale).run, rough))
    luma.close()
    return count / (time.perf_counter() - start)


def whole(film: Film, backends, folder: Path) -> tuple[float, float]:
    """Frames a second of the whole job up to the encoded pieces, and its seconds."""
    pieces = Pieces(folder / "pieces", str(time.perf_counter_ns()))
    seen = []
    start = time.perf_counter()
    videos.make_pieces(film, pieces, film.luma_stage(backends), seen.append, lambda _: None)
    seconds = time.perf_counter() - start
    pieces.remove()
    return seen[-1] / seconds, seconds


class Bicubic:
    """OpenCV's bicubic in place of a network."""

    name, device, precision = "opencv", "cpu", "fp32"
    spec = NetworkSpec(2, 1, 1)

    def run(self, y_hw):
        return cv2.resize(y_hw, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def apart(film: Film, backends, folder: Path) -> list[float]:
    """Processor seconds of decoding, upscaling and encoding, one after the other."""
    spent = []
    mark = time.process_time()
    read = list(stills(film.info, "", None, lambda _: None))
    spent.append(time.process_time() - mark)
    mark = time.process_time()
    luma = film.luma_stage(backends[:1])
    samples = film.sample_stage(luma.spec.scale)
    made = [samples.run(luma.run(still)) for still in read]
    luma.close()
    spent.append(time.process_time() - mark)
    mark = time.process_time()
    pieces, left = Pieces(folder / "apart", str(time.perf_counter_ns())), iter(made)
    while len(pieces.done) * FRAMES < len(made):
        pieces.write(islice(left, FRAMES), film.info, film.encoding, film.threads)
    spent.append(time.process_time() - mark)
    pieces.remove()
    return spent


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = store_walk(folder / "clip.mp4", int(seconds * RATE), size=SIZE, options={"preset": "veryfast"})
        film = film_of(source)
        if len(sys.argv) < 3 or sys.argv[2] == "table":
            table(film, folder)
        if len(sys.argv) < 3 or sys.argv[2] == "pipeline":
            pipeline(film, *next(networks()), folder)


def table(film: Film, folder: Path) -> None:
    """Frames a second, the best of several rounds: whatever else the machine does only slows them."""
    say("| network | back end | fps, x264 veryfast | fps, no encoder |\n|---|---|---:|---:|")
    for label, backends in (*networks(), ("bicubic", (Bicubic(), Bicubic()))):
        backends[0].run(np.zeros(SIZE[::-1], np.float32))
        coded = max(whole(film, backends, folder)[0] for _ in range(ROUNDS))
        bare = max(upscale_only(film, backends) for _ in range(ROUNDS))
        say(f"| {label} | {backends[0].name} | {coded:.1f} | {bare:.1f} |")


def pipeline(film: Film, label: str, backends, folder: Path) -> None:
    """The whole job against its stages, several times; the job's own processor seconds tell what else the machine was busy with."""
    backends[0].run(np.zeros(SIZE[::-1], np.float32))
    ratios, spent = [], apart(film, backends, folder)
    for _ in range(PIPELINE_ROUNDS):
        before, mark = processor_ticks(), time.process_time()
        took = whole(film, backends, folder)[1]
        used = time.process_time() - mark
        idle, total = (b - a for a, b in zip(before, processor_ticks(), strict=True))
        spent, last = apart(film, backends, folder), spent
        bound = (sum(spent) + sum(last)) / 2 / cores()
        ratios.append(took / bound)
        words = ", ".join(f"{stage} {part:.2f} s" for stage, part in zip(("decoding", "upscaling", "encoding"), spent, strict=True))
        busy = f"{100 * (total - idle) / total if total else 0:.0f} % of the machine busy, {100 * used / took / cores():.0f} % with this"
        say(f"{label}: processor seconds: {words}; over {cores()} cores {bound:.2f} s; whole job {took:.2f} s = {took / bound:.2f} × "
            f"({used / cores() / bound:.2f} × in processor seconds; {busy})")  # fmt: skip
    say(f"best {min(ratios):.2f} ×, median {statistics.median(ratios):.2f} ×, worst {max(ratios):.2f} ×")


def processor_ticks() -> tuple[int, int]:
    """The machine's idle and all processor time so far (Linux; zeros elsewhere)."""
    if not STAT.exists():
        return 0, 0
    ticks = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
