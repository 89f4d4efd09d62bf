"""A model's card, measured: ``python -m engine.card MODEL.safetensors… --data DIR`` writes each file's figures anew.

DIR holds the benchmarks as ``Set5/x2/NNN_HR.png`` and ``…_LR.png``. What the card says is what ``addersesr eval`` prints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import weights
from engine.backends import choose
from engine.errors import AdderSESRError
from engine.evaluate import evaluate
from engine.figures import SETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.network import Precision
    from engine.weights import Model

PSNR_DIGITS = 3
SSIM_DIGITS = 4


def measured(model: Model, data: Path, backend: str = "auto") -> Model:
    """The same model with the figures of all its precisions on its card. Raises as `engine.evaluate.evaluate`."""
    figures = {precision: _figures(model, precision, data, backend) for precision in model.precisions}
    about = {**figures["fp32"], "command": f"addersesr eval --model {model.id} --data SET/x{model.spec.scale}"}
    if "int8" in figures:
        lost = max(figures["fp32"]["psnr"][name] - figures["int8"]["psnr"][name] for name in SETS)
        about["int8"] = {**model.about.get("int8", {}), **figures["int8"], "cost_db": round(lost, PSNR_DIGITS)}
    return model.with_about(**about)


def _figures(model: Model, precision: Precision, data: Path, backend: str) -> dict[str, Any]:
    """``psnr`` in dB and ``ssim`` by test set."""
    runner = choose.create(model, backend=backend, precision=precision)
    scores = {name: evaluate(runner, data / name / f"x{model.spec.scale}", model.id) for name in SETS}
    return {
        "psnr": {name: round(score.psnr, PSNR_DIGITS) for name, score in scores.items()},
        "ssim": {name: round(score.ssim, SSIM_DIGITS) for name, score in scores.items()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and rewrite each file; 1 where one cannot be."""
    parser = argparse.ArgumentParser(prog="python -m engine.card", description="Measure models and write the figures on their cards.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.safetensors")
    parser.add_argument("--data", required=True, type=Path, help="folder with Set5 and Set14")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args(arguments)
    for path in options.models:
        try:
            model = measured(weights.read(path), options.data, options.backend)
            weights.write(model, path)
        except AdderSESRError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        sys.stdout.write(f"{model.id}: {model.about['psnr']} {model.about.get('int8', '')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
