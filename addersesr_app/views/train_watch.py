"""A run while it goes on: its curves, its numbers, its sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QCheckBox, QWidget

from addersesr_app import numbers_shown, published
from addersesr_app.views.controls import Card, Segments, column, label, row
from addersesr_app.views.train_curves import Curve, CurvePlot, Target
from addersesr_app.views.train_parts import Figure
from addersesr_app.views.train_sample import SampleView
from addersesr_app.views.train_words import energy_words
from engine.errors import AdderSESRError
from engine.network import PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.run_client import RunClient
    from addersesr_app.theme import Theme

LOWER_KINDS = ("loss", "rate", "speed")


class WatchView(QWidget):
    """Draws one run, others over it, and shows its numbers. `show_run` again shows what is new."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._run: RunClient | None = None
        self._others: tuple[RunClient, ...] = ()
        self.figures = {
            "step": Figure(self.tr("step")),
            "eta": Figure(self.tr("left")),
            "speed": Figure(self.tr("steps a second")),
            "psnr": Figure(self.tr("best PSNR")),
            "gain": Figure(self.tr("above bicubic")),
            "energy": Figure(self.tr("energy so far")),
        }
        self.psnr = CurvePlot(theme, self.tr("PSNR on validation pictures"), " dB", "{:.3f}")
        self.curves = CurvePlot(theme, self.tr("Loss"), "", "{:.4g}")
        self.kind = Segments(self.tr("Curve"), [("loss", self.tr("Loss")), ("rate", self.tr("Rate")), ("speed", self.tr("Speed"))])
        self.kind.choose("loss")
        self.log = QCheckBox(self.tr("Log"))
        self.log.setChecked(True)
        self.raw = QCheckBox(self.tr("Raw"))
        self.raw.setChecked(True)
        self.sample = SampleView(theme)
        self._no_psnr = label(self.tr("Without validation pictures there is no PSNR to draw."), "muted")
        options = row(self.kind, -1, self.raw, self.log, spacing=12)
        options_card = Card(options, self.curves, margin=10, spacing=4)
        psnr_card = Card(self._no_psnr, self.psnr, margin=10, spacing=4)
        plots = row(psnr_card, options_card, spacing=12)
        plots.setStretch(0, 1)
        plots.setStretch(1, 1)
        layout = column(row(*self.figures.values(), -1, spacing=34), plots, self.sample, spacing=12)
        layout.setStretch(1, 1)
        layout.setStretch(2, 1)
        self.setLayout(layout)
        self.kind.chosen.connect(lambda _: self._draw_lower())
        self.log.toggled.connect(lambda _: self._draw_lower())
        self.raw.toggled.connect(lambda _: self._draw_lower())

    def show_run(self, run: RunClient, others: Sequence[RunClient] = ()) -> None:
        """Show a run, or what is new of it, with ``others`` drawn over it."""
        if run is not self._run:
            self.log.setChecked(not _is_logarithmic(run))
        self._run, self._others = run, tuple(others)
        self._show_figures(run)
        self._draw_psnr(run)
        self._draw_lower()
        self.sample.show_run(run)

    def _show_figures(self, run: RunClient) -> None:
        record, best = run.record, run.record.best
        figures = self.figures
        figures["step"].show_value(f"{record.step:,} / {record.steps:,}" if record.steps else "–")
        waiting = record.eta_s is None or not run.going
        figures["eta"].show_value("–" if waiting else numbers_shown.duration(record.eta_s or 0.0))
        speed = record.speed.last
        figures["speed"].show_value(f"{speed:.2f}" if speed and run.state == "running" else "–")
        figures["psnr"].show_value(f"{best.psnr:.2f} dB" if best else "–")
        gain = best.psnr - record.bicubic_db if best and record.bicubic_db is not None else None
        figures["gain"].show_value("–" if gain is None else f"{gain:+.2f} dB")
        value, how, everything = energy_words(run)
        figures["energy"].show_value(value, everything)
        figures["energy"].show_name(self.tr("energy, {how}").format(how=how))

    def _draw_psnr(self, run: RunClient) -> None:
        curves = [_psnr_curve(other, number) for number, other in enumerate((run, *self._others))]
        several = bool(self._others)
        named = [
            Curve(c.x, c.y, c.series, points=True, name=r.name if several else "")
            for c, r in zip(curves, (run, *self._others), strict=True)
        ]
        self.psnr.show_curves([curve for curve in named if len(curve.x)], targets(run))
        self._no_psnr.setVisible(run.record.end in {"done", "stopped"} and not run.record.validations)

    def _draw_lower(self) -> None:
        if self._run is None:
            return
        kind = self.kind.value() or "loss"
        self.log.setVisible(kind == "loss")
        self.raw.setVisible(kind == "loss")
        self.curves.set_title({"loss": self.tr("Loss"), "rate": self.tr("Learning rate"), "speed": self.tr("Steps a second")}[kind])
        curves = []
        for number, run in enumerate((self._run, *self._others)):
            record = run.record
            name = run.name if self._others else ""
            if kind == "loss":
                if self.raw.isChecked():
                    curves.append(Curve(record.at.values, record.loss.values, number, 1, faint=True))
                curves.append(Curve(record.at.values, record.smooth.values, number, name=name))
            else:
                series = record.rate if kind == "rate" else record.speed
                curves.append(Curve(record.at.values, series.values, number, name=name))
        self.curves.set_log(kind == "loss" and self.log.isChecked())
        self.curves.show_curves([curve for curve in curves if len(curve.x)])


def _is_logarithmic(run: RunClient) -> bool:
    """Whether the loss is a logarithm already."""
    try:
        return run.settings.loss == "psnr"
    except (AdderSESRError, OSError):
        return False


def targets(run: RunClient) -> list[Target]:
    """Levels to reach: bicubic as measured on these pictures, and what was published, marked so.

    On a published data set that is the network's own figure; on other pictures the published gain over bicubic.
    """
    record = run.record
    lines = [] if record.bicubic_db is None else [Target(record.bicubic_db, f"bicubic {record.bicubic_db:.2f}")]
    try:
        settings = run.settings
    except (AdderSESRError, OSError):
        return lines
    preset = next((name for name, shape in PRESETS.items() if shape == (settings.m, settings.int_features)), "")
    known = published.known_set(settings.val or settings.data)
    figure = published.psnr(preset, settings.scale, known) if known else None
    gain = published.gain(preset, settings.scale)
    if figure is not None:
        lines.append(Target(figure, f"{preset.upper()} on {known}, published {figure:.2f}"))
    elif gain is not None and record.bicubic_db is not None:
        level = record.bicubic_db + gain
        lines.append(Target(level, f"{preset.upper()}: +{gain:.2f} over bicubic, as published on Set14"))
    return lines


def _psnr_curve(run: RunClient, number: int) -> Curve:
    points = run.record.validations
    return Curve(np.array([one.step for one in points], float), np.array([one.psnr for one in points], float), number, points=True)
