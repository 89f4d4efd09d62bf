"""What the window is told of models and back ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.network import ForeignSpec, NetworkSpec
from engine.serve.protocol import BackendCard, ModelCard
from engine.serve.protocol_records import JpegFigure

if TYPE_CHECKING:
    from engine.backends.choose import BackendInfo
    from engine.catalogue import Entry

PSNR_ORDER = ("Set5", "Set14", "B100", "Urban100", "Manga109", "DIV2K")


def model_card(entry: Entry, plain: str = "") -> ModelCard:
    """What the window is told of a model; ``plain`` is the id of its twin, if that is here."""
    model, spec = entry.model, entry.model.spec
    own = spec if isinstance(spec, NetworkSpec) else None
    return ModelCard(
        model.id,
        entry.title,
        str(entry.file),
        spec.scale,
        own.m if own else 0,
        own.f if own else 0,
        own.block if own else "other",
        own.activation if own else "relu",
        model.precisions,
        spec.parameters,
        _ordered(entry.psnr),
        str(model.about.get("licence", "unknown")),
        str(model.about.get("summary", "")),
        spec if isinstance(spec, ForeignSpec) else None,
        str(model.about.get("training", "")),
        plain,
        _ordered(entry.figures("int8")[0]),
        *_through_jpeg(model.about.get("jpeg")),
    )


def _through_jpeg(about: Any) -> tuple[tuple[JpegFigure, ...], str]:
    """The figures that `engine.card` wrote, and the data set they are for; none where the card has none, or other ones."""
    try:
        figures = (
            (int(quality), float(of["this"]), float(of[about["plain"]]), float(of["bicubic"])) for quality, of in about["psnr"].items()
        )
        return tuple(JpegFigure(*figure) for figure in figures), str(about["set"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return (), ""


def _ordered(psnr: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(psnr.items(), key=lambda figure: (*PSNR_ORDER, figure[0]).index(figure[0])))


def backend_card(info: BackendInfo) -> BackendCard:
    """What the window is told of a back end."""
    return BackendCard(info.name, info.problem is None, info.version or "", info.devices, info.problem or "", info.note)
