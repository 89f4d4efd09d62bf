"""What requests and events are made of: regions, pixels, networks, outputs, and what the window is told of models and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.existing import Existing  # noqa: TC001 (read at run time by `engine.serve.wire`)
from engine.network import ForeignSpec, NetworkSpec, Spec
from engine.video_options import Effort, Grade  # noqa: TC001 (as before)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in input pixels, left and top included."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise ValueError(f"not a region of a picture: {self.x}, {self.y}, {self.width} x {self.height}")


@dataclass(frozen=True, slots=True)
class Level:
    """One size of a picture in shared memory: rows of 4 bytes a pixel from ``offset`` on, without gaps."""

    width: int
    height: int
    offset: int


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture in shared memory, made for the screen: bytes B, G, R, A (8 bits each, alpha multiplied in).

    ``levels[0]`` is the whole picture, each next one half as wide and high; without ``alpha`` every A is 255.
    """

    name: str
    alpha: bool
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Which network, and what shall run it. ``model`` is an id or a file; ``strength`` is for one that has a plain twin.

    ``suited``: for jobs, it gives way to the network that suits a file's material.
    """

    model: str
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    strength: float = 1.0
    suited: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength is from 0 to 1, not {self.strength}")


@dataclass(frozen=True, slots=True)
class Output:
    """Where a result goes and how (see `engine.naming` and `engine.jobs.Settings`); None leaves a thing as the source has it.

    ``destination`` is a file or folder, ``extension`` has its dot; at most one of ``scale`` and a size is given. ``redo`` is an earlier
    result: it is made again exactly, with the network and the settings that it says it was made with. ``codec`` and what follows are
    for films.
    """

    destination: str | None = None
    template: str | None = None
    extension: str | None = None
    quality: int | None = None
    existing: Existing = "rename"
    scale: int | None = None
    width: int | None = None
    height: int | None = None
    redo: str | None = None
    metadata: bool = True
    provenance: bool = True
    codec: str = "auto"
    grade: Grade = "balanced"
    effort: Effort = "balanced"
    keep_interlaced: bool = False
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class JpegFigure:
    """PSNR in dB on small pictures that went through JPEG of a quality: of a network, of its plain twin, and of bicubic."""

    quality: int
    own: float
    plain: float
    bicubic: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the window needs to know of a model. ``psnr`` is a tuple of (data set, dB); ``precisions`` what it can run at.

    ``psnr_int8`` is that of the int8 form, empty where it has none or nobody measured it. A network for compressed pictures has
    ``through_jpeg``, on the data set ``jpeg_set``.

    Of somebody else's network ``foreign`` is all that is known; its ``m`` and ``f`` are 0 and its ``block`` is ``other``.
    ``training`` says what it was trained on and how, empty where nobody said. ``plain`` is the id of the plain twin that it can be mixed
    with, empty where it has none here.
    """

    id: str
    title: str
    file: str
    scale: int
    m: int
    f: int
    block: Literal["convolution", "adder", "other"]
    activation: Literal["prelu", "relu"]
    precisions: tuple[str, ...]
    parameters: int
    psnr: tuple[tuple[str, float], ...]
    licence: str
    summary: str
    foreign: ForeignSpec | None = None
    training: str = ""
    plain: str = ""
    psnr_int8: tuple[tuple[str, float], ...] = ()
    through_jpeg: tuple[JpegFigure, ...] = ()
    jpeg_set: str = ""

    def figures(self, precision: str) -> dict[str, float]:
        """PSNR in dB by data set at a precision."""
        return dict(self.psnr_int8 if precision == "int8" else self.psnr)

    @property
    def spec(self) -> Spec:
        """The network as data."""
        if self.foreign is not None:
            return self.foreign
        assert self.block != "other"
        return NetworkSpec(self.scale, self.m, self.f, self.block, self.activation)


@dataclass(frozen=True, slots=True)
class BackendCard:
    """A back end on this machine; ``problem`` says why it cannot be used, ``note`` what else to know of it; each may be empty."""

    name: str
    usable: bool
    version: str
    devices: tuple[str, ...]
    problem: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What the window needs to know of a film; None is what is not known.

    ``at_s`` is when the frame is shown that was asked for, ``deinterlaced`` whether that was; ``interlaced`` what the film says of itself.
    """

    at_s: float
    frames_a_second: float
    seconds: float | None
    interlaced: bool
    deinterlaced: bool = False


@dataclass(frozen=True, slots=True)
class Power:
    """What this machine can tell of energy: ``watts`` while networks run (None: never measured), its meters, and why others are missing."""

    watts: float | None = None
    meters: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
