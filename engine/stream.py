"""From work that tells its events to a function, to a generator of them: the work runs in a thread of its own."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.events import Event

WAKE_S = 0.5  # on Windows a blocked wait is not interrupted by Ctrl-C, so the wait is never longer than this


def stream(work: Callable[[Callable[[Event], None], Callable[[], bool]], None], cancelled: Callable[[], bool]) -> Iterator[Event]:
    """Call ``work(emit, cancelled)`` in a thread and yield what it emits, in order; its exception is raised here at the end.

    Closing the generator cancels the work and waits for its end.
    """
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    closed = threading.Event()
    errors: list[BaseException] = []

    def body() -> None:
        try:
            work(events.put, lambda: closed.is_set() or cancelled())
        except BaseException as error:  # handed to the other thread, whatever it is
            errors.append(error)
        finally:
            events.put(None)

    thread = threading.Thread(target=body, name="work")
    thread.start()
    try:
        while (event := _next(events)) is not None:
            yield event
    finally:
        closed.set()
        thread.join()
    if errors:
        raise errors[0]


def _next(events: queue.SimpleQueue[Event | None]) -> Event | None:
    while True:
        try:
            return events.get(timeout=WAKE_S)
        except queue.Empty:
            continue
