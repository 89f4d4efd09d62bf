"""What upscaling this picture costs: operations, energy and time of the chosen network beside two known ones.

Energy is shown in its three kinds, each with its own label (see `addersesr_app.energies`); the table's is arithmetic alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from addersesr_app import energies, numbers_shown
from addersesr_app.views.controls import IconButton, column, label, row, rule
from engine import cost

if TYPE_CHECKING:
    from addersesr_app.theme import Theme
    from engine.cost import Accounting, Cost
    from engine.events import Energy
    from engine.network import Precision, Spec

COLUMNS = ("this", "fsrcnn", "vdsr")
ROWS = ("macs", "multiplies", "additions", "energy", "time")


class EnergyPanel(QWidget):
    """Shows `engine.cost` for one network and one picture; times are this machine's, predicted or taken.

    ``sources_wanted`` tells that a person wants to see where the numbers come from.
    """

    sources_wanted = Signal()

    def __init__(self, theme: Theme, accounting: Accounting = "published") -> None:
        super().__init__()
        self._accounting: Accounting = accounting
        self.sources = IconButton(theme, "info", self.tr("All networks, constants and sources (E)"))
        self.sources.clicked.connect(self.sources_wanted)
        self.sources.setFixedSize(24, 24)
        self.kinds = {kind: label("–") for kind in ("estimated_mj", "measured_mj")}
        self.cells: dict[tuple[str, str], QLabel] = {}
        self._spec: Spec | None = None
        self._precision: Precision = "fp32"
        self._size: tuple[int, int] | None = None
        self._title = label(self.tr("COST OF THIS PICTURE"), "section")
        self._headline, self._headline_unit = label("–", "number"), label("", "small")
        self._time, self._time_note = label("–", "number"), label("", "small")
        self._saving = label("", "small", wrap=True)
        self._heads = {name: label(text, "section") for name, text in zip(COLUMNS, (self.tr("Chosen"), "FSRCNN", "VDSR"), strict=True)}
        self.setLayout(
            column(
                row(self._title, -1, self.sources),
                row(
                    column(self._headline, self._headline_unit, spacing=0),
                    -1,
                    column(self._time, self._time_note, spacing=0),
                    -1,
                    spacing=16,
                ),
                self._kinds_grid(),
                rule(),
                self._grid(),
                self._saving,
                spacing=7,
            )
        )
        self._headline_unit.setText(self.tr("arithmetic, 45 nm"))
        self._headline_unit.setToolTip(
            self.tr(
                "What the network's additions and multiplications alone would take in 45 nm silicon "
                "(Horowitz, ISSCC 2014). A computer draws orders of magnitude more."
            )
        )

    def show_network(self, name: str, spec: Spec, precision: Precision) -> None:
        """Count for another network."""
        self._spec, self._precision = spec, precision
        self._heads["this"].setToolTip(name)
        self._update()

    def show_energy(self, energy: Energy, problem: str, *, so_far: bool = False) -> None:
        """Show the two kinds that are this machine's; ``problem`` says why there is none. ``so_far``: the work goes on."""
        for kind, cell in self.kinds.items():
            value = getattr(energy, kind)
            text = "–" if value is None else numbers_shown.energy(value)
            cell.setText(self.tr("{energy} so far").format(energy=text) if so_far and value is not None else text)
            cell.setToolTip(problem if value is None else "")

    def count(self, accounting: Accounting) -> None:
        """Count operations otherwise."""
        self._accounting = accounting
        self._update()

    def show_kind(self, *, film: bool) -> None:
        """Say whether the costs are for a picture or for a frame of a film."""
        self._title.setText(self.tr("COST OF EACH FRAME") if film else self.tr("COST OF THIS PICTURE"))

    def show_size(self, width: int, height: int) -> None:
        """Count for a picture of this many input pixels."""
        self._size = (width, height)
        self._update()

    def show_time(self, seconds: float | None, *, taken: bool) -> None:
        """Show the time that the network takes here: taken, or predicted, or unknown."""
        text = "–" if seconds is None else numbers_shown.duration(seconds)
        self._time.setText(text)
        self._time_note.setText(self.tr("taken") if taken else self.tr("predicted on this machine"))
        for name in COLUMNS:
            self.cells["time", name].setText(self._time_of(name, seconds))

    def _kinds_grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        for line, (kind, cell) in enumerate(self.kinds.items()):
            cell.setObjectName(kind)
            grid.addWidget(label(self.tr("Energy, {label}").format(label=energies.labels()[kind]), "muted"), line, 0)
            grid.addWidget(cell, line, 1, Qt.AlignmentFlag.AlignRight)
        return grid

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(0, 1)
        names = {
            "macs": self.tr("MACs"),
            "multiplies": self.tr("Multiplies"),
            "additions": self.tr("Additions"),
            "energy": self.tr("Energy"),
            "time": self.tr("Time"),
        }
        for index, name in enumerate(COLUMNS, 1):
            grid.addWidget(self._heads[name], 0, index, Qt.AlignmentFlag.AlignRight)
        for line, (key, text) in enumerate(names.items(), 1):
            grid.addWidget(label(text, "muted"), line, 0)
            for index, name in enumerate(COLUMNS, 1):
                cell = label("–", "" if name == "this" else "muted")
                cell.setObjectName(f"{key}.{name}")
                self.cells[key, name] = cell
                grid.addWidget(cell, line, index, Qt.AlignmentFlag.AlignRight)
        self.cells["energy", "this"].setProperty("role", "accent")
        return grid

    def _costs(self) -> dict[str, Cost | None]:
        """What the three take; None where somebody else's network does not tell."""
        assert self._spec is not None
        assert self._size is not None
        scale, (width, height) = self._spec.scale, self._size
        return {
            "this": cost.known_cost(self._spec, width, height, self._precision, self._accounting),
            "fsrcnn": cost.fsrcnn(scale, width, height, self._accounting),
            "vdsr": cost.vdsr(scale, width, height, self._accounting),
        }

    def _update(self) -> None:
        if self._spec is None or self._size is None:
            return
        costs = self._costs()
        unknown = self.tr("unknown")
        for name, one in costs.items():
            self.cells["macs", name].setText(numbers_shown.count(one.macs) if one else unknown)
            self.cells["multiplies", name].setText(numbers_shown.count(one.multiplies) if one else unknown)
            self.cells["additions", name].setText(numbers_shown.count(one.additions) if one else unknown)
            self.cells["energy", name].setText(numbers_shown.energy(one.energy_mj) if one else unknown)
        this = costs["this"]
        self._headline.setText(numbers_shown.energy(this.energy_mj) if this else unknown)
        if this is None or this.energy_pj == 0:
            self._saving.setText(self.tr("Somebody else's network: its graph does not tell what it takes."))
            return
        fewer = {name: numbers_shown.times(one.energy_pj / this.energy_pj) for name in ("fsrcnn", "vdsr") if (one := costs[name])}
        how = self.tr("counted as published") if self._accounting == "published" else self.tr("every operation counted")
        text = self.tr("FSRCNN takes {fsrcnn} this energy, VDSR {vdsr}; {how}.")
        self._saving.setText(text.format(fsrcnn=fewer["fsrcnn"], vdsr=fewer["vdsr"], how=how))

    def _time_of(self, name: str, seconds: float | None) -> str:
        """This network's time; the others', which do not run here, at the same multiply-accumulates a second."""
        if seconds is None or self._spec is None or self._size is None:
            return "–"
        costs = self._costs()
        if name == "this":
            return numbers_shown.short_duration(seconds)
        this, other = costs["this"], costs[name]
        if this is None or other is None or this.macs == 0:
            return "–"
        return "≈ " + numbers_shown.short_duration(seconds * other.macs / this.macs)
