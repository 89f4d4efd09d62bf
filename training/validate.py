"""Scoring the averaged weights on whole pictures while a network trains, and showing its work on one of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from engine.colour import join, split
from engine.images import read, write
from engine.metrics import PEAK, psnr, rounded, ssim
from engine.picture import Picture
from engine.resize import imresize
from training.data import Pair, as_unit, cropped, make_pair
from training.network import Network, recompute_statistics
from training.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from training.folder import RunFolder
    from training.settings import Settings

    Upscale = Callable[[NDArray[np.float32]], NDArray[np.float32]]

AnyNetwork = TypeVar("AnyNetwork", bound=Network)

SAMPLE_SIDE = 128
"""Side of the sample crop in low-resolution pixels."""


@dataclass(frozen=True, slots=True)
class Score:
    """Means over pictures, by the published protocol: PSNR in dB, SSIM."""

    psnr: float
    ssim: float


def averaged(network: AnyNetwork, average: Mapping[str, Tensor], batches: Iterable[Tensor] = ()) -> AnyNetwork:
    """A copy of ``network`` with the averaged weights, ready to run; an adder network's statistics recomputed over ``batches``."""
    twin = copy.deepcopy(network)
    twin.load_state_dict(dict(average))
    twin.eval()
    if batches := list(batches):
        recompute_statistics(twin, batches)
    return twin


def runner(network: Network) -> Upscale:
    """A network as a function of luma (H, W) in [0, 1] to (scale*H, scale*W), clipped."""
    device = next(network.parameters()).device

    @torch.no_grad()
    def upscale(y_hw: NDArray[np.float32]) -> NDArray[np.float32]:
        y_nchw = torch.from_numpy(np.ascontiguousarray(y_hw))[None, None].to(device)
        upscaled: NDArray[np.float32] = network(y_nchw)[0, 0].clamp(0, 1).float().cpu().numpy()
        return upscaled

    return upscale


def bicubic_upscale(scale: int) -> Upscale:
    """The bicubic enlargement that every network is compared with."""
    return lambda y_hw: imresize(y_hw, y_hw.shape[0] * scale, y_hw.shape[1] * scale)


def score(upscale: Upscale, pairs: Sequence[Pair], scale: int) -> Score:
    """The mean PSNR and SSIM of ``upscale`` over whole pictures, a border of ``scale`` pixels cropped."""
    results = []
    for pair in pairs:
        made, wanted = rounded(upscale(as_unit(pair.lr))), as_unit(pair.hr).astype(np.float64) * PEAK
        results.append((min(psnr(made, wanted, scale), 100.0), ssim(made, wanted, scale)))
    means = np.mean(results, axis=0)
    return Score(float(means[0]), float(means[1]))


def centre(pair: Pair, scale: int, side: int = SAMPLE_SIDE) -> Pair:
    """The middle of a pair, at most ``side`` low-resolution pixels wide and high."""
    height, width = pair.lr.shape
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    low = pair.lr[top : top + side, left : left + side]
    high = pair.hr[top * scale : (top + low.shape[0]) * scale, left * scale : (left + low.shape[1]) * scale]
    return Pair(pair.name, low, high)


class Samples:
    """Pictures of the network's work in the run's folder: the crop as it should be, enlarged bicubically, and by each network.

    A crop that a person chose is shown in its colours: the network's luma with chroma enlarged bicubically, as pictures are upscaled.
    """

    def __init__(self, folder: RunFolder, settings: Settings, validation: Sequence[Pair]) -> None:
        self._folder, self._scale = folder, settings.scale
        self._pair: Pair | None = None
        self._chroma: NDArray[np.float32] | None = None
        full = None
        if settings.sample:
            path = Path(settings.sample)
            self._pair = centre(Pair(path.name, *make_pair(Source(path.stem, path), self._scale)), self._scale)
            full = _chroma(path, self._scale)
        elif validation:
            self._pair = centre(validation[0], self._scale)
        if full is not None and self._pair is not None:
            low = [imresize(plane, *self._pair.lr.shape) for plane in full]
            self._chroma = np.stack([imresize(plane, *self._pair.hr.shape) for plane in low])
        if self._pair is not None and not folder.sample("original").exists():
            store(as_unit(self._pair.hr), full, folder.sample("original"))
            store(bicubic_upscale(self._scale)(as_unit(self._pair.lr)), self._chroma, folder.sample("bicubic"))

    def store(self, upscale: Upscale, step: int) -> str:
        """The crop enlarged by the network of ``step``; the file's name inside the run's folder."""
        assert self._pair is not None
        file = self._folder.sample(f"step-{step:08d}")
        store(upscale(as_unit(self._pair.lr)), self._chroma, file)
        return self._folder.relative(file)


def _chroma(path: Path, scale: int) -> NDArray[np.float32] | None:
    """Chroma (2, H, W) of the part of a picture that `centre` takes, None of a grey one."""
    chroma = split(cropped(read(path).pixels, scale))[1]
    if chroma is None:
        return None
    planes = [centre(Pair("", plane[::scale, ::scale], plane), scale).hr for plane in chroma]
    return np.stack(planes)


def store(y_hw: NDArray[np.float32], chroma: NDArray[np.float32] | None, path: Path) -> None:
    """Write luma in [0, 1] and its chroma (2, H, W), where there is one, as a picture of 8 bits."""
    luma = (rounded(y_hw) / PEAK).astype(np.float32)
    write(Picture(join(luma, chroma, np.uint8)), path, overwrite=True)
