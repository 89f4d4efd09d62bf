"""A result made again exactly: the record in its XMP says which network with which settings (see `engine.provenance`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from engine import images, provenance, strength
from engine.errors import ModelError, PictureError, UsageError
from engine.rows import chunks
from engine.selection import Selection, Target

if TYPE_CHECKING:
    from pathlib import Path

    from engine.catalogue import Catalogue
    from engine.foreign import AnyModel
    from engine.jobs import Settings
    from engine.provenance import Provenance
    from engine.rows import Strip


def prepared(settings: Settings, catalogue: Catalogue) -> tuple[Settings, Selection]:
    """What makes the result ``settings.redo`` again: its settings and its network. ``settings`` says only where to store it.

    Raises PictureError for a file without a record, ModelError where the network is missing or another one.
    """
    assert settings.redo is not None
    made = _record(settings.redo)
    model = _model(made, settings, catalogue)
    target = Target(width=made.width, height=made.height)
    again = replace(
        settings,
        model=model.id,
        strength=made.strength,
        target=target,
        backend=made.backend,
        device=made.device or "auto",
        precision=made.precision,
        tile=made.tile or None,
        quality=made.quality or None,
        extension=settings.extension or settings.redo.suffix.lower(),
    )
    return again, Selection((), model, target)


def check_inputs(inputs: tuple[Path, ...], result: Path) -> None:
    """Raise UsageError unless ``inputs`` can be what ``result`` was made from: one file."""
    if len(inputs) != 1 or inputs[0].is_dir():
        raise UsageError(f"--redo {result}: give the one picture that it was made from")


def verdict(result: Path, source: Path, again: Path) -> str:
    """Whether ``again``, made from ``source``, is ``result`` to the last bit, and if not, what may be why. Raises PictureError."""
    if again.samefile(result):
        return f"{result} was replaced: whether this is the same cannot be told any more"
    differs = _difference(result, again)
    if differs is None:
        return f"pixel for pixel the same as {result}"
    made, running = _record(result), provenance.running_version()
    reasons = [differs]
    if made.source and made.source != provenance.digest_of(source):
        reasons.append("this is not the file that it was made from, or it was changed since")
    if made.version != running:
        reasons.append(f"it was made by version {made.version}, this is {running}")
    return f"not the same as {result}: {'; '.join(reasons)}"


def _record(result: Path) -> Provenance:
    with images.reading(result) as source:
        made = provenance.recorded(source.metadata)
    if made is None:
        raise PictureError(f"{result}: does not say how it was made (it has no record of AdderSESR's in its XMP)")
    return made


def _difference(result: Path, again: Path) -> str | None:
    """How two files' pixels differ, in words; None where they do not."""
    with images.reading(result, trusted=True) as first, images.reading(again, trusted=True) as second:
        if first.layout != second.layout:
            return "its size or kind is another one"
        rows = chunks(0, first.layout.total_rows, first.layout.width)
        greatest = max(_apart(first.rows(top, bottom), second.rows(top, bottom)) for top, bottom in rows)
    return None if greatest == 0 else f"samples differ by up to {greatest:g}"


def _apart(one: Strip, other: Strip) -> float:
    planes = [(one.pixels, other.pixels)]
    if one.alpha is not None and other.alpha is not None:
        planes.append((one.alpha, other.alpha))
    return max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in planes)


def _model(made: Provenance, settings: Settings, catalogue: Catalogue) -> AnyModel:
    """The very network of the record, whatever it is called here now. Raises ModelError."""
    if settings.model is not None:
        return _checked(strength.at(catalogue.find(settings.model), made.strength, catalogue.models), made, settings.redo)
    models = strength.all_at(catalogue.models(), made.strength)
    same_name = [model for model in models if model.id == made.model]
    for model in (*same_name, *models):
        if model.digest == made.digest:
            return model
    if same_name:
        return _checked(same_name[0], made, settings.redo)
    raise ModelError(
        f"{settings.redo}: was made with {made.model} (SHA-256 {made.digest[:16]}…), which is not here; name its file with --model"
    )


def _checked(model: AnyModel, made: Provenance, result: Path | None) -> AnyModel:
    if model.digest != made.digest:
        digests = f"SHA-256 {made.digest[:16]}…, here {model.digest[:16]}…"
        raise ModelError(f"{result}: was made with another {made.model} than {model.id} is that was found ({digests})")
    return model
