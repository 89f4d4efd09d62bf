"""The client against children that misbehave in every way that a process can."""

import sys

import pytest

from addersesr_app.engine_client import STOPPED, EngineClient
from engine.events import Failed, Progress
from engine.serve.protocol import Bench, CancelledRequest, Hello, Network, Output, Preview, Ready, Region, Show, Told, Upscale
from tests.windows import SERVE, store_photo

DEAF = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["request"] == "hello":
        print(json.dumps({"event": "ready", "id": request["id"], "pid": 1, "models": []}), flush=True)
"""
"""Answers a greeting and nothing else: no work, no cancel."""
DYING = "import sys; sys.stdin.readline()"
"""Dies at the first request."""
BABBLING = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    print("not json", '{"event": "flew"}', sep="\\n")
    print(json.dumps({"event": "ready", "id": 999, "pid": 1, "models": []}))
    print(json.dumps({"event": "ready", "id": request["id"], "pid": 1, "models": []}), flush=True)
"""
NETWORK = Network("m")


@pytest.fixture
def start(qapp):
    started = []

    def start(code, *arguments):
        client = EngineClient([sys.executable, "-c", code, *arguments], ".")
        client.start()
        started.append(client)
        return client

    yield start
    for client in started:
        client.close()


def heard(qtbot, client, make, count=1):
    events = []
    client.ask(make, events.append)
    qtbot.waitUntil(lambda: len(events) >= count, timeout=20_000)
    return events


def test_a_child_that_does_not_cancel_is_killed_and_started_again(start, qtbot):
    client = start(DEAF)
    heard(qtbot, client, Hello)
    process, events, others = client.process_id, [], []
    identity = client.ask(lambda identity: Show(identity, "a.png", NETWORK), events.append)
    client.ask(lambda identity: Show(identity, "b.png", NETWORK), others.append)
    with qtbot.waitSignal(client.went_down, timeout=10_000):
        client.cancel(identity)
    assert events == [CancelledRequest(identity)]
    assert others == [], "what was not cancelled is still to come"
    assert heard(qtbot, client, Hello) == [Ready(4, 1, ())]
    assert client.process_id not in (0, process)


def test_a_child_that_dies_again_and_again_is_given_up(start, qtbot):
    client, events = start("raise SystemExit(3)"), []
    with qtbot.waitSignal(client.gave_up, timeout=20_000) as said:
        identity = client.ask(lambda identity: Show(identity, "a", NETWORK), events.append)
    assert "3" in said.args[0]
    (event,) = events
    assert (event.id, event.event.error) == (identity, STOPPED)


def test_a_request_that_kills_it_twice_is_handed_back(start, qtbot):
    client = start(DYING)
    (event,) = heard(qtbot, client, lambda identity: Bench(identity, NETWORK))
    assert isinstance(event, Told)
    assert event.event.error == STOPPED


def test_previews_are_dropped_and_jobs_handed_back_when_it_dies(start, qtbot):
    client = start(DYING)
    previews, jobs = [], []
    client.ask(lambda identity: Preview(identity, "a", Region(0, 0, 1, 1), NETWORK), previews.append)
    client.ask(lambda identity: Upscale(identity, ("a",), NETWORK, Output()), jobs.append)
    qtbot.waitUntil(lambda: bool(previews) and bool(jobs), timeout=20_000)
    assert isinstance(previews[0], CancelledRequest)
    assert jobs[0].event.error == STOPPED


def test_what_is_no_event_is_passed_over(start, qtbot):
    client = start(BABBLING)
    assert heard(qtbot, client, Hello) == [Ready(1, 1, ())]


def test_a_program_that_is_not_there_is_said(qapp, qtbot):
    client = EngineClient(["/nowhere/addersesr"], ".")
    with qtbot.waitSignal(client.gave_up, timeout=10_000) as said:
        client.start()
    assert "/nowhere/addersesr" in said.args[0]
    client.close()


def test_forgotten_requests_tell_nothing_and_leave_no_memory(start, qtbot, window_models, tmp_path):
    client = start(SERVE, str(window_models))
    events = []
    identity = client.ask(lambda identity: Bench(identity, Network("tiny-x2")), events.append)
    client.forget(identity)
    assert isinstance(heard(qtbot, client, Hello)[0], Ready)
    assert events == []


def test_closing_ends_the_child(start, qtbot, window_models):
    client = start(SERVE, str(window_models))
    heard(qtbot, client, Hello)
    client.close()
    assert client.process_id == 0


def test_progress_and_the_end_come_from_the_same_request(start, qtbot, window_models, tmp_path):
    path = store_photo(tmp_path / "a.png", 64, 64)
    client = start(SERVE, str(window_models))
    events = heard(qtbot, client, lambda identity: Show(identity, str(path), Network("tiny-x2")), 2)
    assert isinstance(events[0].event, Progress)
    failed = heard(qtbot, client, lambda identity: Show(identity, "/nowhere.png", Network("tiny-x2")))
    assert isinstance(failed[0].event, Failed)
