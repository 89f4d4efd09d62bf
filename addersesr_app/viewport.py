"""Where a picture lies in a view: zoom, centre, and the arithmetic between screen and picture. No widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace

LARGEST_ZOOM = 32.0
STEP = 1.25


@dataclass(frozen=True, slots=True)
class Viewport:
    """A picture of ``width`` × ``height`` pixels seen through ``view_width`` × ``view_height`` device pixels.

    ``zoom`` is device pixels a picture pixel; ``x`` and ``y`` are the picture's point in the middle of the view.
    """

    width: int
    height: int
    view_width: float
    view_height: float
    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0
    fitted: bool = True

    @property
    def fit_zoom(self) -> float:
        """The zoom at which the whole picture is just seen, never above 1:1 for one that is smaller than the view."""
        return min(self.view_width / self.width, self.view_height / self.height, 1.0)

    @property
    def smallest_zoom(self) -> float:
        """Further out nothing more is seen."""
        return min(self.fit_zoom, 1.0) / 2

    @property
    def origin(self) -> tuple[float, float]:
        """Where the picture's top left corner lies in the view; on whole device pixels from 1:1 on, so that pixels stay pixels."""
        left = self.view_width / 2 - self.x * self.zoom
        top = self.view_height / 2 - self.y * self.zoom
        return (float(round(left)), float(round(top))) if self.zoom >= 1 else (left, top)

    def fit(self) -> Viewport:
        """See the whole picture."""
        return replace(self, zoom=self.fit_zoom, x=self.width / 2, y=self.height / 2, fitted=True)

    def resized(self, view_width: float, view_height: float) -> Viewport:
        """The same place in a view of another size; what was fitted stays fitted."""
        changed = replace(self, view_width=max(view_width, 1.0), view_height=max(view_height, 1.0))
        return changed.fit() if self.fitted else changed._kept_inside()

    def zoomed(self, zoom: float, view_x: float | None = None, view_y: float | None = None) -> Viewport:
        """At another zoom, the picture's point under ``view_x``, ``view_y`` (by default the middle) staying where it is."""
        zoom = min(max(zoom, self.smallest_zoom), LARGEST_ZOOM)
        dx = (self.view_width / 2 if view_x is None else view_x) - self.view_width / 2
        dy = (self.view_height / 2 if view_y is None else view_y) - self.view_height / 2
        x = self.x + dx / self.zoom - dx / zoom
        y = self.y + dy / self.zoom - dy / zoom
        return replace(self, zoom=zoom, x=x, y=y, fitted=False)._kept_inside()

    def panned(self, dx: float, dy: float) -> Viewport:
        """Moved by this many device pixels, as far as the picture goes."""
        return replace(self, x=self.x - dx / self.zoom, y=self.y - dy / self.zoom, fitted=False)._kept_inside()

    def rescaled(self, width: int, height: int) -> Viewport:
        """The same place on the screen where the picture now has another number of pixels."""
        factor = width / self.width
        changed = replace(self, width=width, height=height, zoom=self.zoom / factor, x=self.x * factor, y=self.y * factor)
        return changed.fit() if self.fitted else changed._kept_inside()

    def visible(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the part of the picture that is seen, in picture pixels."""
        left, top = self.origin
        return (
            max(-left / self.zoom, 0.0),
            max(-top / self.zoom, 0.0),
            min((self.view_width - left) / self.zoom, float(self.width)),
            min((self.view_height - top) / self.zoom, float(self.height)),
        )

    def _kept_inside(self) -> Viewport:
        return replace(
            self, x=_clamped(self.x, self.width, self.view_width / self.zoom), y=_clamped(self.y, self.height, self.view_height / self.zoom)
        )


def _clamped(centre: float, length: int, seen: float) -> float:
    """A centre at which the view (``seen`` long) leaves no gap beside the picture, or the picture's middle where it must."""
    if seen >= length:
        return length / 2
    return min(max(centre, seen / 2), length - seen / 2)
