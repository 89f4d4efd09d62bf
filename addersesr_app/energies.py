"""The three ways in which an energy is known, in words: each number is shown with its own, and they are never mixed."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from addersesr_app import numbers_shown
from engine.events import Energy


def labels() -> dict[str, str]:
    """What stands beside each kind, by its field in `Energy`."""
    return {
        "arithmetic_mj": QCoreApplication.translate("Energy", "arithmetic, 45 nm"),
        "estimated_mj": QCoreApplication.translate("Energy", "estimated on this machine"),
        "measured_mj": QCoreApplication.translate("Energy", "measured"),
    }


def words(energy: Energy) -> str:
    """The kind that says most of this machine (measured, else estimated, else arithmetic) with its label; empty where none is known."""
    for kind in ("measured_mj", "estimated_mj", "arithmetic_mj"):
        value = getattr(energy, kind)
        if value is not None:
            return f"{numbers_shown.energy(value)} {labels()[kind]}"
    return ""


def added(first: Energy, second: Energy) -> Energy:
    """Both together, kind by kind; a kind that one of them does not know is not known of both."""
    sums = []
    for kind in labels():
        both = (getattr(first, kind), getattr(second, kind))
        sums.append(None if None in both else sum(both))
    return Energy(*sums)


def total(energies: list[Energy]) -> Energy:
    """All together; of none, nothing is known."""
    if not energies:
        return Energy(None)
    whole = energies[0]
    for energy in energies[1:]:
        whole = added(whole, energy)
    return whole


def estimated_mj(seconds: float | None, watts: float | None) -> float | None:
    """Energy at this power over this time, in mJ; None where either is unknown."""
    return None if seconds is None or watts is None else 1000 * seconds * watts
