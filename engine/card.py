"""A model's card, measured: ``python -m engine.card MODEL.safetensors… --data DIR`` writes each file's figures anew.

DIR holds the benchmarks as ``Set5/x2/NNN_HR.png`` and ``…_LR.png``. What the card says is what ``addersesr eval`` prints. With
``--int8 TRAINED.safetensors`` the model takes over the int8 form of another file, which quantisation-aware training left; with ``--plain
PLAIN.safetensors`` the card of a network for compressed pictures says how it and that network do on Set14 through JPEG, and that it was
fine-tuned from it: it can then be used at any strength between the two (`engine.strength`).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import weights
from engine.backends import choose
from engine.backends.bicubic import Bicubic
from engine.errors import AdderSESRError, ModelError
from engine.evaluate import evaluate
from engine.figures import SETS
from engine.integer import parse
from engine.strength import with_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.backends import Backend
    from engine.network import Precision
    from engine.weights import Model

JPEG_SET, JPEG_QUALITIES = "Set14", (30, 50, 70, 90)
THIS: dict[str, Precision] = {"this": "fp32", "int8": "int8"}
"""How the figures of a model's own precisions are called there."""
PSNR_DIGITS = 3
SSIM_DIGITS = 4


def with_int8(model: Model, trained: Model) -> Model:
    """``model`` with the int8 form of ``trained``, a network of the same shape. Raises ModelError for any other."""
    ours, theirs = (replace(each.spec, activation="relu") for each in (model, trained))
    if ours != theirs or not trained.int8:
        raise ModelError(f"{trained.id}: has no int8 form of {model.id}'s network")
    parse(model.spec, trained.int8, trained.id)
    return replace(model, int8=trained.int8)


def measured(model: Model, data: Path, backend: str = "auto") -> Model:
    """The same model with the figures of all its precisions on its card. Raises as `engine.evaluate.evaluate`."""
    figures = {precision: _figures(model, precision, data, backend) for precision in model.precisions}
    about = {**figures["fp32"], "command": f"addersesr eval --model {model.id} --data SET/x{model.spec.scale}"}
    if "int8" in figures:
        lost = max(figures["fp32"]["psnr"][name] - figures["int8"]["psnr"][name] for name in SETS)
        about["int8"] = {**model.about.get("int8", {}), **figures["int8"], "cost_db": round(lost, PSNR_DIGITS)}
    return model.with_about(**about)


def through_jpeg(model: Model, plain: Model, data: Path, backend: str = "auto") -> Model:
    """``model`` with the PSNR in dB of itself, ``plain`` and bicubic, by the quality of the JPEG that the small pictures went through.

    An int8 form, already on the card by `measured`, costs at least what it loses there.
    """
    scale = model.spec.scale
    runners: dict[str, Backend] = {"bicubic": Bicubic(scale), plain.id: choose.create(plain, backend, precision="fp32")}
    mine = {name: form for name, form in THIS.items() if form in model.precisions}
    runners |= {name: choose.create(model, backend, precision=form) for name, form in mine.items()}
    folder = data / JPEG_SET / f"x{scale}"
    found = {
        str(quality): {name: round(evaluate(runner, folder, jpeg=quality).psnr, PSNR_DIGITS) for name, runner in runners.items()}
        for quality in JPEG_QUALITIES
    }
    about: dict[str, Any] = {"jpeg": {"set": JPEG_SET, "plain": plain.id, "psnr": found}}
    if "int8" in runners:
        card = model.about["int8"]
        lost = max(psnr["this"] - psnr["int8"] for psnr in found.values())
        about["int8"] = {**card, "cost_db": round(max(card["cost_db"], lost), PSNR_DIGITS)}
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
    parser.add_argument("--int8", type=Path, metavar="TRAINED.safetensors", help="where the model's int8 form comes from")
    parser.add_argument(
        "--plain",
        type=Path,
        metavar="PLAIN.safetensors",
        help="the network that it was fine-tuned from: compared on pictures through JPEG, and mixed with",
    )
    options = parser.parse_args(arguments)
    for path in options.models:
        try:
            model = weights.read(path)
            if options.int8:
                model = with_int8(model, weights.read(options.int8))
            model = measured(model, options.data, options.backend)
            if options.plain:
                plain = weights.read(options.plain)
                model = with_plain(through_jpeg(model, plain, options.data, options.backend), plain)
            weights.write(model, path)
        except AdderSESRError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        sys.stdout.write(f"{model.id}: {model.about['psnr']} {model.about.get('int8', '')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
