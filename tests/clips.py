"""Films made by FFmpeg's own encoders, for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE = 25
BASE = Fraction(1, 12800)
AUDIO_RATE = 48000


def samples(plane_height: int, plane_width: int, top: int, moment: int, plane: int) -> np.ndarray[Any, Any]:
    """A soft pattern that moves, in the middle of the range."""
    y, x = np.mgrid[:plane_height, :plane_width]
    wave = np.sin((x + 2 * moment + 9 * plane) / 7) + np.cos(y / 5)
    return (0.2 * wave + 0.5) * top


def frame(width: int, height: int, form: str, moment: int) -> av.VideoFrame:
    """One frame of that pattern."""
    made = av.VideoFrame(width, height, form)
    for index, plane in enumerate(made.planes):
        bits = made.format.components[index].bits
        view = np.frombuffer(memoryview(plane), np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)
        view[...] = samples(*view.shape, (1 << bits) - 1, moment, index).astype(view.dtype)
    return made


def store_clip(
    path: Path,
    count: int = 12,
    *,
    size: tuple[int, int] = (48, 32),
    form: str = "yuv420p",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    moments: Sequence[int] | None = None,
    pts: Sequence[int] | None = None,
    sound: bool = False,
    prepare: Callable[[Any, Any], None] = lambda container, stream: None,
    edit: Callable[[av.VideoFrame], None] = lambda made: None,
) -> Path:
    """A film of ``count`` frames. ``moments`` says what each shows, ``pts`` when, in units of 1/12800 s."""
    base = Fraction(1, RATE) if path.suffix == ".avi" else BASE  # AVI knows no finer times than its frames
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, form
        stream.codec_context.time_base = base
        audio: Any = container.add_stream("aac", rate=AUDIO_RATE, layout="mono") if sound else None
        prepare(container, stream)
        for i in range(count):
            made = frame(*size, form, moments[i] if moments else i)
            made.pts, made.time_base = (pts[i] if pts else round(i / RATE / base)), base
            edit(made)
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))
        if audio is not None:
            _add_sound(container, audio, count / RATE)
    return path


def store_walk(path: Path, count: int, *, size: tuple[int, int] = (160, 96), noise: float = 2.0, seed: int = 0, **options: Any) -> Path:
    """A film that is like one from a camera: it walks over the sample picture, each frame with its own noise."""
    pixels = cv2.imdecode(np.frombuffer((Path(resources.__file__).parent / "sample.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    rng = np.random.default_rng(seed)
    width, height = size
    assert pixels is not None

    def edit(made: av.VideoFrame) -> None:
        step = made.pts / 512
        left = (pixels.shape[1] - width) * (0.5 + 0.5 * np.sin(step / 90))
        top = (pixels.shape[0] - height) * (0.5 + 0.5 * np.cos(step / 70))
        shown = cv2.warpAffine(pixels, np.float32([[1, 0, -left], [0, 1, -top]]), size)
        spoilt = np.clip(shown + rng.normal(0, noise, shown.shape), 0, 255).astype(np.uint8)
        planes = av.VideoFrame.from_ndarray(spoilt, "bgr24").reformat(format=made.format.name)
        for plane, source in zip(made.planes, planes.planes, strict=True):
            plane.update(bytes(source))

    return store_clip(path, count, size=size, edit=edit, **options)


def _add_sound(container: Any, audio: Any, seconds: float) -> None:
    wave = np.sin(np.arange(int(seconds * AUDIO_RATE)) * 0.05).astype(np.float32)[None]
    for start in range(0, wave.shape[1], 1024):
        piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, start : start + 1024]), "fltp", "mono")
        piece.sample_rate, piece.pts = AUDIO_RATE, start
        container.mux(audio.encode(piece))
    container.mux(audio.encode(None))


def frames_of(path: Path) -> list[av.VideoFrame]:
    """All frames of a film."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def luma_of(made: av.VideoFrame) -> np.ndarray[Any, Any]:
    """Luma samples, (H, W)."""
    bits = made.format.components[0].bits
    view = np.frombuffer(memoryview(made.planes[0]), np.uint8 if bits == 8 else np.uint16)
    return view.reshape(made.planes[0].height, -1)[:, : made.width].copy()


def times_of(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds."""
    return [made.pts * made.time_base for made in frames_of(path)]


def packets_of(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of every packet of the first stream of this kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.pts is not None]
