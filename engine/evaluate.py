"""A network's PSNR and SSIM over a folder of pictures, by the published protocol (see `engine.metrics`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import cv2
import numpy as np

from engine import colour, images, metrics, tiles
from engine.colour import Span
from engine.errors import DataError
from engine.formats import ENDINGS
from engine.resize import imresize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.backends import Backend
    from engine.picture import Picture

    OnLuma = Callable[[str, NDArray[np.float64], NDArray[np.float64]], None]

PAIRED = re.compile(r"^(?P<name>.+)_(?P<kind>HR|LR)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference picture, and the small one made from it; ``low`` is None where it is still to be made."""

    name: str
    high: Path
    low: Path | None


@dataclass(frozen=True, slots=True)
class Score:
    """One picture's figures: PSNR in dB and SSIM."""

    name: str
    psnr: float
    ssim: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The means over all pictures, and each picture's own."""

    model: str
    scale: int
    psnr: float
    ssim: float
    pictures: tuple[Score, ...]


def evaluate(
    backend: Backend,
    data: Path,
    model: str = "",
    on_picture: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
    on_luma: OnLuma = lambda name, made, wanted: None,
    jpeg: int | None = None,
) -> Evaluation:
    """Score ``backend`` on the pictures of ``data``: see `find_pairs` for its layouts.

    With ``jpeg``, small pictures are saved as JPEG of that quality (1 to 100) with 4:2:0 subsampling first (`through_jpeg`).
    ``on_picture(done, total)`` is called after each, ``on_luma(name, made, wanted)`` with what is compared, (H, W) in 0..255;
    ``cancelled()`` is asked before each tile. Raises DataError where there is nothing to score or a pair does not fit,
    PictureError, BackendError, Cancelled.
    """
    pairs = find_pairs(data, backend.spec.scale)
    scores = []
    for done, pair in enumerate(pairs, 1):
        scores.append(score(backend, pair, cancelled, on_luma, jpeg))
        on_picture(done, len(pairs))
    psnr, ssim = fmean(each.psnr for each in scores), fmean(each.ssim for each in scores)
    return Evaluation(model, backend.spec.scale, psnr, ssim, tuple(scores))


def score(
    backend: Backend,
    pair: Pair,
    cancelled: Callable[[], bool] = lambda: False,
    on_luma: OnLuma = lambda name, made, wanted: None,
    jpeg: int | None = None,
) -> Score:
    """One pair's figures. Raises as `evaluate`."""
    scale = backend.spec.scale
    high = images.read(pair.high)
    low = images.read(pair.low) if pair.low else _made_low(high, scale)
    reference = luma_of(high)[: low.height * scale, : low.width * scale]
    wanted = (low.height * scale, low.width * scale)
    if reference.shape != wanted or max(high.height - wanted[0], high.width - wanted[1]) >= scale:
        raise DataError(f"{pair.high}: {high.width}×{high.height} is not {scale} times {low.width}×{low.height} of {pair.low}")
    y = upscaled_luma(backend, low if jpeg is None else through_jpeg(low, jpeg), cancelled)
    levels = reference.astype(np.float64) * metrics.PEAK
    on_luma(pair.name, y, levels)
    try:
        return Score(pair.name, metrics.psnr(y, levels, scale), metrics.ssim(y, levels, scale))
    except ValueError as error:
        raise DataError(f"{pair.high}: too small to score: {error}") from error


def upscaled_luma(backend: Backend, low: Picture, cancelled: Callable[[], bool]) -> NDArray[np.float64]:
    """Luma of ``low`` upscaled, (H, W) in 0..255, as it is scored: rounded; of a network that makes RGB, from its rounded RGB."""
    if backend.spec.channels == 1 or low.grey:
        return metrics.rounded(tiles.run(backend, luma_of(low), cancelled=cancelled))
    rgb = tiles.run(backend, colour.to_unit(low.pixels, low.span), cancelled=cancelled)
    return colour.rgb_to_y(colour.from_unit(rgb, np.uint8)).astype(np.float64) * metrics.PEAK


def through_jpeg(picture: Picture, quality: int) -> Picture:
    """An 8-bit picture as it comes back from a JPEG of that quality with 4:2:0 chroma subsampling, libjpeg's own decoding."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    eight = colour.from_unit(colour.to_unit(picture.pixels, picture.span), np.uint8)
    encoded = cv2.imencode(".jpg", eight if picture.grey else eight[..., ::-1], options)[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE if picture.grey else cv2.IMREAD_COLOR_RGB)
    return replace(picture, pixels=np.ascontiguousarray(decoded).astype(np.uint8), span=Span.of(np.uint8))


def luma_of(picture: Picture) -> NDArray[np.float32]:
    """Luma as it is scored: unrounded Y of colour, a grey picture as it stands, (H, W) in [0, 1]."""
    return colour.split(picture.pixels, picture.span)[0]


def find_pairs(data: Path, scale: int) -> tuple[Pair, ...]:
    """The pictures to score in ``data``, by name.

    Either ``NAME_HR``/``NAME_LR`` pairs, or DIV2K's layout (a folder ``*_HR`` and one ``*_LR_bicubic/X2``), or pictures alone, from
    which small ones are made. Raises DataError where there are none, or an LR is missing.
    """
    if not data.is_dir():
        raise DataError(f"{data}: not a folder of pictures")
    folders = sorted(path for path in data.iterdir() if path.is_dir() and path.name.endswith("_HR"))
    if folders:
        return tuple(pair for folder in folders for pair in _div2k_pairs(folder, scale))
    files = _pictures(data)
    if not files:
        raise DataError(f"{data}: has no pictures (and no folder named *_HR) to score")
    named = [(match, path) for path in files if (match := PAIRED.match(path.stem))]
    if not named:
        return tuple(Pair(path.stem, path, None) for path in files)
    return tuple(_named_pairs(data, named))


def _named_pairs(data: Path, named: Iterable[tuple[re.Match[str], Path]]) -> list[Pair]:
    sides: dict[str, dict[str, Path]] = {"HR": {}, "LR": {}}
    for match, path in named:
        sides[match["kind"].upper()][match["name"]] = path
    if not sides["LR"]:
        return [Pair(name, high, None) for name, high in sides["HR"].items()]
    if odd := sorted(sides["HR"].keys() ^ sides["LR"].keys()):
        raise DataError(f"{data}: {', '.join(odd)} is there only as HR or only as LR")
    return [Pair(name, high, sides["LR"][name]) for name, high in sides["HR"].items()]


def _div2k_pairs(folder: Path, scale: int) -> list[Pair]:
    """DIV2K: ``DIV2K_valid_HR/0801.png`` beside ``DIV2K_valid_LR_bicubic/X2/0801x2.png``; made where that is not there."""
    small = folder.with_name(folder.name.removesuffix("_HR") + "_LR_bicubic") / f"X{scale}"
    pairs = []
    for high in _pictures(folder):
        low = small / f"{high.stem}x{scale}{high.suffix}"
        if small.is_dir() and not low.is_file():
            raise DataError(f"{low}: missing beside {high}")
        pairs.append(Pair(high.stem, high, low if small.is_dir() else None))
    if not pairs:
        raise DataError(f"{folder}: has no pictures to score")
    return pairs


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in ENDINGS and not path.name.startswith("."))


def _made_low(high: Picture, scale: int) -> Picture:
    """The small picture that MATLAB's imresize makes, after cutting off what ``scale`` does not divide."""
    height, width = high.height // scale, high.width // scale
    if min(height, width) < 1:
        raise DataError(f"a picture of {high.width}×{high.height} is too small to score at ×{scale}")
    return high.with_pixels(imresize(high.pixels[: height * scale, : width * scale], height, width), None)
