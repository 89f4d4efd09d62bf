"""Film as television has it, for tests: woven from fields, or pulled down from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import resources
from tests.clips import store_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import av

    Grey = np.ndarray[Any, Any]

SIZE = (160, 96)
COUNT = 40
FLAGGED = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1"}
"""What makes x264 say that a film is interlaced."""


def moments(*, speed: float = 1.0, noise: float = 1.0, light: Callable[[int], float] = lambda _: 1.0, lines: float = 1.0) -> Iterator[Grey]:
    """What a camera sees at one moment after another; ``lines`` is how bright every second line of the picture is."""
    data = (Path(resources.__file__).parent / "sample.png").read_bytes()
    pixels, rng, moment = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.random.default_rng(1), 0
    assert pixels is not None
    while True:
        left, top = 150 + 2.3 * speed * moment % 60, 100 + 20 * np.sin(speed * moment / 9)
        shown = cv2.warpAffine(pixels, np.float32([[1, 0, -left], [0, 1, -top]]), SIZE, flags=cv2.INTER_LINEAR).astype(float)
        shown[1::2] *= lines
        yield np.clip(shown * light(moment) + rng.normal(0, noise, shown.shape), 0, 255).astype(np.uint8)
        moment += 1


def woven(fields: Iterable[Grey], *, top_first: bool = True) -> Iterator[Grey]:
    """Two fields after another in one frame."""
    second, fields = (1 if top_first else 0), iter(fields)
    while True:
        frame, other = next(fields).copy(), next(fields)
        frame[second::2] = other[second::2]
        yield frame


def pulled_down(pictures: Iterable[Grey]) -> Iterator[Grey]:
    """3:2 pulldown: two and three fields of a picture in turn."""
    for number, picture in enumerate(pictures):
        yield from [picture] * (2 + number % 2)


def store(path: Path, pictures: Iterable[Grey], *, count: int = COUNT, **options: str) -> Path:
    """A film of these greys."""
    shown = iter(pictures)

    def edit(made: av.VideoFrame) -> None:
        plane, picture = made.planes[0], next(shown)
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : picture.shape[1]] = picture
        plane.update(lines.tobytes())

    how = {"qp": "12", "bf": "2", **options}
    return store_clip(path, count, size=SIZE, edit=edit, options=how, moments=[0] * count)
