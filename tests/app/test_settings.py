import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addersesr_app.settings import Engine, Look, Preset, Saving, Settings, load, save

OTHER = Settings(
    Look("dark", "heat", "sesr-m11-x2", "exact"),
    Engine("sesr-m5-x2", "onnx", "cpu", "int8", 3, False, False, 61.5),
    Saving("/tmp/a b", "{stem}-ü", ".png", 80, "skip", False),
    (Preset("for the web", "width", 1600, Saving(extension=".webp", quality=80)), Preset("archive ü", saving=Saving("/tmp/archive"))),
)


def test_what_is_saved_is_loaded(tmp_path):
    save(OTHER, tmp_path / "new" / "settings.toml")
    assert load(tmp_path / "new" / "settings.toml") == OTHER
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["settings.toml"]


def test_no_file_is_the_defaults(tmp_path):
    assert load(tmp_path / "none.toml") == Settings()


@pytest.mark.parametrize("damage", [b"\xff\xfe\0", b"[look\ntheme=", b"= = ="])
def test_a_damaged_file_is_put_aside(tmp_path, damage):
    path = tmp_path / "settings.toml"
    path.write_bytes(damage)
    assert load(path) == Settings()
    assert (tmp_path / "settings.toml.damaged").read_bytes() == damage
    save(OTHER, path)
    assert load(path) == OTHER


def test_single_wrong_values_do_not_take_the_rest_along(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(
        'version = 2\nsaving = 3\n[look]\ntheme = "pink"\nleft = "lanczos"\nwidth = "wide"\nnew = 1\n[engine]\nthreads = true\n'
    )
    assert load(path) == Settings(Look(left="lanczos"))


def test_an_older_file_is_migrated(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('version = 1\ntheme = "dark"\nmodel = "sesr-m7-x2"\n')
    assert load(path) == Settings(Look("dark"), Engine("sesr-m7-x2"))


def test_a_file_of_version_2_keeps_all_it_had(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('version = 2\n[look]\ntheme = "dark"\nwidth = 900\nheight = 600\n[engine]\nwatts = 60\n[saving]\nquality = 70\n')
    assert load(path) == Settings(Look("dark"), Engine(watts=60), Saving(quality=70))
    save(load(path), path)
    assert path.read_text().startswith("version = 3\n")


def test_damaged_presets_do_not_take_the_others_along(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(
        'version = 3\n[[presets]]\nname = "good"\nquality = "high"\nextension = ".png"\n[[presets]]\nquality = 3\n'
        '[[presets]]\nname = "good"\nquality = 4\n[[presets]]\nname = "odd"\nsizing = "depth"\n'
    )
    assert load(path).presets == (Preset("good", saving=Saving(extension=".png")),)
    path.write_text("version = 3\npresets = 4\n")
    assert load(path) == Settings()


def test_a_folder_that_cannot_be_written_is_survived(tmp_path):
    (tmp_path / "file").write_text("")
    save(OTHER, tmp_path / "file" / "settings.toml")
    assert load(tmp_path / "file" / "settings.toml") == Settings()


@settings(max_examples=40)
@given(st.text())
def test_any_text_survives(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    changed = Settings(saving=Saving(folder=text.encode("utf-8", "ignore").decode()))
    save(changed, path)
    assert load(path) == changed
