"""Pictures with a colour profile look as they are meant, and are saved as they were."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QColor, QColorSpace, QImage

from engine.serve.screen_colours import to_srgb
from tests.windows import WAIT_MS, pixels_of

WIDE = bytes(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3).iccProfile().data())
COLOURS = [(200, 60, 40), (40, 180, 90), (250, 250, 250), (12, 14, 90), (128, 128, 128), (255, 200, 0)]


def by_qt(colour):
    """What Qt makes of a colour in Display P3."""
    image = QImage(1, 1, QImage.Format.Format_RGB32)
    image.fill(QColor(*colour))
    image.setColorSpace(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3))
    image.convertToColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
    return np.array(image.pixelColor(0, 0).getRgb()[:3])


@pytest.mark.parametrize("colour", COLOURS)
def test_a_wide_profile_is_brought_to_srgb(colour):
    pixels = np.full((8, 9, 3), colour, np.uint8)
    shown = to_srgb(pixels, WIDE)
    assert shown.shape == pixels.shape
    assert np.abs(shown.astype(int) - by_qt(colour)).max() <= 2


def test_without_a_profile_with_srgbs_or_with_rubbish_nothing_changes(caplog):
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    plain = bytes(QColorSpace(QColorSpace.NamedColorSpace.SRgb).iccProfile().data())
    for icc in (None, plain, b"rubbish", WIDE[:200]):
        np.testing.assert_array_equal(to_srgb(pixels, icc), pixels)


def test_the_window_shows_the_colours_that_are_meant(application, qtbot, tmp_path):
    Image.fromarray(np.full((40, 60, 3), (200, 60, 40), np.uint8)).save(tmp_path / "wide.png", icc_profile=WIDE)
    qtbot.waitUntil(lambda: application.upscale_page.network() is not None, timeout=WAIT_MS)
    application.open([tmp_path / "wide.png"])
    qtbot.waitUntil(lambda: application.session.state == "done", timeout=WAIT_MS)
    meant = by_qt((200, 60, 40))
    before = pixels_of(application.session.before.levels[0].copy())
    after = pixels_of(application.session.after.levels[0].copy())
    assert np.abs(before.astype(int) - meant).max() <= 2
    assert np.abs(np.median(after.reshape(-1, 3), axis=0) - meant).max() <= 25
    with qtbot.waitSignal(application.session.saved, timeout=WAIT_MS) as told:
        application.upscale_page.save()
    with Image.open(told.args[0]) as written:
        assert written.info["icc_profile"] == WIDE
