import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from engine import images, journal, provenance, weights
from engine.journal import Entry, Journal
from tests.windows import SPECS, WAIT_MS, end_application, make_application, mild, store_photo, until

ROOT = Path(__file__).parent.parent.parent


def states(application):
    return [job.state for job in application.queue.model.jobs]


def ready(application, qtbot, model="tiny-x2"):
    until(qtbot, lambda: application.upscale_page.network() is not None)
    application.upscale_page.inspector.network.pick(model)


def photos(folder, count, side=40):
    folder.mkdir(parents=True, exist_ok=True)
    return [store_photo(folder / f"{number}.png", side, side, number) for number in range(count)]


def is_idle(application):
    return not application.queue.running


def test_several_pictures_are_queued_and_done_in_order(application, qtbot, tmp_path):
    paths = photos(tmp_path / "in", 3)
    application.open(paths)
    ready(application, qtbot)
    assert states(application) == ["waiting"] * 3
    until(qtbot, lambda: all(job.picture is not None for job in application.queue.model.jobs))
    assert application.queue_view.isVisible()
    ended = []
    application.queue.model.dataChanged.connect(
        lambda first, last: ended.extend(job.name for job in application.queue.model.jobs if job.state == "done" and job.name not in ended)
    )
    with qtbot.waitSignal(application.queue.ended, timeout=WAIT_MS):
        qtbot.mouseClick(application.queue_view.start, Qt.MouseButton.LeftButton)
    assert states(application) == ["done"] * 3
    assert ended == ["0.png", "1.png", "2.png"]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["0.png", "0_x2.png", "1.png", "1_x2.png", "2.png", "2_x2.png"]
    assert "3 done" in application.upscale_page.banner.text()
    assert application.queue.model.jobs[0].energies[0].arithmetic_mj > 0
    assert not journal.unfinished(journal.read(tmp_path / "home" / "queue.jsonl"))
    assert [path.name for path in (tmp_path / "home").glob("queue*")] == ["queue.jsonl"]


def test_a_bad_file_never_stops_the_rest_and_can_be_retried(application, qtbot, tmp_path):
    first, last = photos(tmp_path, 2)
    bad = tmp_path / "bad.png"
    bad.write_bytes(first.read_bytes()[:200])
    application.open([first, bad, last])
    ready(application, qtbot)
    application.queue.start()
    until(qtbot, lambda: is_idle(application))
    assert states(application) == ["done", "failed", "done"]
    assert "bad.png" in application.queue.model.describe(application.queue.model.jobs[1])
    assert "1 failed" in application.upscale_page.banner.text()
    bad.write_bytes(last.read_bytes())
    qtbot.mouseClick(application.queue_view.retry, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: is_idle(application))
    assert states(application) == ["done"] * 3


def test_a_folder_is_mirrored(application, qtbot, tmp_path):
    photos(tmp_path / "in" / "deep", 2)
    photos(tmp_path / "in", 1)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    application.open([tmp_path / "in"])
    ready(application, qtbot)
    application.queue.start()
    until(qtbot, lambda: is_idle(application))
    (job,) = application.queue.model.jobs
    assert (job.state, len(job.finished), job.skipped) == ("done", 3, 1)
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png") if "in/" not in str(path.relative_to(tmp_path)))
    assert made == ["in_x2/0.png", "in_x2/deep/0.png", "in_x2/deep/1.png"]


def test_a_folders_bad_files_are_counted_one_by_one(application, qtbot, tmp_path):
    good, _ = photos(tmp_path / "in", 2)
    bad = tmp_path / "in" / "bad.png"
    bad.write_bytes(good.read_bytes()[:200])
    application.open([tmp_path / "in"])
    ready(application, qtbot)
    application.queue.start()
    until(qtbot, lambda: is_idle(application))
    assert "2 done, 1 failed" in application.upscale_page.banner.text()
    bad.write_bytes(good.read_bytes())
    qtbot.mouseClick(application.queue_view.retry, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: is_idle(application))
    assert "3 done." in application.upscale_page.banner.text()


def test_pausing_holds_the_work_and_starting_goes_on(application, qtbot, tmp_path):
    (path,) = photos(tmp_path, 1, 600)
    application.open([path, path.with_name("0.png")][:1] + photos(tmp_path / "small", 1))
    ready(application, qtbot, "slow-x2")
    application.queue.model.jobs[0].network = application.upscale_page.network()
    application.queue.start()
    until(qtbot, lambda: (application.queue.model.jobs[0].fraction or 0) > 0)
    qtbot.mouseClick(application.queue_view.pause, Qt.MouseButton.LeftButton)
    assert states(application) == ["paused", "waiting"]
    application.queue.start()
    assert states(application)[0] == "running"
    until(qtbot, lambda: is_idle(application))
    assert states(application) == ["done", "done"]


def test_cancelling_leaves_nothing_behind_and_goes_on_with_the_next(application, qtbot, tmp_path):
    (large,) = photos(tmp_path / "large", 1, 800)
    (small,) = photos(tmp_path / "small", 1)
    application.open([large, small])
    ready(application, qtbot, "slow-x2")
    application.queue.model.jobs[0].network = application.upscale_page.network()
    application.queue.start()
    until(qtbot, lambda: (application.queue.model.jobs[0].fraction or 0) > 0)
    process = application.client.process_id
    application.queue.cancel(application.queue.model.jobs[0])
    until(qtbot, lambda: is_idle(application))
    assert states(application) == ["cancelled", "done"]
    assert [path.name for path in (tmp_path / "large").iterdir()] == ["0.png"]
    assert application.client.process_id == process


def test_rows_are_moved_and_removed(application, qtbot, tmp_path):
    application.open(photos(tmp_path, 4))
    ready(application, qtbot)
    model = application.queue.model
    model.move(model.jobs[0], 2)
    assert [job.name for job in model.jobs] == ["1.png", "2.png", "0.png", "3.png"]
    model.move(model.jobs[3], -9)
    assert [job.name for job in model.jobs] == ["3.png", "1.png", "2.png", "0.png"]
    application.queue.remove(model.jobs[:2])
    assert [job.name for job in model.jobs] == ["2.png", "0.png"]
    left = journal.unfinished(journal.read(tmp_path / "home" / "queue.jsonl"))
    assert [Path(entry.data["input"]).name for entry in left.values()] == ["2.png", "0.png"] or len(left) == 2


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_engine_loses_and_repeats_nothing(application, qtbot, tmp_path):
    count = 12
    photos(tmp_path / "in", count, 200)
    application.open([tmp_path / "in"])
    ready(application, qtbot, "slow-x2")
    (job,) = application.queue.model.jobs
    job.network = application.upscale_page.network()
    application.queue.start()
    for done in (2, 5):
        until(qtbot, lambda done=done: len(job.finished) >= done)
        process = application.client.process_id
        os.kill(process, signal.SIGKILL)
        until(qtbot, lambda process=process: application.client.process_id not in (0, process))
    until(qtbot, lambda: is_idle(application))
    assert (job.state, sorted(job.finished)) == ("done", sorted(str(tmp_path / "in" / f"{number}.png") for number in range(count)))
    made = sorted((tmp_path / "in_x2").iterdir())
    assert [path.name for path in made] == sorted(f"{number}.png" for number in range(count)), (
        "a file was repeated, lost or left half-written"
    )
    assert all(images.read(path).width == 400 for path in made)


def test_a_queue_that_was_left_is_offered_again(qapp, qtbot, tmp_path, window_models):
    paths = photos(tmp_path / "in", 3)
    home = tmp_path / "home"
    first = make_application(qapp, home, window_models)
    first.start()
    first.open(paths)
    ready(first, qtbot)
    end_application(qapp, first)
    second = make_application(qapp, home, window_models)
    second.start()
    assert [job.path for job in second.queue.model.jobs] == list(map(str, paths))
    assert "3 jobs" in second.upscale_page.banner.text()
    second.queue.start()
    until(qtbot, lambda: is_idle(second))
    assert states(second) == ["done"] * 3
    end_application(qapp, second)
    third = make_application(qapp, home, window_models)
    third.start()
    assert third.queue.model.jobs == []
    end_application(qapp, third)


def test_a_journal_of_another_making_is_survived(qapp, qtbot, tmp_path, window_models):
    home = tmp_path / "home"
    with Journal(home / "queue.jsonl") as kept:
        kept.append(Entry("a", "queued", {"nonsense": 1}))
    application = make_application(qapp, home, window_models)
    application.start()
    assert application.queue.model.jobs == []
    end_application(qapp, application)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_window_takes_its_engine_along_and_keeps_its_queue(qapp, qtbot, tmp_path, window_models):
    photos(tmp_path / "in", 30, 150)
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from PySide6.QtWidgets import QApplication
from addersesr_app.app import Application
from tests.windows import SERVE, places_in
app = QApplication([])
window = Application(app, places_in(Path({str(tmp_path / "home")!r})), "light", [sys.executable, "-c", SERVE, {str(window_models)!r}])
def tell():
    jobs = window.queue.model.jobs
    if jobs and not window.queue.running and jobs[0].state == "waiting":
        window.queue.start()
    if jobs and len(jobs[0].finished) == 3:
        print(window.client.process_id, flush=True)
window.queue.changed.connect(tell)
window.start([Path({str(tmp_path / "in")!r})])
app.exec()
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    engine = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    until(qtbot, lambda: not Path(f"/proc/{engine}").exists() or "Z" in Path(f"/proc/{engine}/stat").read_text().split()[2])
    application = make_application(qapp, tmp_path / "home", window_models)
    application.start()
    (job,) = application.queue.model.jobs
    before = len(job.finished)
    assert 3 <= before < 30
    application.queue.start()
    until(qtbot, lambda: is_idle(application))
    made = sorted(path.name for path in (tmp_path / "in_x2").iterdir())
    end_application(qapp, application)
    assert made == sorted(f"{number}.png" for number in range(30))


def test_each_file_of_a_drop_takes_the_network_that_suits_it_unless_a_person_chose(qapp, qtbot, tmp_path, random_model):
    models, drop = tmp_path / "models", tmp_path / "drop"
    for folder in (models, drop):
        folder.mkdir()
    for name in ("tiny-x2", "tiny-x2-photo"):
        weights.write(mild(random_model(SPECS["tiny-x2"]), name), models / f"{name}.safetensors")
    files = [store_photo(drop / "drawing.png", 40, 32), drop / "photo.jpg"]
    images.write(images.read(files[0]), files[1], quality=50)
    made = make_application(qapp, tmp_path / "home", models)
    try:
        made.start()
        until(qtbot, lambda: made.upscale_page.network() is not None)
        for person, expected in ((False, ["tiny-x2", "tiny-x2-photo"]), (True, ["tiny-x2-photo", "tiny-x2-photo"])):
            if person:
                made.upscale_page.inspector.network.pick("tiny-x2-photo")
                made.upscale_page.inspector.network.models.activated.emit(0)
            made.open(files)
            made.queue.start()
            jobs = made.queue.model.jobs[-2:]
            until(qtbot, lambda jobs=jobs: all(job.state == "done" for job in jobs))
            assert [provenance.recorded(images.read(Path(job.result)).metadata).model for job in jobs] == expected
    finally:
        end_application(qapp, made)
