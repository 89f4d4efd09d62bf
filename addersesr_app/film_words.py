"""What is told of a film before, while and after it is done, in short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from addersesr_app import numbers_shown

if TYPE_CHECKING:
    from engine.events import Finished, Planned

ENDINGS = frozenset(
    [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".mxf"]
)
"""Of files that are films by their names."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Films", text)


def byte_size(size: int) -> str:
    """A number of bytes in kB, MB or GB."""
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def planned(plan: Planned) -> list[str]:
    """How large a film will be and how long it will take, with how far the size may be off."""
    if (predicted := plan.predicted) is None:
        return []
    size = _tr("about {size} ({least} to {most})").format(
        size=byte_size(predicted.bytes), least=byte_size(predicted.least_bytes), most=byte_size(predicted.most_bytes)
    )
    return [size, _tr("about {time}").format(time=numbers_shown.short_duration(predicted.seconds))]


def ended(end: Finished) -> list[str]:
    """How fast a film was done and how large it is, beside what had been predicted."""
    if not end.frames or end.seconds <= 0:
        return []
    speed = _tr("{rate:.1f} frames/s").format(rate=end.frames / end.seconds)
    size = byte_size(end.bytes) if end.bytes is not None else ""
    if (predicted := end.predicted) is not None and predicted.seconds > 0:
        speed += _tr(" (predicted {rate:.1f})").format(rate=end.frames / predicted.seconds)
        size += _tr(" (predicted {size})").format(size=byte_size(predicted.bytes)) if size else ""
    return [speed, *([size] if size else [])]


def moment(seconds: float) -> str:
    """A time in a film, as 1:02:03.45."""
    minutes, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"
