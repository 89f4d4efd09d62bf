"""Numbers as people read them: three or four figures and a unit that fits."""

from __future__ import annotations

COUNT_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))
ENERGY_UNITS = ((1e6, "kJ"), (1e3, "J"), (1.0, "mJ"), (1e-3, "µJ"))


def count(value: float) -> str:
    """A number of operations or parameters, such as ``3.11 G``."""
    for size, unit in COUNT_UNITS:
        if abs(value) >= size:
            return f"{_figures(value / size)} {unit}"
    return f"{value:.0f}"


def energy(millijoules: float) -> str:
    """An energy, such as ``14.3 mJ``."""
    for size, unit in ENERGY_UNITS:
        if abs(millijoules) >= size:
            return f"{_figures(millijoules / size)} {unit}"
    return f"{_figures(millijoules / 1e-3)} µJ"


def duration(seconds: float) -> str:
    """A time, such as ``0.42 s``, ``3 min 20 s`` or ``1 h 5 min``."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def short_duration(seconds: float) -> str:
    """A time in one unit, such as ``4.4 min``."""
    if seconds < 60:
        return duration(seconds)
    return f"{_figures(seconds / 60)} min" if seconds < 5400 else f"{_figures(seconds / 3600)} h"


def times(factor: float) -> str:
    """A ratio, such as ``1.9×`` or ``197×``."""
    return f"{factor:.1f}×" if factor < 10 else f"{factor:.0f}×"


def size(width: int, height: int) -> str:
    """A picture's size in pixels."""
    return f"{width} × {height}"


def megapixels(width: int, height: int) -> str:
    """A picture's area."""
    return f"{width * height / 1e6:.1f} MP"


def _figures(value: float) -> str:
    """Return ``value`` (below 1000) with three figures."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
