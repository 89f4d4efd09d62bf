"""The table of what ships and how good it is, from the models' own cards: ``python -m engine.figures README.md`` writes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import resources
from engine.catalogue import Catalogue
from engine.cost import cost
from engine.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.catalogue import Entry
    from engine.foreign import AnyModel

BEGIN = "<!-- models: begin (make table) -->\n"
END = "<!-- models: end -->"
SETS = ("Set5", "Set14")
WIDTH, HEIGHT = 640, 360


def markdown(entries: Sequence[Entry]) -> str:
    """The table in Markdown: one line a model and precision, PSNR and SSIM as on its card, cost for 640x360 pixels."""
    header = ("model", "precision", "parameters", "MACs", "arithmetic energy", *(f"{name}, dB / SSIM" for name in SETS))
    lines = [_line(header), _line(["---"] * len(header))]
    for entry in entries:
        lines += [_line(_cells(entry, precision)) for precision in entry.model.precisions]
    return "".join(lines) + _through_jpeg([entry.model for entry in entries if "jpeg" in entry.model.about])


def _through_jpeg(models: list[AnyModel]) -> str:
    """How networks for compressed pictures do on pictures through JPEG, as their cards say: those from one plain network in one table."""
    tables: dict[tuple[str, ...], dict[str, str]] = {}
    for model in models:
        about = model.about["jpeg"]
        rows = tables.setdefault((f"{about['set']} through 4:2:0 JPEG of quality", *about["psnr"]), {})
        for name, title in (("bicubic", "bicubic"), (about["plain"], f"`{about['plain']}`"), ("this", f"`{model.id}`")):
            rows[title] = _line((title, *(f"{figures[name]:.2f}" for figures in about["psnr"].values())))
    return "".join("\n" + _line(head) + _line(["---"] * len(head)) + "".join(rows.values()) for head, rows in tables.items())


def with_table(text: str, table: str) -> str:
    """``text`` with what stands between the two markers replaced by ``table``. Raises ValueError where there are none."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the text must have the lines {BEGIN.strip()!r} and {END!r} once each")
    before, rest = text.split(BEGIN)
    return before + BEGIN + table + END + rest.split(END)[1]


def _cells(entry: Entry, precision: str) -> list[str]:
    spec = entry.model.spec
    assert isinstance(spec, NetworkSpec), "what ships is ours"
    costs = cost(spec, WIDTH, HEIGHT, "int8" if precision == "int8" else "fp32")
    figures = [_figure(entry, name, precision) for name in SETS]
    return [f"`{entry.model.id}`", precision, f"{spec.parameters:,}", f"{costs.macs / 1e9:.3f} G", f"{costs.energy_mj:.3g} mJ", *figures]


def _figure(entry: Entry, name: str, precision: str) -> str:
    psnr, ssim = entry.figures(precision)
    return f"{psnr[name]:.2f} / {ssim[name]:.4f}" if name in psnr and name in ssim else "–"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def main(arguments: Sequence[str]) -> None:
    """Rewrite the table in each file named."""
    table = markdown(Catalogue([resources.MODELS]).entries())
    for path in map(Path, arguments):
        path.write_text(with_table(path.read_text("utf-8"), table), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
