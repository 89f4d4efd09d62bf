import os

import pytest

from addersesr_app.run_client import RunClient
from addersesr_app.run_desk import Runs
from addersesr_app.run_follow import CHUNK, Follower
from tests.app.training import LONG, PROGRAM, ROOT, WAIT_MS, kill, tiny
from training.folder import read_events

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def runs(needs_torch, qapp, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Runs(tmp_path / "runs", PROGRAM, str(ROOT))
    yield made
    for client in made.clients:
        kill(client)
        client.release()


def test_a_run_is_paused_extended_killed_and_goes_on(qtbot, runs, pictures):
    client = runs.add(tiny(*pictures, steps=LONG))
    qtbot.waitUntil(lambda: client.state == "running" and client.record.saved_step > 0, timeout=WAIT_MS)
    client.pause()
    qtbot.waitUntil(lambda: client.state == "paused", timeout=WAIT_MS)
    steps = client.record.step
    client.change(LONG + 1, 1e-3)
    client.resume()
    qtbot.waitUntil(lambda: client.record.steps == LONG + 1 and client.record.step > steps + 8, timeout=WAIT_MS)
    other = RunClient(client.folder.path, PROGRAM, str(ROOT))  # another window
    qtbot.waitUntil(lambda: other.state == "running" and other.record.step >= steps, timeout=WAIT_MS)
    kill(client)
    qtbot.waitUntil(lambda: (client.state, other.state) == ("interrupted", "interrupted"), timeout=WAIT_MS)
    other.release()
    lost = client.record.step - client.record.saved_step
    assert 0 <= lost <= client.settings.save_every
    client.go_on()
    qtbot.waitUntil(lambda: client.state == "running" and client.record.step > steps + 8, timeout=WAIT_MS)
    client.stop()
    qtbot.waitUntil(lambda: client.state == "stopped", timeout=WAIT_MS)
    assert client.model_file is not None
    told = [event["step"] for event in read_events(client.folder) if event["event"] == "step"]
    assert list(client.record.at.values) == told == sorted(set(told)), "no step is told twice"


def test_a_second_run_waits_for_the_first(qtbot, runs, pictures):
    first, second = (runs.add(tiny(*pictures, name)) for name in ("first", "second"))
    assert (first.state, second.state) == ("starting", "queued")
    qtbot.waitUntil(lambda: second.state == "done", timeout=WAIT_MS)
    assert first.state == "done"
    assert [event["event"] for event in read_events(first.folder)][-1] == "finished"


def test_what_stops_a_run_before_it_begins_is_said(qtbot, runs, tmp_path, pictures):
    client = runs.add(tiny(tmp_path / "nowhere", pictures[1]))
    qtbot.waitUntil(lambda: client.state == "failed", timeout=WAIT_MS)
    assert "nowhere: no such folder" in client.record.message


def test_a_long_file_is_followed_in_parts_and_a_replaced_one_anew(tmp_path):
    file = tmp_path / "lines"
    follower = Follower(file)
    assert follower.read() == (False, [], False)
    line = b"x" * 999 + b"\n"
    file.write_bytes(line * 1500 + b"cut ")
    anew, lines, more = follower.read()
    assert (anew, len(lines), more) == (False, CHUNK // 1000, True)
    anew, lines, more = follower.read()
    assert (anew, len(lines), more) == (False, 1500 - CHUNK // 1000, False)
    with file.open("ab") as out:
        out.write(b"short\n")
    assert follower.read() == (False, [b"cut short"], False)
    (tmp_path / "new").write_bytes(b"other\n")
    (tmp_path / "new").replace(file)
    assert follower.read() == (True, [b"other"], False)
