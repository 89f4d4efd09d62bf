"""What a server does with each request: pictures opened, networks made ready, results shown and stored."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import images, jobs, provenance, strength
from engine.backends import choose
from engine.errors import BackendError, OutputError, PictureError
from engine.events import Event, Failed, Finished, Progress, Skipped, Summary, Warned
from engine.formats import losses
from engine.heat import heat
from engine.planning import plan
from engine.rows import Layout
from engine.selection import Target, select
from engine.serve import preview, sights
from engine.serve.cards import backend_card, model_card
from engine.serve.gallery import MOST_SHOWN_PIXELS, Gallery, Wall, check_shown
from engine.serve.ledger import Ledger
from engine.serve.protocol import (
    Bench,
    Benched,
    Hello,
    Network,
    Open,
    Opened,
    Output,
    Plan,
    Power,
    Preview,
    Previewed,
    Ready,
    Region,
    Save,
    Saved,
    Scan,
    Scanned,
    Show,
    Shown,
    Survey,
    Surveyed,
    Thumbnail,
    Thumbnailed,
    Told,
    Upscale,
)
from engine.serve.runners import Runners
from engine.serve.spending import Spending
from engine.suited import finding
from engine.upscaler import Upscaler
from engine.video_options import Excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.picture import Picture

    Tell = Callable[[Event], None]
    Asked = Callable[[], bool]

SCREEN_TILE = 384
"""The largest tile of the picture on the screen, in input pixels: a tile is how long a cancel takes."""
PREVIEW_TILE = 1024
"""The largest tile of a preview: all that is seen, at once."""
FILE_TILE = 512
"""The largest tile of a queued file."""
BENCH_RUNS = 2


class Desk:
    """Answers requests, each in the thread that it is called from. Back ends are kept per thread, since they are not shared."""

    def __init__(self, tools: jobs.Tools) -> None:
        self._tools, self._catalogue = tools, tools.catalogue
        self._gallery = Gallery()
        self._wall = Wall()
        self._runners = Runners(tools.catalogue, tools.calibration, SCREEN_TILE)
        self._beside = ThreadPoolExecutor(1, "beside")

    def hello(self, request: Hello) -> Ready:
        """Say which models there are, looking again."""
        self._runners.look_again()
        calibration, tools = self._tools.calibration, self._tools
        power = Power(calibration.watts if calibration else None, tuple(meter.name for meter in tools.meters), tuple(tools.missing_meters))
        entries = self._catalogue.entries()
        twins = (strength.twin(entry.model, (other.model for other in entries)) for entry in entries)
        cards = tuple(model_card(entry, plain.id if plain else "") for entry, plain in zip(entries, twins, strict=True))
        return Ready(request.id, os.getpid(), cards, power)

    def survey(self, request: Survey) -> Surveyed:
        """Say which back ends there are; looking takes seconds where torch is installed."""
        return Surveyed(request.id, tuple(map(backend_card, choose.found())))

    def open(self, request: Open) -> Opened:
        """Read a picture and show it. Raises PictureError, TooLargeError among them."""
        picture = self._gallery.picture(request.path, request.at_s, deinterlaced=request.deinterlaced)
        pages = (f"only the first of its {picture.pages} pages is shown; all are saved",) if picture.pages > 1 else ()
        made, found = provenance.recorded(picture.metadata), finding(Path(request.path))
        return Opened(
            request.id,
            request.path,
            picture.width,
            picture.height,
            picture.bits,
            picture.format,
            self._wall.hang(picture),
            (*picture.warnings, *pages),
            made.model if made else "",
            found.material,
            found.reason,
            sights.film_facts(picture),
        )

    def scan(self, request: Scan) -> Scanned:
        """Look at a film's frames. Raises VideoError."""
        return Scanned(request.id, request.path, sights.interlaced(Path(request.path)))

    def thumbnail(self, request: Thumbnail) -> Thumbnailed:
        """Read a picture and shrink it; it is not kept. Raises PictureError."""
        small, width, height = sights.thumbnail(Path(request.path), request.side)
        return Thumbnailed(request.id, request.path, width, height, self._wall.hang(small, whole_only=True))

    def preview(self, request: Preview, cancelled: Asked) -> Previewed:
        """Upscale a region, as it will be in the whole result or, reduced, nearly so."""
        request = self._within_bounds(request)
        exact = request.exact or request.reduce == 1
        start = time.perf_counter()
        left, right = self._sides(request, cancelled) if request.reduce == 1 else self._reduced_sides(request, cancelled)
        seconds = time.perf_counter() - start
        shown = [self._wall.hang(side, whole_only=True, passing=True) for side in (left, right)]
        warm = self._wall.hang(heat(left, right), whole_only=True, passing=True) if request.heat else None
        return Previewed(
            request.id,
            request.path,
            request.region,
            request.network,
            request.left,
            request.reduce,
            exact,
            seconds,
            shown[0],
            shown[1],
            warm,
            request.at_s,
            request.deinterlaced,
        )

    def show(self, request: Show, tell: Tell, cancelled: Asked) -> Shown:
        """Upscale a whole picture in memory."""
        self._upscaler(request.network)  # made ready before the time is taken
        spending = Spending(self._tools.meters, tell, cancelled)
        while True:
            try:
                result = self._result(request, spending.tell, spending.cancelled)
                break
            except BackendError as error:
                self._runners.replace(request.network, error)
        seconds, measured_mj = spending.seconds, spending.measured_mj()
        for warning in self._runners.untold(request.network):
            tell(Warned(request.path, warning))
        pixels, made_by = self._wall.hang(result), self._upscaler(request.network).backend
        size = (result.width, result.height)
        return Shown(request.id, request.path, request.network, made_by.name, made_by.precision, seconds, *size, pixels, measured_mj)

    def save(self, request: Save, tell: Tell, cancelled: Asked) -> Saved:
        """Store the result of `show`, under the name that the rules give; where that is not at hand, or is not all, make it anew.

        Raises OutputError, PictureError.
        """
        output, kept = request.output, self._gallery.result(request.path, request.network)
        if kept is None or kept.pages > 1 or output.scale or output.width or output.height or output.redo:
            return self._save_anew(request, tell, cancelled)
        rules = settings(request.network, output)
        backend, chosen = self._upscaler(request.network).backend, select(self._catalogue, request.network.model, Target())
        planned = plan((Path(request.path),), jobs.naming(rules, chosen, lambda _: (chosen.nominal.id, backend.precision)))
        if not planned.tasks:
            raise PictureError("; ".join(str(notice.to_dict().get("message") or notice.to_dict()) for notice in planned.notices))
        target = planned.tasks[0].output
        model, size = self._runners.model(request.network), (kept.width, kept.height)
        made = provenance.made_with(model, backend, size, SCREEN_TILE, output.quality, Path(request.path))
        own = kept.metadata if rules.metadata else kept.metadata.bare()
        metadata = provenance.record(own, made) if rules.metadata and rules.provenance else own
        images.write(replace(kept, metadata=metadata), target, quality=output.quality, overwrite=output.existing == "overwrite")
        for warning in (*kept.warnings, *losses(target, Layout.of(kept), own)):
            tell(Warned(request.path, warning))
        return Saved(request.id, request.path, str(target))

    def _save_anew(self, request: Save, tell: Tell, cancelled: Asked) -> Saved:
        """As a job of one file: by the strip, all its pages, and resampled in float and not after it was rounded."""
        ends: list[Finished | Failed | Skipped] = []

        def pass_on(event: Event) -> None:
            ends.append(event) if isinstance(event, Finished | Failed | Skipped) else tell(event)

        work = Upscale(request.id, (request.path,), request.network, request.output)
        self._perform(work, (), pass_on, cancelled)
        match ends:
            case [Finished() as end]:
                return Saved(request.id, request.path, end.output)
            case [Failed() as end]:
                raise OutputError(end.message)
        raise OutputError(f"{request.path}: nothing was saved ({', '.join(getattr(end, 'reason', '') for end in ends)})")

    def plan(self, request: Plan, tell: Tell, cancelled: Asked) -> Told:
        """Say what a job would make; its own events, the last a summary, are the answer."""
        job = jobs.Job(tuple(map(Path, request.inputs)), settings(request.network, request.output))
        return self._run(request.id, job, tell, cancelled, dry=True)

    def upscale(self, request: Upscale, tell: Tell, cancelled: Asked) -> Told:
        """Do a job; its own events, the last a summary, are the answer."""
        if request.ledger is None:
            return self._perform(request, request.done, tell, cancelled)
        with Ledger(Path(request.ledger)) as ledger:
            before = ledger.finished(request.output.existing)
            for file in sorted(set(before) - set(request.done)):
                tell(Skipped(file, "finished before"))

            def note_and_tell(event: Event) -> None:
                ledger.note(event)
                tell(event)

            return self._perform(request, (*request.done, *before), note_and_tell, cancelled)

    def _perform(self, request: Upscale, done: Iterable[str], tell: Tell, cancelled: Asked) -> Told:
        job = jobs.Job(tuple(map(Path, request.inputs)), settings(request.network, request.output), frozenset(map(Path, done)))
        return self._run(request.id, job, tell, cancelled)

    def _run(self, identity: int, job: jobs.Job, tell: Tell, cancelled: Asked, *, dry: bool = False) -> Told:
        ends: list[Event] = []

        def pass_on(event: Event) -> None:
            ends.append(event) if isinstance(event, Summary) else tell(event)

        spending = Spending(self._tools.meters, pass_on, cancelled)
        jobs.perform(job, self._tools, spending.tell, spending.cancelled, dry=dry)
        return Told(identity, ends[-1])

    def bench(self, request: Bench) -> Benched:
        """Time a network on noise: the median of a few runs after one to warm up."""
        backend = self._upscaler(request.network).backend
        y_hw = np.random.default_rng(0).random((request.height, request.width), np.float32)
        seconds = []
        for _ in range(1 + BENCH_RUNS):
            start = time.perf_counter()
            backend.run(y_hw)
            seconds.append(time.perf_counter() - start)
        median = statistics.median(seconds[1:])
        return Benched(request.id, request.network, backend.name, backend.precision, request.width, request.height, median)

    def release(self, memory: str) -> None:
        """Let go of shared memory that the window has mapped."""
        self._wall.take_down(memory)

    def close(self) -> None:
        """Let go of everything."""
        self._beside.shutdown(wait=False)
        self._wall.clear()

    def _result(self, request: Show, tell: Tell, cancelled: Asked) -> Picture:
        """The whole result, made where it is not at hand. Raises TooLargeError."""
        kept = self._gallery.result(request.path, request.network)
        if kept is not None:
            return kept
        picture, scale = self._gallery.picture(request.path), self._upscaler(request.network).backend.spec.scale
        check_shown(request.path, picture.width * scale, picture.height * scale, "its result's ")

        def progress(done: int, total: int) -> None:
            tell(Progress(request.path, done, total, "tile"))

        result = self._upscaler(request.network).upscale(picture, on_progress=progress, cancelled=cancelled)
        self._gallery.keep_result(request.path, request.network, result)
        return result

    def _within_bounds(self, request: Preview) -> Preview:
        """The request, without asking for the exact pixels of so large a region that its result could not be held."""
        scale, region = self._upscaler(request.network).backend.spec.scale, request.region
        return request if region.width * region.height * scale**2 <= MOST_SHOWN_PIXELS else replace(request, exact=False)

    def _sides(self, request: Preview, cancelled: Asked) -> tuple[Picture, Picture]:
        """Both sides at full size; the right one is the whole result's pixels."""
        picture, upscaler = self._seen(request), self._previewer(request.network)
        scale = upscaler.backend.spec.scale
        whole = None if picture.format == sights.FILM else self._gallery.result(request.path, request.network)
        left = self._beside.submit(self._left, request, picture, request.region, scale, cancelled)
        try:
            if whole is not None:
                right = preview.crop(whole, request.region, scale)
            else:
                right = sights.upscale_region(upscaler, picture, request.region, cancelled)
        finally:
            wait([left])
        return left.result(), right

    def _left(self, request: Preview, picture: Picture, region: Region, scale: int, cancelled: Asked) -> Picture:
        """The other side: an interpolation or another network, at the right side's size."""
        if request.left in preview.METHODS:
            return preview.enlarge_region(picture, region, scale, request.left)
        upscaler = self._previewer(Network(request.left, request.network.backend, request.network.device, threads=request.network.threads))
        other = sights.upscale_region(upscaler, picture, region, cancelled)
        return preview.resized(other, region.width * scale, region.height * scale)

    def _reduced_sides(self, request: Preview, cancelled: Asked) -> tuple[Picture, Picture]:
        """Both sides from a smaller input, quick at any size; where it is to be exact, the right one from the input itself."""
        picture, upscaler = self._seen(request), self._previewer(request.network)
        small = preview.reduced(preview.crop(picture, request.region, 1), request.reduce)
        whole = Region(0, 0, small.width, small.height)
        left = self._left(request, small, whole, upscaler.backend.spec.scale, cancelled)
        if not request.exact:
            return left, upscaler.upscale(small, cancelled=cancelled)
        right = preview.reduced(sights.upscale_region(upscaler, picture, request.region, cancelled), request.reduce)
        return left, preview.resized(right, left.width, left.height)

    def _seen(self, request: Preview) -> Picture:
        """The picture, or the frame of a film, that is on the screen."""
        return self._gallery.picture(request.path, request.at_s, deinterlaced=request.deinterlaced)

    def _upscaler(self, network: Network) -> Upscaler:
        """The network made ready for this thread. Raises ModelError, BackendError."""
        return self._runners.upscaler(network)

    def _previewer(self, network: Network) -> Upscaler:
        """As `_upscaler`, for what is visible."""
        return Upscaler(self._upscaler(network).backend, tile=PREVIEW_TILE)


def settings(network: Network, output: Output) -> jobs.Settings:
    """A job's settings from a request's. Raises UsageError for what no job can do."""
    return jobs.Settings(
        model=None if output.redo else network.model,
        target=Target(output.scale, output.width, output.height),
        backend=network.backend,
        device=network.device,
        precision=network.precision,
        threads=network.threads,
        tile=FILE_TILE,
        destination=Path(output.destination) if output.destination else None,
        template=output.template,
        extension=output.extension,
        quality=output.quality,
        existing=output.existing,
        redo=Path(output.redo) if output.redo else None,
        metadata=output.metadata,
        provenance=output.provenance,
        codec=output.codec,
        grade=output.grade,
        effort=output.effort,
        keep_interlaced=output.keep_interlaced,
        excerpt=Excerpt(output.start_s, output.end_s),
        strength=1.0 if output.redo else network.strength,
        suited=network.suited and not output.redo,
    )
