"""A job's events for a person: a progress line while it works, a line for each file, a closing sentence."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.events import Energy, Event, Failed, Finished, Planned, Prediction, Progress, Skipped, Started, Summary, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

    from addersesr_app.console import Console

ARITHMETIC, ESTIMATED, MEASURED = "arithmetic (45 nm)", "estimated on this machine", "measured"
"""The three ways in which an energy is known; DESIGN has them never mixed."""
BAR = 24


class JobPrinter:
    """Prints events as they come. ``clock`` gives seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._folder = ""
        self._started_s = 0.0
        self._first_done = 0

    def show(self, event: Event) -> None:
        """Print one event: as JSON where that was asked for, else as text."""
        if self._console.as_json:
            self._console.event(event)
        else:
            self._text(event)

    def _text(self, event: Event) -> None:
        match event:
            case Started():
                self._started_s, self._first_done = self._clock(), -1
                self._console.status(f"{self._folder}{Path(event.input).name}")
            case Planned():
                self._console.line(planned_line(event))
            case Progress():
                self._progress(event)
            case Finished():
                self._console.line(finished_line(event))
            case Skipped():
                self._console.note(f"{event.input}: left out ({event.reason})")
            case Warned():
                self._console.note(f"{event.input}: {event.message}")
            case Failed():
                self._console.note(f"addersesr: {event.message}")
            case Summary():
                self._console.note(summary_line(event))

    def _progress(self, event: Progress) -> None:
        if event.unit == "file":
            self._folder = f"{event.done}/{event.total} files  "
            return
        if self._first_done < 0:  # a film that goes on starts in its middle
            self._first_done = event.done - 1
        done_now, elapsed_s = event.done - self._first_done, self._clock() - self._started_s
        parts = [f"{self._folder}{Path(event.input).name}"]
        if event.total is None:
            parts.append(f"{event.done} {event.unit}s")
        else:
            parts += [bar(event.done, event.total), f"{event.done}/{event.total}"]
        if event.unit == "frame" and elapsed_s > 0:
            parts.append(f"{done_now / elapsed_s:.1f} fps")
        if event.total is not None and event.total > event.done:
            parts.append(f"{duration(elapsed_s * (event.total - event.done) / done_now)} left")
        if event.bytes is not None:
            parts.append(byte_size(event.bytes))
        if event.energy is not None:
            parts += energies(event.energy)[-1:]
        self._console.status("  ".join(parts))


def planned_line(event: Planned) -> str:
    """What an input would become, and for a film what that would take."""
    parts = [f"{event.input} → {event.output}", f"{event.width}×{event.height}"]
    if event.frames is not None:
        parts.append(_frames(event.frames))
    parts.append(event.model)
    if (predicted := event.predicted) is not None:
        parts += [size_range(predicted), f"about {duration(predicted.seconds)}", *energies(predicted.energy)]
    return "  ".join(parts)


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def size_range(predicted: Prediction) -> str:
    """A predicted size with how far it may be off."""
    return f"about {byte_size(predicted.bytes)} ({byte_size(predicted.least_bytes)} to {byte_size(predicted.most_bytes)})"


def finished_line(event: Finished) -> str:
    """Input and output, size, time, speed and energy, each number with its unit, and of a film beside what had been predicted."""
    parts = [f"{event.input} → {event.output}"]
    if event.width and event.height:
        parts.append(f"{event.width}×{event.height}")
    predicted = event.predicted
    parts.append(file_size(Path(event.output)) + (f" (predicted {byte_size(predicted.bytes)})" if predicted else ""))
    parts.append(f"{event.seconds:.2f} s")
    if event.frames and event.seconds > 0:
        foretold = f" (predicted {event.frames / predicted.seconds:.1f})" if predicted and predicted.seconds > 0 else ""
        parts.append(f"{_frames(event.frames)}, {event.frames / event.seconds:.1f} fps{foretold}")
    elif event.width and event.height and event.seconds > 0:
        parts.append(f"{event.width * event.height / 1e6 / event.seconds:.2f} MP/s")
    parts.append(f"{event.model} {event.precision} on {event.backend}")
    parts += energies(event.energy, predicted.energy if predicted else None)
    return "  ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def energies(found: Energy, predicted: Energy | None = None) -> list[str]:
    """Every energy that is known, each with how it is known, and with what had been predicted in the same sense."""
    texts = []
    for value, foretold, label in zip(_kinds(found), _kinds(predicted), (ARITHMETIC, ESTIMATED, MEASURED), strict=True):
        if value is not None:
            texts.append(f"{energy(value)} {label}" + ("" if foretold is None else f" (predicted {energy(foretold)})"))
    return texts


def _kinds(found: Energy | None) -> tuple[float | None, float | None, float | None]:
    return (found.arithmetic_mj, found.estimated_mj, found.measured_mj) if found else (None, None, None)


def energy(value_mj: float) -> str:
    """An energy with a unit that suits its size."""
    if value_mj < 1000:
        return f"{value_mj:.3g} mJ"
    return f"{value_mj / 1000:.3g} J" if value_mj < 3.6e6 else f"{value_mj / 3.6e6:.3g} Wh"


def file_size(path: Path) -> str:
    """A file's size, nothing where it has gone."""
    try:
        return byte_size(path.stat().st_size)
    except OSError:
        return ""


def byte_size(size: int) -> str:
    """A number of bytes in kB, MB or GB."""
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def summary_line(event: Summary) -> str:
    """How the inputs ended, in a sentence."""
    parts = [f"{event.done} done"]
    parts += [f"{count} {word}" for count, word in ((event.failed, "failed"), (event.skipped, "left out")) if count]
    return ", ".join(parts)


def bar(done: int, total: int) -> str:
    """A bar of fixed width."""
    filled = BAR * done // max(total, 1)
    return "█" * filled + "░" * (BAR - filled)
