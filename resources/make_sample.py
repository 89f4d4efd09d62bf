"""Draws ``sample.png``, the picture that the window opens with: a harbour at dusk with edges, text, fine texture and gradients.

Run with ``python -m resources.make_sample``. The same on every run; drawn at four times its size and scaled down.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Canvas = NDArray[np.uint8]
    Colour = tuple[int, int, int]

WIDTH, HEIGHT, FACTOR = 480, 320, 4
W, H = WIDTH * FACTOR, HEIGHT * FACTOR
HORIZON = 760
NIGHT, ROSE, GOLD = (44, 52, 92), (214, 120, 118), (250, 206, 140)


def main() -> None:
    """Draw the picture beside this file."""
    draw = np.random.default_rng(1912)
    canvas = _sky()
    _stars(canvas, draw)
    _hills(canvas, draw)
    _town(canvas, draw)
    _lighthouse(canvas)
    _water(canvas, draw)
    _boat(canvas)
    _quay(canvas, draw)
    small = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(Path(__file__).with_name("sample.png")), small[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _sky() -> Canvas:
    """Night above, rose and gold at the horizon, a low sun with its glow."""
    t = np.linspace(0, 1, HORIZON)[:, None]
    stops = np.array([NIGHT, (104, 86, 134), ROSE, GOLD], np.float64)
    column = np.stack([np.interp(t[:, 0], [0, 0.45, 0.8, 1], stops[:, i]) for i in range(3)], axis=1)
    sky = np.repeat(column[:, None], W, axis=1)
    y, x = np.mgrid[:HORIZON, :W]
    distance = np.hypot(x - 1230, (y - 640) * 1.15)
    glow = np.exp(-distance / 260)[..., None]
    sky += glow * (np.array((255, 224, 170)) - sky) * 0.85
    sky[distance < 62] = (255, 240, 206)
    canvas = np.zeros((H, W, 3), np.uint8)
    canvas[:HORIZON] = np.clip(sky, 0, 255)
    return canvas


def _stars(canvas: Canvas, draw: np.random.Generator) -> None:
    for x, y, size in zip(draw.integers(0, W, 90), (draw.random(90) ** 2 * 330).astype(int), draw.integers(2, 6, 90), strict=True):
        cv2.circle(canvas, (int(x), int(y)), int(size), (236, 232, 250), -1, cv2.LINE_AA)
    moon = np.zeros(canvas.shape[:2], np.uint8)
    cv2.circle(moon, (330, 170), 66, 255, -1, cv2.LINE_AA)
    cv2.circle(moon, (364, 152), 62, 0, -1, cv2.LINE_AA)
    _blend(canvas, np.full_like(canvas, (248, 240, 222)), moon)


def _hills(canvas: Canvas, draw: np.random.Generator) -> None:
    for base, height, colour in ((640, 150, (126, 96, 138)), (700, 110, (88, 74, 118)), (748, 70, (58, 56, 92))):
        ridge = np.cumsum(draw.normal(0, 1, W))
        ridge = cv2.GaussianBlur(ridge[None], (0, 0), 9)[0]
        ridge = base - height * (ridge - ridge.min()) / np.ptp(ridge)
        _polygon(canvas, [(0, HORIZON), *((x, ridge[x]) for x in range(0, W, 3)), (W, HORIZON)], colour)


def _town(canvas: Canvas, draw: np.random.Generator) -> None:
    """Brick houses with latticed windows, roofs of tiles, and a sign."""
    x = 40
    walls = ((150, 74, 66), (196, 160, 118), (104, 112, 136), (172, 96, 70), (122, 128, 112))
    for i, wide in enumerate((190, 150, 230, 160, 180)):
        top = int(430 + 70 * draw.random())
        _house(canvas, (x, top, x + wide, HORIZON), walls[i], draw)
        x += wide + 8
    cv2.rectangle(canvas, (412, 610), (620, 668), (30, 34, 44), -1)
    cv2.rectangle(canvas, (412, 610), (620, 668), (226, 196, 130), 4)
    cv2.putText(canvas, "HARBOUR", (424, 654), cv2.FONT_HERSHEY_DUPLEX, 1.28, (248, 226, 172), 3, cv2.LINE_AA)


def _house(canvas: Canvas, box: tuple[int, int, int, int], wall: Colour, draw: np.random.Generator) -> None:
    left, top, right, bottom = box
    cv2.rectangle(canvas, (left, top), (right, bottom), wall, -1)
    for row, y in enumerate(range(top, bottom, 14)):
        for x in range(left - (row % 2) * 15, right, 30):
            shade = tuple(int(np.clip(v + draw.normal(0, 9), 0, 255)) for v in wall)
            cv2.rectangle(canvas, (max(x + 2, left), y + 2), (min(x + 28, right - 1), min(y + 12, bottom)), shade, -1)
    middle, peak = (left + right) // 2, top - 120
    _polygon(canvas, [(left - 14, top), (middle, peak), (right + 14, top)], (74, 46, 52))
    for y in range(peak + 12, top, 12):
        half = (right - left + 28) * (y - peak) // (2 * (top - peak))
        cv2.line(canvas, (middle - half, y), (middle + half, y), (104, 64, 64), 3, cv2.LINE_AA)
    for y in range(top + 40, bottom - 80, 110):
        for x in range(left + 24, right - 50, 66):
            _window(canvas, x, y, lit=draw.random() < 0.6)


def _window(canvas: Canvas, x: int, y: int, *, lit: bool) -> None:
    cv2.rectangle(canvas, (x - 4, y - 4), (x + 42, y + 60), (232, 222, 204), -1)
    cv2.rectangle(canvas, (x, y), (x + 38, y + 56), (255, 214, 124) if lit else (48, 58, 84), -1)
    for i in (1, 2):
        cv2.line(canvas, (x + 13 * i, y), (x + 13 * i, y + 56), (232, 222, 204), 3)
        cv2.line(canvas, (x, y + 19 * i), (x + 38, y + 19 * i), (232, 222, 204), 3)


def _lighthouse(canvas: Canvas) -> None:
    """Red and white bands on a tapering tower, a lantern and its two beams."""
    beam = canvas.copy()
    for end in ((W, 250, 330), (1060, 268, 322)):
        _polygon(beam, [(1560, 300), (end[0], end[1]), (end[0], end[2])], (255, 238, 190))
    cv2.addWeighted(beam, 0.35, canvas, 0.65, 0, dst=canvas)
    _polygon(canvas, [(1400, 764), (1440, 716), (1520, 700), (1570, 708), (1640, 698), (1690, 730), (1740, 764)], (52, 48, 70))
    for band in range(5):
        y0, y1 = 350 + band * 68, 350 + (band + 1) * 68
        w0, w1 = 48 + band * 6, 48 + (band + 1) * 6
        colour = (196, 52, 50) if band % 2 == 0 else (240, 234, 226)
        _polygon(canvas, [(1560 - w0, y0), (1560 + w0, y0), (1560 + w1, y1), (1560 - w1, y1)], colour)
        _polygon(canvas, [(1560 + w0 // 3, y0), (1560 + w0, y0), (1560 + w1, y1), (1560 + w1 // 3, y1)], _darker(colour))
    cv2.rectangle(canvas, (1496, 334), (1624, 352), (42, 44, 60), -1)
    cv2.rectangle(canvas, (1526, 262), (1594, 334), (255, 240, 184), -1)
    for x in range(1526, 1600, 17):
        cv2.line(canvas, (x, 262), (x, 334), (42, 44, 60), 4)
    for x in range(1496, 1625, 16):
        cv2.line(canvas, (x, 310), (x, 336), (42, 44, 60), 3)
    _polygon(canvas, [(1514, 264), (1560, 206), (1606, 264)], (196, 52, 50))


def _water(canvas: Canvas, draw: np.random.Generator) -> None:
    """The scene mirrored, darkened and broken by ripples that widen towards the viewer."""
    depth = H - HORIZON
    rows = np.arange(depth)[:, None]
    columns = np.arange(W)[None]
    wave = np.sin(rows / (3 + rows / 40) + 2 * np.sin(columns / 170)) * (3 + rows / 14)
    wave += cv2.GaussianBlur(draw.normal(0, 30, (depth, W)), (0, 0), sigmaX=24, sigmaY=2)
    map_y = (HORIZON - 1 - np.clip(rows * 1.35 + wave, 0, HORIZON - 1)).astype(np.float32)
    map_x = np.clip(columns + wave * 0.8, 0, W - 1).astype(np.float32)
    mirror = cv2.remap(canvas, np.broadcast_to(map_x, map_y.shape), map_y, cv2.INTER_LINEAR).astype(np.float64)
    fade = np.linspace(0.82, 0.5, depth)[:, None, None]
    canvas[HORIZON:] = np.clip(mirror * fade + np.array((6, 16, 34)), 0, 255)


def _boat(canvas: Canvas) -> None:
    """A sailing boat whose sails carry ever finer stripes."""
    hull = [(880, 960), (1320, 960), (1250, 1036), (950, 1036)]
    _polygon(canvas, hull, (38, 66, 96))
    _polygon(canvas, [(880, 960), (1320, 960), (1309, 974), (888, 974)], (240, 232, 214))
    cv2.putText(canvas, "SESR x2", (1010, 1020), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (240, 232, 214), 3, cv2.LINE_AA)
    cv2.line(canvas, (1100, 960), (1100, 500), (70, 48, 40), 9, cv2.LINE_AA)
    _striped(canvas, [(1114, 520), (1114, 930), (1300, 930)], (246, 238, 222), (190, 66, 60))
    _striped(canvas, [(1086, 540), (1086, 930), (910, 930)], (252, 246, 232), (60, 92, 130))
    for end in ((890, 958), (1312, 958)):
        cv2.line(canvas, (1100, 505), end, (226, 220, 210), 2, cv2.LINE_AA)


def _striped(canvas: Canvas, sail: Sequence[tuple[int, int]], light: Colour, dark: Colour) -> None:
    cloth = canvas.copy()
    _polygon(cloth, sail, light)
    y, step = max(p[1] for p in sail), 40.0
    while step > 5:
        cv2.rectangle(cloth, (0, int(y - step / 2)), (W, int(y)), dark, -1)
        y, step = int(y - step), step * 0.91
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(sail, np.int32)], 255, cv2.LINE_AA)
    _blend(canvas, cloth, mask)


def _quay(canvas: Canvas, draw: np.random.Generator) -> None:
    """Stones, a railing, reeds and a notice in the foreground."""
    _polygon(canvas, [(0, 1130), (820, 1190), (820, H), (0, H)], (70, 68, 80))
    for _ in range(420):
        x, y = int(draw.integers(0, 810)), int(draw.integers(1150, H))
        if y > 1136 + x * 60 / 820:
            tone = int(draw.integers(54, 118))
            cv2.ellipse(
                canvas,
                (x, y),
                (int(draw.integers(6, 24)), int(draw.integers(4, 11))),
                0,
                0,
                360,
                (tone, tone - 3, tone + 8),
                -1,
                cv2.LINE_AA,
            )
    for x in range(20, 820, 56):
        cv2.line(canvas, (x, 1150 + x * 60 // 820), (x, 1010 + x * 60 // 820), (26, 28, 40), 9, cv2.LINE_AA)
    for rise in (1012, 1062, 1110):
        cv2.line(canvas, (0, rise), (820, rise + 60), (26, 28, 40), 6, cv2.LINE_AA)
    _notice(canvas)
    for _ in range(520):
        x, length, lean = int(draw.integers(1380, W + 40)), int(draw.integers(60, 300)), int(draw.normal(0, 40))
        green = (int(draw.integers(30, 78)), int(draw.integers(58, 120)), int(draw.integers(44, 74)))
        cv2.line(canvas, (x, H), (x + lean, H - length), green, int(draw.integers(2, 5)), cv2.LINE_AA)


def _notice(canvas: Canvas) -> None:
    cv2.rectangle(canvas, (80, 880), (430, 1040), (244, 240, 228), -1)
    cv2.rectangle(canvas, (80, 880), (430, 1040), (36, 60, 96), 6)
    for i, (line, size) in enumerate((("QUAY 7", 1.3), ("sum of |x - w|", 1.05), ("adds, never multiplies", 0.78))):
        cv2.putText(canvas, line, (100, 930 + i * 45), cv2.FONT_HERSHEY_SIMPLEX, size, (36, 60, 96), 3 - (i > 1), cv2.LINE_AA)


def _blend(canvas: Canvas, over: Canvas, mask: NDArray[np.uint8]) -> None:
    share = mask[..., None] / 255.0
    canvas[...] = (share * over + (1 - share) * canvas).astype(np.uint8)


def _polygon(canvas: Canvas, points: Sequence[tuple[float, float]], colour: Colour) -> None:
    cv2.fillPoly(canvas, [np.array(points, np.int32)], colour, cv2.LINE_AA)


def _darker(colour: Colour) -> Colour:
    return (colour[0] * 3 // 4, colour[1] * 3 // 4, colour[2] * 3 // 4)


if __name__ == "__main__":
    main()
