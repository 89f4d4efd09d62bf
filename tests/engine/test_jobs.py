from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import jobs
from engine.catalogue import Catalogue
from engine.errors import Cancelled, UsageError
from engine.events import Failed, Finished, Progress, Skipped, Started, Summary, Warned
from engine.kinds import kind_of_bytes
from engine.naming import Naming, check_template, fit, next_free
from engine.network import NetworkSpec
from engine.planning import plan
from engine.selection import Selection, Target
from engine.stream import stream
from tests.commands import mild_model, store, store_model

X2 = Naming(2)


def outputs(planned, root):
    return [str(task.output.relative_to(root)) for task in planned.tasks]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [(None, "photo_x2.png"), ("out", "out/photo_x2.png"), ("other.jpg", "other.jpg"), ("there", "there/photo_x2.png")],
)
def test_where_one_picture_goes(tmp_path, destination, expected):
    source = store(tmp_path / "photo.png")
    (tmp_path / "there").mkdir()
    naming = Naming(2, None if destination is None else tmp_path / destination)
    assert outputs(plan([source], naming), tmp_path) == [expected]


def test_the_folder_of_a_folder_named_by_a_dot_is_beside_it(tmp_path, monkeypatch):
    store(tmp_path / "album" / "a.png")
    monkeypatch.chdir(tmp_path / "album")
    [task] = plan([Path()], X2).tasks
    assert task.output == tmp_path / "album_x2" / "a.png"


def test_what_cannot_be_written_becomes_png_or_the_format_asked_for(tmp_path):
    source = store(tmp_path / "photo.png")
    strange = tmp_path / "photo.xyz"
    strange.write_bytes(source.read_bytes())
    assert outputs(plan([strange], X2), tmp_path) == ["photo_x2.png"]
    assert outputs(plan([source], Naming(2, extension=".webp")), tmp_path) == ["photo_x2.webp"]
    assert outputs(plan([source], Naming(2, extension=".mp4")), tmp_path) == ["photo_x2.png"], "a picture is no video"


def test_the_output_folder_inside_the_input_is_not_walked(tmp_path):
    store(tmp_path / "a.png")
    store(tmp_path / "out" / "a.png")
    planned = plan([tmp_path], Naming(2, tmp_path / "out", existing="overwrite"))
    assert outputs(planned, tmp_path) == ["out/a.png"]
    assert [notice.reason for notice in planned.notices] == ["the folder for the outputs"]


def test_an_input_given_twice_is_done_once(tmp_path, monkeypatch):
    source = store(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    planned = plan([source, Path("a.png"), tmp_path], X2)
    assert len(planned.tasks) == 1
    assert [type(notice) for notice in planned.notices] == [Skipped, Skipped]


def test_a_folder_within_a_loop_of_links_ends(tmp_path):
    deep = tmp_path / "a" / "b"
    store(deep / "x.png")
    (deep / "up").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    planned = plan([tmp_path], X2)
    assert len(planned.tasks) == 1
    assert {Path(notice.input).name: notice.reason for notice in planned.notices} == {"up": "a linked folder", "self": "a link to nothing"}


def test_same_named_inputs_get_different_outputs_before_anything_runs(tmp_path):
    inputs = [store(tmp_path / name / "p.png") for name in "abc"]
    planned = plan(inputs, Naming(2, tmp_path / "out", existing="overwrite"))
    assert outputs(planned, tmp_path) == ["out/p_x2.png", "out/p_x2-1.png", "out/p_x2-2.png"]
    assert [type(notice) for notice in planned.notices] == [Warned, Warned]


def test_hard_links_to_an_input_are_not_replaced(tmp_path):
    source = store(tmp_path / "p.png")
    os.link(source, tmp_path / "p_x2.png")
    planned = plan([source], Naming(2, existing="overwrite"))
    assert planned.tasks == ()
    assert isinstance(planned.notices[0], Failed)


@pytest.mark.parametrize("template", ["{stem}/{scale}", "{nope}", "{stem", "{}", "{0}", "{stem.x}", "{stem!z}"])
def test_templates_that_cannot_be_names_are_refused(template):
    with pytest.raises(UsageError):
        check_template(template)


@given(st.text(min_size=1, max_size=300).filter(lambda text: "/" not in text and "\0" not in text))
def test_names_always_fit_a_folder(stem):
    stem = os.fsdecode(os.fsencode(stem)) if not any("\ud800" <= c <= "\udfff" for c in stem) else "x"
    name = fit(stem, "_x2.png")
    assert len(os.fsencode(name)) <= 255
    assert name.endswith("_x2.png")
    taken = {Path(name)}
    numbered = next_free(Path(name), taken.__contains__)
    assert numbered.name.endswith("-1.png")
    assert len(os.fsencode(numbered.name)) <= 255


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\0\0\0\x20ftypavif", "picture"),
        (b"\0\0\0\x20ftypisom", "video"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "picture"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"\x1aE\xdf\xa3", "video"),
        (b"P6\n1 1\n", "picture"),
        (b"Plain text", None),
        ((b"\x47" + bytes(187)) * 3, "video"),
        (b"", None),
    ],
)
def test_the_bytes_tell_what_a_file_is(head, kind):
    assert kind_of_bytes(head) == kind


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 10_000))
def test_one_side_keeps_the_proportions(width, height, wanted):
    assert Target(width=wanted).size(width, height, 2) == (wanted, max(1, int(height * wanted / width + 0.5)))


def test_the_smallest_network_that_reaches_the_size_is_taken():
    x2, x4 = mild_model(NetworkSpec(2, 1, 4)), mild_model(NetworkSpec(4, 1, 4))
    for wanted, expected in ((10, x2), (200, x2), (201, x4), (1000, x4)):
        assert Selection((x2, x4), None, Target(width=wanted)).for_size(100, 10) is expected
    assert Selection((x2, x4), None, Target(scale=3)).for_size(100, 10) is x4
    assert Selection((x2,), None, Target(scale=3)).nominal_scale == 3
    assert Selection((x2, x4), None, Target()).nominal is x2


@pytest.fixture
def tools():
    return jobs.Tools(Catalogue([]))


def job(tmp_path, *inputs, **settings):
    model = store_model(tmp_path / "model.safetensors")
    return jobs.Job(tuple(inputs), jobs.Settings(model=str(model), backend="onnx", **settings))


def test_a_job_tells_what_it_does_in_order(tmp_path, tools):
    good, bad = store(tmp_path / "good.png"), tmp_path / "bad.png"
    bad.write_text("bad")
    events = list(jobs.run(job(tmp_path, bad, good, tmp_path / "gone.png"), tools))
    assert [type(event) for event in events] == [Failed, Started, Failed, Started, Progress, Finished, Summary]
    assert events[-1] == Summary(1, 2, 0)


def test_a_job_is_cancelled_within_a_tile(tmp_path, tools):
    sources = [store(tmp_path / f"{i}.png", 64, 64) for i in range(3)]
    asked = iter([False] * 4)
    run = jobs.run(job(tmp_path, *sources, tile=16), tools, lambda: next(asked, True))
    events = []
    with pytest.raises(Cancelled):
        events.extend(run)
    assert isinstance(events[-1], Summary)
    assert not list(tmp_path.glob("*_x2*"))


def test_closing_the_events_ends_the_work(tmp_path, tools):
    sources = [store(tmp_path / f"{i}.png", 64, 64) for i in range(50)]
    run = jobs.run(job(tmp_path, *sources, tile=16), tools)
    assert isinstance(next(run), Started)
    run.close()
    assert len(list(tmp_path.glob("*_x2*"))) < 50


def test_an_output_that_appears_after_planning_is_not_replaced(tmp_path, tools):
    source = store(tmp_path / "p.png")
    taken = tmp_path / "p_x2.png"

    def cancelled():
        if not taken.exists():
            taken.write_bytes(b"somebody else's")
        return False

    [finished] = [event for event in jobs.run(job(tmp_path, source), tools, cancelled) if isinstance(event, Finished)]
    assert finished.output == str(tmp_path / "p_x2-1.png")
    assert taken.read_bytes() == b"somebody else's"


def test_an_error_in_the_thread_is_raised_where_the_events_are_read():
    def work(emit, cancelled):
        emit(Summary(0, 0, 0))
        raise UsageError("no")

    events = stream(work, lambda: False)
    assert next(events) == Summary(0, 0, 0)
    with pytest.raises(UsageError, match="no"):
        next(events)
