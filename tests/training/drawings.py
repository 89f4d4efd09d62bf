"""Pictures for tests of the trainer, drawn here: small ones of everything, pages of text, cartoons, screens of a user interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

WORDS = (
    "the quick brown fox jumps over a lazy dog while seven wizards box quietly Energy 14.31 mJ and 6.895 mJ per frame Additions",
    "replace multiplications Settings Open Save Cancel View Quality (dB) 1920x1080 100% x = y + z [i] {k} Layer Training step",
)


def page(seed: int, height: int = 480, width: int = 640) -> np.ndarray:
    """Black or coloured text of several sizes on a light or dark page, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    dark = rng.random() < 0.3
    picture = np.full((height, width, 3), 30 if dark else 250, np.uint8)
    ink = (235, 235, 235) if dark else tuple(int(v) for v in rng.integers(0, 90, 3))
    y = 6
    while y < height:
        size = int(rng.choice([11, 12, 13, 14, 16, 20, 28]))
        y += int(size * 1.5)
        face = cv2.FontFace("sans" if rng.random() < 0.7 else "italic")
        line = " ".join(rng.choice(" ".join(WORDS).split(), 16))
        cv2.putText(picture, line, (int(rng.integers(4, 30)), y), ink, face, size, int(rng.choice([300, 400, 700])))
    return picture


def cartoon(seed: int, height: int = 480, width: int = 640) -> np.ndarray:
    """Flat shapes with dark outlines, as in an animated film, (H, W, 3) uint8; drawn large and scaled down for clean edges."""
    rng = np.random.default_rng(seed)
    big = np.full((height * 4, width * 4, 3), rng.integers(120, 256, 3), np.uint8)
    for _ in range(28):
        centre = rng.uniform(0, 1, 2) * (width * 4, height * 4)
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 12))))
        radii = rng.uniform(0.4, 1, len(angles)) * rng.uniform(60, 420)
        corners = (centre + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]).astype(np.int32)
        curve = cv2.approxPolyDP(corners, 1, True) if rng.random() < 0.3 else _smooth(corners)
        cv2.fillPoly(big, [curve], tuple(int(v) for v in rng.integers(40, 256, 3)))
        cv2.polylines(big, [curve], True, (20, 20, 25), int(rng.integers(4, 14)), cv2.LINE_AA)
    return cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA)


def screen(seed: int, height: int = 480, width: int = 640) -> np.ndarray:
    """Windows with bars, buttons, lists, hairlines and small text, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    light = rng.random() < 0.5
    picture = np.full((height, width, 3), 244 if light else 38, np.uint8)
    ink, line = ((40, 40, 40), (205, 205, 205)) if light else ((225, 225, 225), (80, 80, 80))
    accent = tuple(int(v) for v in rng.integers(40, 230, 3))
    cv2.rectangle(picture, (0, 0), (width, 32), (225, 228, 232) if light else (55, 55, 60), -1)
    for x in range(10, width, 84):
        _label(picture, rng, x, 21, ink, 12)
    for row in range(int(rng.integers(9, 15))):
        y = 46 + row * 32
        cv2.line(picture, (8, y + 26), (width - 8, y + 26), line, 1)
        for x in range(int(rng.integers(8, 40)), width - 90, int(rng.integers(90, 170))):
            kind = rng.random()
            if kind < 0.25:
                cv2.rectangle(picture, (x, y), (x + 76, y + 21), accent, -1 if rng.random() < 0.5 else 1)
                _label(picture, rng, x + 8, y + 15, ink, 12)
            elif kind < 0.4:
                cv2.rectangle(picture, (x, y + 4), (x + 13, y + 17), ink, 1)
                _label(picture, rng, x + 20, y + 15, ink, 12)
            elif kind < 0.5:
                cv2.circle(picture, (x + 8, y + 11), 7, accent, -1, cv2.LINE_AA)
            else:
                _label(picture, rng, x, y + 15, ink, int(rng.choice([11, 12, 13])))
    return picture


def _label(picture: np.ndarray, rng: np.random.Generator, x: int, y: int, ink: tuple[int, ...], size: int) -> None:
    cv2.putText(picture, str(rng.choice(" ".join(WORDS).split())), (x, y), ink, cv2.FontFace("sans"), size, 400)


def _smooth(corners: np.ndarray) -> np.ndarray:
    """A closed curve near the corners (Chaikin's corner cutting)."""
    points = corners.astype(np.float64)
    for _ in range(4):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points.astype(np.int32)


def draw(seed: int, height: int = 64, width: int = 80) -> np.ndarray:
    """An (H, W, 3) uint8 picture with edges and slopes: overlapping discs and bars over a gradient."""
    rng = np.random.default_rng(seed)
    picture = np.linspace(0, 120, width)[None, :, None] + rng.uniform(0, 80, 3)
    picture = np.repeat(picture, height, axis=0).astype(np.uint8)
    for _ in range(14):
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        if rng.random() < 0.5:
            cv2.circle(picture, centre, int(rng.integers(3, 16)), colour, -1, cv2.LINE_AA)
        else:
            end = (int(rng.integers(width)), int(rng.integers(height)))
            cv2.line(picture, centre, end, colour, int(rng.integers(1, 5)), cv2.LINE_AA)
    return picture


def store(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path
