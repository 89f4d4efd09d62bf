"""What is compared with what, and how. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QRectF

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from addersesr_app.shared_picture import SharedPicture
    from engine.serve.protocol import Region

Mode = Literal["split", "side", "hold", "heat"]
Side = Literal["left", "right"]
MODES: tuple[Mode, ...] = ("split", "side", "hold", "heat")


@dataclass(frozen=True, slots=True)
class Patch:
    """Both sides of a region, made for the visible part; ``scale`` is the network's."""

    region: Region
    scale: int
    left: QImage
    right: QImage
    heat: QImage | None = None

    def rect(self) -> QRectF:
        """Where it lies, in output pixels."""
        region, scale = self.region, self.scale
        return QRectF(region.x * scale, region.y * scale, region.width * scale, region.height * scale)


@dataclass(slots=True)
class Comparison:
    """What is compared. ``before`` is the source, ``after`` the whole result; names are what the sides are called."""

    before: SharedPicture | None = None
    after: SharedPicture | None = None
    patch: Patch | None = None
    left_name: str = ""
    right_name: str = ""
    mode: Mode = "split"
    split: float = 0.5
    held: bool = False
