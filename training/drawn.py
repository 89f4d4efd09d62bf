"""Pages of text and of line art, drawn: what photographs lack, and comics, slides and screens are made of.

Each is drawn twice as large and scaled down, so that its edges are as smooth as a camera's are. A page is known by its seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from engine.resize import imresize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HEIGHT, WIDTH = 480, 640
LARGER = 2
TEXT_PIXELS = (22, 26, 30, 36, 44, 60, 90, 130)
LINE_WIDTHS = (2, 3, 4, 6, 10)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)

Colour = tuple[int, int, int]


def text(seed: int, words: Sequence[str], fonts: Sequence[Path]) -> NDArray[np.uint8]:
    """Lines of words in ``fonts`` (TrueType files), of all sizes, most of them of one ink: (480, 640, 3)."""
    rng = np.random.default_rng(seed)
    page, ink = _page(rng)
    y = 10
    while y < len(page):
        size = int(rng.choice(TEXT_PIXELS))
        if rng.random() < 0.15:
            cv2.rectangle(page, (0, y), (page.shape[1], y + int(1.3 * size)), colour(rng), -1)
        y += int(1.35 * size)
        face = cv2.FontFace(str(fonts[int(rng.integers(len(fonts)))]))
        line = " ".join(rng.choice(np.array(words), 40))
        cv2.putText(page, line, (int(rng.integers(80)), y), ink if rng.random() < 0.8 else colour(rng), face, size, 0)
    return _smaller(page)


def lines(seed: int) -> NDArray[np.uint8]:
    """Panels of dots, rays and hatching, with curves over them, some of them filled: (480, 640, 3)."""
    rng = np.random.default_rng(seed)
    page, ink = _page(rng)
    for _ in range(int(rng.integers(2, 5))):
        corner = rng.integers(0, [page.shape[1] - 300, page.shape[0] - 300])
        box = (*corner.tolist(), *(corner + rng.integers(200, 650, 2)).tolist())
        (_dots, _rays, _hatching, _panel)[rng.integers(4)](page, rng, box, ink)
    for _ in range(int(rng.integers(20, 60))):
        curve = _curve(rng, page.shape[1], page.shape[0])
        if rng.random() < 0.2:
            cv2.fillPoly(page, [curve], colour(rng), cv2.LINE_AA)
        cv2.polylines(page, [curve], False, ink if rng.random() < 0.8 else colour(rng), int(rng.choice(LINE_WIDTHS)), cv2.LINE_AA)
    return _smaller(page)


def colour(rng: np.random.Generator) -> Colour:
    """Any."""
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _page(rng: np.random.Generator) -> tuple[NDArray[np.uint8], Colour]:
    """An empty page, and its ink: half of them are white, with black."""
    paper, ink = (WHITE, BLACK) if rng.random() < 0.5 else (colour(rng), colour(rng))
    return np.full((LARGER * HEIGHT, LARGER * WIDTH, 3), paper, np.uint8), ink


def _smaller(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return imresize(page, HEIGHT, WIDTH)


Box = tuple[int, int, int, int]


def _dots(page: NDArray[np.uint8], rng: np.random.Generator, box: Box, ink: Colour) -> None:
    left, top, right, bottom = box
    pitch = int(rng.choice([7, 9, 11, 14, 18]))
    radius = pitch * rng.uniform(0.2, 0.45)
    for row, y in enumerate(range(top, bottom, pitch)):
        for x in range(left + row % 2 * pitch // 2, right, pitch):
            cv2.circle(page, (16 * x, 16 * y), round(16 * radius), ink, -1, cv2.LINE_AA, 4)  # in sixteenths of a pixel


def _rays(page: NDArray[np.uint8], rng: np.random.Generator, box: Box, ink: Colour) -> None:
    centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    for degrees in range(0, 360, int(rng.choice([2, 3, 5]))):
        angle = np.deg2rad(degrees) + rng.uniform(-0.01, 0.01)
        way = np.array([np.cos(angle), np.sin(angle)])
        begin, end = (np.rint(centre + way * reach).astype(int).tolist() for reach in (rng.uniform(80, 150), 600))
        cv2.line(page, begin, end, ink, int(rng.integers(1, 5)), cv2.LINE_AA)


def _hatching(page: NDArray[np.uint8], rng: np.random.Generator, box: Box, ink: Colour) -> None:
    left, top, right, bottom = box
    slope = rng.uniform(-1, 1)
    part = np.ascontiguousarray(page[top:bottom, left:right])
    height, width = part.shape[:2]
    for x in range(-height, width + height, int(rng.choice([5, 7, 9, 12, 16]))):
        cv2.line(part, (x, 0), (round(x + slope * height), height), ink, int(rng.integers(1, 4)), cv2.LINE_AA)
    page[top:bottom, left:right] = part


def _panel(page: NDArray[np.uint8], rng: np.random.Generator, box: Box, ink: Colour) -> None:
    cv2.rectangle(page, box[:2], box[2:], colour(rng), -1)
    cv2.rectangle(page, box[:2], box[2:], ink, int(rng.choice([2, 4, 8])))


def _curve(rng: np.random.Generator, width: int, height: int) -> NDArray[np.int32]:
    """A path of steps whose direction turns ever faster or slower."""
    count = int(rng.integers(20, 90))
    turns = rng.uniform(-0.08, 0.08) + np.cumsum(rng.normal(0, 0.006, count))
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    steps = 12 * np.stack([np.cos(angles), np.sin(angles)], 1)
    path: NDArray[np.int32] = np.rint(rng.uniform(0, [width, height]) + np.cumsum(steps, 0)).astype(np.int32)
    return path
