"""One picture file from its input to its output, by the strip."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from engine import images, provenance, redo
from engine.errors import BackendError, OutputError
from engine.events import Event, Finished, Planned
from engine.formats import FORMATS, check_by_strips, kind_of, losses
from engine.naming import next_free
from engine.rows import PageRows
from engine.upscaler import Upscaler, steps_to
from engine.workshop import Reporter, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.foreign import AnyModel
    from engine.images import Reading
    from engine.planning import Task
    from engine.workshop import Workshop


def upscale(task: Task, shop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Finished:
    """Upscale one picture and store the result. Raises AdderSESRError, Cancelled among them."""
    started, measured = time.perf_counter(), shop.measurement()
    report = Reporter(str(task.source), emit)
    make_folder(task.output.parent)
    output = task.output
    while True:
        with images.reading(task.source) as source:
            model = shop.model_for(task.source, source.layout.width, source.layout.height, report)
            size = shop.chosen.target.size(source.layout.width, source.layout.height, model.spec.scale)
            try:
                _attempt(source, model, size, output, shop, report, cancelled)
                break
            except BackendError as error:
                shop.fall_back(model, error, report)
            except OutputError:
                if shop.settings.existing != "rename" or not os.path.lexists(output):
                    raise
                output = next_free(output, os.path.lexists)  # somebody took the name since the job was planned
    for warning in (*source.warnings, *losses(output, source.layout, source.metadata)):
        report.warn(warning)
    if shop.settings.redo is not None:
        report.warn(redo.verdict(shop.settings.redo, task.source, output))
    factors = [model.spec.scale**step for step in range(steps_to(source.layout, size, model.spec.scale))]
    sizes = [(source.layout.width * k, source.layout.height * k) for k in factors]
    energy = shop.energy(model, sizes, measured, _kept_pages(source, output))
    backend, seconds = shop.backend(model), time.perf_counter() - started
    return Finished(str(task.source), str(output), seconds, model.id, backend.name, backend.precision, energy, *size)


def plan(task: Task, shop: Workshop, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> Planned:
    """What `upscale` would make of a picture. Raises AdderSESRError."""
    report = Reporter(str(task.source), emit)
    with images.reading(task.source) as source:
        width, height = source.layout.width, source.layout.height
    model = shop.model_for(task.source, width, height, report)
    size = shop.chosen.target.size(width, height, model.spec.scale)
    return Planned(str(task.source), str(task.output), *size, model.id)


def _kept_pages(source: Reading, output: Path) -> int:
    """How many of a picture's pages the format of ``output`` holds."""
    return source.layout.pages if FORMATS[kind_of(output, source.layout, source.metadata)].pages else 1


def _attempt(
    source: Reading,
    model: AnyModel,
    size: tuple[int, int],
    output: Path,
    shop: Workshop,
    report: Reporter,
    cancelled: Callable[[], bool],
) -> None:
    """Run the network over ``source`` and store what comes out at ``output``."""
    settings = shop.settings
    check_by_strips(source.path, source.layout)
    upscaler = Upscaler(shop.ready(model, report), tile=settings.tile)
    taken = source if _kept_pages(source, output) == source.layout.pages else PageRows(source, 0)
    layout, strips = upscaler.stream(taken, report.progress, cancelled, size)
    metadata = source.metadata if settings.metadata else source.metadata.bare()
    if settings.provenance and settings.metadata:
        made = provenance.made_with(model, upscaler.backend, size, settings.tile, settings.quality, source.path)
        metadata = provenance.record(metadata, made)
    images.write_strips(layout, strips, metadata, output, quality=settings.quality, overwrite=settings.existing == "overwrite")
