"""`upscale --within`: the best network for these inputs that stays within a time or an energy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from addersesr_app.job_output import ESTIMATED, duration, energy
from engine import budget, jobs
from engine.errors import UsageError
from engine.events import Planned

if TYPE_CHECKING:
    from addersesr_app.console import Console
    from engine.budget import Budget, Option
    from engine.jobs import Job, Tools


def within(text: str, job: Job, tools: Tools, console: Console) -> Job:
    """The job with the best network for it, which the console is told. Raises UsageError where there is none, or nothing to tell by."""
    limit = budget.parse(text)
    if job.settings.model is not None or job.settings.redo is not None:
        raise UsageError("--within chooses the network: leave --model and --redo out")
    _check_known(limit, tools)
    pixels, scale = _work(job, tools)
    if pixels == 0:
        return job
    assert tools.calibration is not None
    known = budget.options(tools.catalogue.entries(), tools.calibration, pixels, scale, job.settings.precision)
    chosen = budget.best(known, limit)
    if chosen is None:
        least = budget.cheapest(known, limit)
        raise UsageError(f"--within {text}: no network stays within that" + (f"; the least is {_words(least)}" if least else ""))
    console.note(_words(chosen))
    return replace(job, settings=replace(job.settings, model=chosen.model, precision=chosen.precision))


def _check_known(limit: Budget, tools: Tools) -> None:
    if tools.calibration is None:
        raise UsageError("--within: how fast networks are here is not known yet; run `addersesr bench` once")
    if limit.energy_mj is not None and tools.calibration.watts is None:
        raise UsageError("--within: what this computer draws is not known; run `addersesr bench --watts W` with what a plug-in meter shows")


def _work(job: Job, tools: Tools) -> tuple[int, int]:
    """Input pixels of everything that would be done, and the scale."""
    pixels, scale = 0.0, 2
    for event in jobs.run(job, tools, dry=True):
        if isinstance(event, Planned):
            scale = tools.catalogue.find(event.model).spec.scale
            pixels += event.width * event.height * (event.frames or 1) / scale**2
    return round(pixels), scale


def _words(option: Option) -> str:
    spent = f", {energy(option.energy_mj)} {ESTIMATED}" if option.energy_mj is not None else ""
    quality = f" ({option.psnr:.2f} dB)" if option.psnr is not None else ""
    return f"{option.model} {option.precision}{quality}: about {duration(option.seconds)}{spent}"
