"""Where results go: presets, metadata, an exact size; and which network a picture gets by itself."""

import numpy as np
import pytest
from PIL import Image, ImageCms
from PySide6.QtCore import Qt

from addersesr_app import settings
from addersesr_app.settings import Preset
from engine import images, weights
from tests.windows import SPECS, WAIT_MS, end_application, make_application, mild, store_photo, until


def saved(application, qtbot, path):
    """Open a picture, save what is made of it as the page says, and give the file."""
    application.open([path])
    until(qtbot, lambda: application.session.path == str(path) and application.session.state == "done")
    with qtbot.waitSignal(application.session.saved, timeout=WAIT_MS) as told:
        application.upscale_page.save()
    until(qtbot, lambda: application.session.state == "done")
    return told.args[0]


def test_a_preset_is_kept_picked_remembered_and_removed(application, qtbot, tmp_path):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    panel = application.upscale_page.inspector.output
    photo = store_photo(tmp_path / "photo.png", 60, 40)
    application.preferences.change("saving", extension=".webp", quality=70)
    application.open([photo])
    until(qtbot, lambda: application.session.state == "done")
    panel.sizing.setCurrentIndex(panel.sizing.findData("width"))
    panel.sizing.activated.emit(panel.sizing.currentIndex())
    panel.side.setValue(90)
    panel.presets.names.setEditText("for the web")
    qtbot.mouseClick(panel.presets.keep, Qt.MouseButton.LeftButton)
    kept = Preset("for the web", "width", 90, application.preferences.settings.saving, 1.0)
    assert application.preferences.settings.presets == (kept,)
    application.preferences.change("saving", extension="", quality=95)
    panel.presets.names.setEditText("")
    panel.show_picture(str(photo), 60, 40)
    assert panel.target() == (120, 80)
    panel.presets.names.setCurrentIndex(panel.presets.names.findText("for the web"))
    panel.presets.names.activated.emit(panel.presets.names.currentIndex())
    assert application.preferences.settings.saving == kept.saving
    assert panel.target() == (90, 60)
    file = saved(application, qtbot, photo)
    assert file.endswith("photo_x2.webp")
    assert images.read(tmp_path / "photo_x2.webp").pixels.shape == (60, 90, 3)
    application.preferences.save()
    assert settings.load(tmp_path / "home" / "settings.toml").presets == (kept,)
    qtbot.mouseClick(panel.presets.remove, Qt.MouseButton.LeftButton)
    assert application.preferences.settings.presets == ()
    assert panel.presets.chosen() is None


@pytest.mark.parametrize("kept", [True, False])
def test_metadata_is_kept_or_left_out_and_the_profile_stays(application, qtbot, tmp_path, kept):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "a harbour"
    Image.fromarray(np.full((30, 40, 3), 120, np.uint8)).save(tmp_path / "photo.png", exif=exif, icc_profile=profile)
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.output.metadata.setChecked(kept)
    assert application.preferences.settings.saving.metadata is kept
    with Image.open(saved(application, qtbot, tmp_path / "photo.png")) as made:
        assert (made.getexif().get(0x010E) == "a harbour") is kept
        assert made.info["icc_profile"] == profile
        assert ("xmp" in made.info or "XML:com.adobe.xmp" in made.info) is kept


@pytest.fixture
def shelf(qapp, qtbot, tmp_path, random_model):
    """A window with a network for clean pictures and one for compressed ones."""
    folder = tmp_path / "models"
    folder.mkdir()
    for identity in ("tiny-x2", "tiny-x2-photo"):
        weights.write(mild(random_model(SPECS["tiny-x2"]), identity), folder / f"{identity}.safetensors")
    (folder / "catalogue.toml").write_text('order = ["tiny-x2", "tiny-x2-photo"]', "utf-8")
    made = make_application(qapp, tmp_path / "home", folder)
    made.preferences.change("engine", at_once=False)
    made.start()
    until(qtbot, lambda: made.upscale_page.network() is not None)
    yield made
    end_application(qapp, made)


def test_a_compressed_picture_gets_its_network_and_a_person_has_the_last_word(shelf, qtbot, tmp_path):
    panel = shelf.upscale_page.inspector.network
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for number in range(3):
        Image.fromarray(noise).save(tmp_path / f"{number}.jpg", quality=50)
    shelf.open([store_photo(tmp_path / "clean.png", 60, 40)])
    until(qtbot, lambda: shelf.session.state == "open")
    assert panel.card().id == "tiny-x2"
    shelf.open([tmp_path / "0.jpg"])
    until(qtbot, lambda: panel.card().id == "tiny-x2-photo")
    assert "quality 50" in panel.reason.text()
    shelf.open([tmp_path / "clean.png"])
    until(qtbot, lambda: panel.card().id == "tiny-x2")
    shelf.open([tmp_path / "1.jpg"])
    until(qtbot, lambda: panel.card().id == "tiny-x2-photo")
    panel.models.setCurrentIndex(panel.models.findData("tiny-x2"))
    panel.models.activated.emit(panel.models.currentIndex())
    assert panel.reason.text() == ""
    shelf.open([tmp_path / "2.jpg"])
    until(qtbot, lambda: shelf.session.path.endswith("2.jpg"))
    assert panel.card().id == "tiny-x2"
