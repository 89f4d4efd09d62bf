"""Published quality of the networks that can be trained: PSNR of luma in dB (SESR, arXiv 2103.09404)."""

from __future__ import annotations

SETS = ("Set5", "Set14", "B100", "Urban100", "Manga109", "DIV2K")
_X2: dict[str, tuple[float | None, ...]] = {
    "bicubic": (33.66, 30.24, 29.56, 26.88, 30.80, None),
    "m3": (37.21, 32.70, 31.56, 29.92, 36.47, 35.03),
    "m5": (37.39, 32.84, 31.70, 30.33, 37.07, 35.24),
    "m7": (37.47, 32.91, 31.77, 30.49, 37.14, 35.32),
    "m11": (37.58, 33.03, 31.85, 30.72, 37.40, 35.45),
    "xl": (37.77, 33.24, 31.99, 31.16, 38.01, 35.67),
}
_X4: dict[str, tuple[float | None, ...]] = {
    "m5": (30.99, 27.81, 27.11, 24.80, 28.29, 29.65),
    "m11": (31.27, 27.94, 27.20, 25.00, 28.73, 29.81),
    "xl": (31.54, 28.12, 27.31, 25.31, 29.04, 29.94),
}
TABLES: dict[int, dict[str, tuple[float | None, ...]]] = {2: _X2, 4: _X4}


def psnr(network: str, scale: int, data: str) -> float | None:
    """What was published for a network (``m5``, ``bicubic``) on a data set; None where nothing was."""
    figures = TABLES.get(scale, {}).get(network)
    return figures[SETS.index(data)] if figures and data in SETS else None


def known_set(folder: str) -> str | None:
    """The data set that a folder's path names, if it is one of the published."""
    lowered = folder.lower()
    return next((name for name in SETS if name.lower() in lowered), None)


def gain(network: str, scale: int) -> float | None:
    """How far above bicubic a network was published on Set14, the set that is most like everyday pictures; dB."""
    ours, bicubic = psnr(network, scale, "Set14"), psnr("bicubic", scale, "Set14")
    return None if ours is None or bicubic is None else ours - bicubic
