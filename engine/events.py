"""What a job tells while it runs: frozen records, printed by the command line as text or as one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Unit = Literal["tile", "frame", "file"]


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events. ``name`` is the value of ``"event"`` on the wire."""

    name: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON types, ``event`` first."""
        return {"event": self.name, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """One line, without its newline."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a piece of work in mJ, by how it is known. The three are never mixed.

    ``arithmetic_mj`` counts the network's operations at 45 nm; ``estimated_mj`` is calibrated watts times time on this
    machine; ``measured_mj`` comes from a meter. None is what is not known: the first of some networks that are not ours, the
    others where this machine cannot tell.
    """

    arithmetic_mj: float | None
    estimated_mj: float | None = None
    measured_mj: float | None = None


@dataclass(frozen=True, slots=True)
class Started(Event):
    """Work on one input began."""

    name = "started"
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a piece of work was expected to take and to give, before it began: for a film from a sample that was really made.

    The output's size in bytes lies, by the differences within the sample, most likely between ``least_bytes`` and ``most_bytes``.
    """

    seconds: float
    energy: Energy
    bytes: int
    least_bytes: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """What one input would become, or will. ``frames`` are a film's; None is what is not known, or not asked of a picture.

    ``interlaced``: a film that is deinterlaced unless a person wants it left alone.
    """

    name = "planned"
    input: str
    output: str
    width: int
    height: int
    model: str
    frames: int | None = None
    predicted: Prediction | None = None
    interlaced: bool = False


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """``done`` of ``total`` units of one input are finished; ``total`` is None while unknown.

    Of a film, ``energy`` has been spent so far in this run, and ``bytes`` of the output are made.
    """

    name = "progress"
    input: str
    done: int
    total: int | None
    unit: Unit
    energy: Energy | None = None
    bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `Event.to_dict`, without what only films tell where it is not one."""
        record = Event.to_dict(self)
        return record if self.unit == "frame" else {name: value for name, value in record.items() if name not in ("energy", "bytes")}


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """One input's output is complete and in its place. ``width`` and ``height`` are the output's, in pixels.

    Of a film, ``frames`` were done in this run, ``bytes`` is the output's size, and ``predicted`` what had been expected of them.
    """

    name = "finished"
    input: str
    output: str
    seconds: float
    model: str
    backend: str
    precision: str
    energy: Energy
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    bytes: int | None = None
    predicted: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Skipped(Event):
    """An input was left alone, and why."""

    name = "skipped"
    input: str
    reason: str


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something a person should know about one input; the work goes on."""

    name = "warned"
    input: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """One input, or (``input`` None) the whole command, could not be done. ``error`` is the error's class name."""

    name = "failed"
    input: str | None
    error: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As `Event.to_dict`, without ``input`` where the whole command failed."""
        record = Event.to_dict(self)
        if self.input is None:
            del record["input"]
        return record


@dataclass(frozen=True, slots=True)
class Summary(Event):
    """The last event of a job: how many inputs went which way."""

    name = "summary"
    done: int
    failed: int
    skipped: int
