"""What the screen shows of a file, be it a picture or a film; FFmpeg is loaded for films alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kinds import kind_of
from engine.serve import preview
from engine.serve.protocol import FilmFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.picture import Picture
    from engine.serve.protocol import Region
    from engine.upscaler import Upscaler

FILM = "video"
"""The format of a picture that is a film's frame (see `engine.serve.video_stills`)."""


def upscale_region(upscaler: Upscaler, picture: Picture, region: Region, cancelled: Callable[[], bool]) -> Picture:
    """What the whole result, picture or film, shows of ``region`` (input pixels). Raises Cancelled."""
    if picture.format != FILM:
        return preview.upscale_region(upscaler, picture, region, cancelled)
    from engine.serve import video_stills  # noqa: PLC0415

    if not isinstance(picture, video_stills.FilmStill):  # a frame that was made smaller first
        return preview.upscale_region(upscaler, picture, region, cancelled)
    return video_stills.upscale_region(upscaler, picture, region, cancelled)


def film_facts(picture: Picture) -> FilmFacts | None:
    """What the window needs to know of the film that a frame is from; None for a picture."""
    if picture.format != FILM:
        return None
    from engine.serve.video_stills import FilmStill  # noqa: PLC0415

    assert isinstance(picture, FilmStill)
    assert picture.info is not None
    return FilmFacts(picture.at_s, float(picture.info.rate), picture.info.seconds, picture.info.interlaced, picture.deinterlaced)


def interlaced(path: Path) -> bool:
    """Whether a job would take a film's fields apart. Raises VideoError."""
    from engine.video_fields import scan  # noqa: PLC0415
    from engine.video_source import examine  # noqa: PLC0415

    return bool(scan(examine(path)).filters)


def thumbnail(path: Path, side: int) -> tuple[Picture, int, int]:
    """A picture, or a frame of a film, with its longer side ``side`` at most; and its own size. Raises PictureError, VideoError."""
    if not path.is_file() or kind_of(path) != "video":
        return preview.thumbnail(path, side)
    from engine.serve import video_stills  # noqa: PLC0415

    still = video_stills.thumbnail(path)
    factor = -(-max(still.width, still.height) // side)
    return preview.reduced(still, factor), still.width, still.height
