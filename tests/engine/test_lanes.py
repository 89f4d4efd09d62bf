import threading

import pytest

from engine.serve.lanes import Lane, Ticket


@pytest.fixture
def lanes():
    changed = threading.Condition()
    upper = Lane("upper", changed)
    lower = Lane("lower", changed, (upper,))
    yield upper, lower
    upper.close(5)
    lower.close(5)


def test_work_is_done_in_order(lanes):
    upper, _ = lanes
    seen, done = [], threading.Event()
    for number in range(5):
        upper.submit(Ticket(number), lambda ticket: seen.append(ticket.id))
    upper.submit(Ticket(5), lambda ticket: done.set())
    assert done.wait(5)
    assert seen == [0, 1, 2, 3, 4]


def test_a_lane_gives_way_to_the_one_above(lanes):
    upper, lower = lanes
    order, started, release, done = [], threading.Event(), threading.Event(), threading.Event()

    def long(ticket):
        started.set()
        assert release.wait(5)
        assert not lower.hold(ticket)
        order.append("lower")
        done.set()

    def urgent(ticket):
        release.set()
        order.append("upper")

    lower.submit(Ticket(1), long)
    assert started.wait(5)
    upper.submit(Ticket(2), urgent)
    assert done.wait(5)
    assert order == ["upper", "lower"]


def test_what_is_paused_waits_and_can_be_resumed_or_cancelled(lanes):
    _, lower = lanes
    for end in ("resume", "cancel"):
        ticket, reached, answers, done = Ticket(1), threading.Event(), [], threading.Event()

        def work(ticket, reached=reached, answers=answers, done=done):
            reached.set()
            answers.append(lower.hold(ticket))
            done.set()

        lower.set_paused(ticket, True)
        lower.submit(ticket, work)
        assert reached.wait(5)
        assert lower.find(1) is ticket
        assert not done.wait(0.05)
        lower.set_paused(ticket, False) if end == "resume" else lower.cancel(ticket)
        assert done.wait(5)
        assert answers == [end == "cancel"]


def test_a_paused_ticket_above_holds_nobody_up(lanes):
    upper, lower = lanes
    ticket, done = Ticket(1), threading.Event()
    upper.set_paused(ticket, True)
    upper.submit(ticket, upper.hold)
    lower.submit(Ticket(2), lambda ticket: None if lower.hold(ticket) else done.set())
    assert done.wait(5)


def test_closing_ends_what_holds():
    lane, reached, ended = Lane("lane", threading.Condition()), threading.Event(), threading.Event()

    def work(ticket):
        reached.set()
        assert lane.hold(ticket)
        ended.set()

    ticket = Ticket(1)
    lane.set_paused(ticket, True)
    lane.submit(ticket, work)
    assert reached.wait(5)
    lane.close(5)
    assert ended.is_set()
