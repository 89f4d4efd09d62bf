"""What a back end is. Each module here implements it once; `choose.py` picks one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.network import Precision, Spec


class Backend(Protocol):
    """A network made ready to run. Not shared between threads; closing is by garbage collection."""

    name: str
    """One of ``native``, ``onnx``, ``torch``."""
    device: str
    """Where it runs, in words, such as ``cpu`` or ``cuda:0``."""
    precision: Precision

    @property
    def spec(self) -> Spec:
        """What the network is."""

    def run(self, x: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Upscale luma: (H, W) float32 in [0, 1] to (scale*H, scale*W) float32 in [0, 1]. Any H, W >= 1.

        A network of three channels takes RGB as well: (H, W, 3) to (scale*H, scale*W, 3).

        The network's zero padding is applied at the edges of what is given: tiles carry their own overlap.
        Raises BackendError.
        """
