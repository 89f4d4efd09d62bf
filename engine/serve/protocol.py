"""The language between the window and `addersesr serve`: one JSON object a line, requests one way and events the other.

A request is ``{"request": NAME, "id": N, …}``; every event that answers it carries the same ``id``. A request ends with exactly
one of its own closing event, ``cancelled``, or ``failed`` without an ``input``. Pixels do not travel in the lines: `Pixels`
names a block of shared memory, which the window maps and then gives back with ``release``. `engine.serve.wire` reads the lines.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from engine import events
from engine.material import Material  # noqa: TC001 (read at run time by `engine.serve.wire`)
from engine.serve.protocol_records import BackendCard, FilmFacts, Level, ModelCard, Network, Output, Pixels, Power, Region

__all__ = ["BackendCard", "FilmFacts", "Level", "ModelCard", "Network", "Output", "Pixels", "Power", "Region"]
"""What is defined elsewhere and belongs to the language all the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """The root of all requests. ``name`` is the value of ``"request"`` on the wire."""

    name: ClassVar[str]
    id: int

    def to_json(self) -> str:
        """One line, without its newline."""
        return json.dumps({"request": self.name, **dataclasses.asdict(self)}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Hello(Request):
    """Asks what there is; answered by `Ready`."""

    name = "hello"


@dataclass(frozen=True, slots=True)
class Survey(Request):
    """Asks which back ends there are; answered by `Surveyed`, after seconds where torch is installed."""

    name = "survey"


@dataclass(frozen=True, slots=True)
class Open(Request):
    """Read a picture for the screen, or of a film the frame ``at_s`` seconds from its first one; answered by `Opened`.

    ``deinterlaced``: a frame of interlaced film as a job takes it; that takes seconds where no `Scan` went before.
    """

    name = "open"
    path: str
    at_s: float | None = None
    deinterlaced: bool = False


@dataclass(frozen=True, slots=True)
class Scan(Request):
    """Ask whether a film's frames are woven from fields; answered by `Scanned`, after seconds."""

    name = "scan"
    path: str


@dataclass(frozen=True, slots=True)
class Preview(Request):
    """Upscale what is visible, now; a newer preview replaces an older one. Answered by `Previewed`.

    ``left`` is what to compare with: ``nearest``, ``bicubic``, ``lanczos`` or another model's id or file. Both sides are
    made ``reduce`` times smaller than the full result. A reduced preview is made from a reduced input unless ``exact``.
    ``heat`` asks for a picture of their difference as well. ``at_s`` and ``deinterlaced`` are a film's, as `Opened` told them.
    """

    name = "preview"
    path: str
    region: Region
    network: Network
    left: str = "bicubic"
    reduce: int = 1
    exact: bool = False
    heat: bool = False
    at_s: float | None = None
    deinterlaced: bool = False

    def __post_init__(self) -> None:
        if self.reduce < 1:
            raise ValueError(f"reduce is at least 1, not {self.reduce}")


@dataclass(frozen=True, slots=True)
class Show(Request):
    """Upscale a whole picture in memory, for the screen and for a later `Save`; answered by `Shown`. Too large a one is refused."""

    name = "show"
    path: str
    network: Network


@dataclass(frozen=True, slots=True)
class Save(Request):
    """Write the result of `Show`, or where that is missing make it by the strip; answered by `Saved`, warnings before it."""

    name = "save"
    path: str
    network: Network
    output: Output


@dataclass(frozen=True, slots=True)
class Upscale(Request):
    """Files and folders to files, as the command `upscale` does; answered by a job's events, the last a summary.

    The files in ``done`` were finished before and are left out. ``ledger`` is a file where the server notes what it began and
    finished: when the request is made again after a crash, of either side, what it says is finished is left out as well.
    """

    name = "upscale"
    inputs: tuple[str, ...]
    network: Network
    output: Output
    done: tuple[str, ...] = ()
    ledger: str | None = None


@dataclass(frozen=True, slots=True)
class Plan(Request):
    """Ask what `Upscale` would make, how large and how soon; answered by a job's ``planned`` events, the last a summary."""

    name = "plan"
    inputs: tuple[str, ...]
    network: Network
    output: Output


@dataclass(frozen=True, slots=True)
class Thumbnail(Request):
    """Ask for a small version of a picture, its longer side ``side`` pixels at most; answered by `Thumbnailed`."""

    name = "thumbnail"
    path: str
    side: int

    def __post_init__(self) -> None:
        if not 1 <= self.side <= 1024:
            raise ValueError(f"side is from 1 to 1024, not {self.side}")


@dataclass(frozen=True, slots=True)
class Bench(Request):
    """Time a network; answered by `Benched`."""

    name = "bench"
    network: Network
    width: int = 640
    height: int = 360


@dataclass(frozen=True, slots=True)
class Pause(Request):
    """Hold the request of this id after its tile; answered by `Paused`."""

    name = "pause"


@dataclass(frozen=True, slots=True)
class Resume(Request):
    """Let the request of this id go on; answered by `Resumed`."""

    name = "resume"


@dataclass(frozen=True, slots=True)
class Cancel(Request):
    """End the request of this id within a tile; it answers `CancelledRequest` itself."""

    name = "cancel"


@dataclass(frozen=True, slots=True)
class Release(Request):
    """The window has mapped this shared memory and the server may let go of it; not answered.

    A preview's is given back only when the window needs it no more: it is used for the next one.
    """

    name = "release"
    memory: str


@dataclass(frozen=True, slots=True)
class Spent(events.Event):
    """What a job (or `Show`) took so far: seconds of work, and mJ by this machine's meters, None where they cannot tell."""

    name = "spent"
    seconds: float
    measured_mj: float | None


@dataclass(frozen=True, slots=True)
class Ready(events.Event):
    """The server is up: its process, the models there are, and what is known of the power that they draw."""

    name = "ready"
    id: int
    pid: int
    models: tuple[ModelCard, ...]
    power: Power = field(default_factory=Power)


@dataclass(frozen=True, slots=True)
class Surveyed(events.Event):
    """The back ends that were looked for, in the order in which ``auto`` tries them."""

    name = "surveyed"
    id: int
    backends: tuple[BackendCard, ...]


@dataclass(frozen=True, slots=True)
class Opened(events.Event):
    """A picture was read. ``bits`` a sample in memory; ``format`` the file's in a word.

    ``warnings`` are what could not be taken from the file; ``made_with`` is the model that made it, where it says so itself.
    ``material`` is what kind of network suits it, and ``reason`` why (see `engine.suited`). ``film`` is None for a picture.
    """

    name = "opened"
    id: int
    path: str
    width: int
    height: int
    bits: int
    format: str
    pixels: Pixels
    warnings: tuple[str, ...] = ()
    made_with: str = ""
    material: Material = "clean"
    reason: str = ""
    film: FilmFacts | None = None


@dataclass(frozen=True, slots=True)
class Scanned(events.Event):
    """A film was looked at: whether a job takes its fields apart unless it is told not to."""

    name = "scanned"
    id: int
    path: str
    interlaced: bool


@dataclass(frozen=True, slots=True)
class Thumbnailed(events.Event):
    """A small version of a picture of ``width`` × ``height`` pixels."""

    name = "thumbnailed"
    id: int
    path: str
    width: int
    height: int
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Previewed(events.Event):
    """Both sides of a region; ``exact`` where the right side is what `Show` would give, ``seconds`` its computing time."""

    name = "previewed"
    id: int
    path: str
    region: Region
    network: Network
    left_by: str
    reduce: int
    exact: bool
    seconds: float
    left: Pixels
    right: Pixels
    heat: Pixels | None
    at_s: float | None = None
    deinterlaced: bool = False


@dataclass(frozen=True, slots=True)
class Shown(events.Event):
    """A whole picture was upscaled in memory. ``seconds`` and ``measured_mj`` (None: not measured) are without reading it."""

    name = "shown"
    id: int
    path: str
    network: Network
    backend: str
    precision: str
    seconds: float
    width: int
    height: int
    pixels: Pixels
    measured_mj: float | None = None


@dataclass(frozen=True, slots=True)
class Saved(events.Event):
    """The result is complete and in its place."""

    name = "saved"
    id: int
    path: str
    output: str


@dataclass(frozen=True, slots=True)
class Benched(events.Event):
    """Median time of a network over a picture of this size."""

    name = "benched"
    id: int
    network: Network
    backend: str
    precision: str
    width: int
    height: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Paused(events.Event):
    """The request of this id holds."""

    name = "paused"
    id: int


@dataclass(frozen=True, slots=True)
class Resumed(events.Event):
    """The request of this id goes on."""

    name = "resumed"
    id: int


@dataclass(frozen=True, slots=True)
class CancelledRequest(events.Event):
    """The request of this id ended unfinished, as asked or because a newer one replaced it."""

    name = "cancelled"
    id: int


@dataclass(frozen=True, slots=True)
class Told(events.Event):
    """What a job tells (see `engine.events`), with the id of the request that it answers."""

    name = "told"
    id: int
    event: events.Event

    def to_dict(self) -> dict[str, Any]:
        """The job's own event with ``id`` added."""
        return {**self.event.to_dict(), "id": self.id}
