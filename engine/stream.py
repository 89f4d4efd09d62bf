"""From work that tells its events to a function, to a generator of them: the work runs in a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from engine.events import Event

Item = TypeVar("Item")
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


def ahead(items: Iterator[Item], depth: int) -> Generator[Item]:
    """The same items, made up to ``depth`` in advance by a thread of their own; their exception is raised in its turn.

    Closing the generator stops the thread, after the item that it is making, and closes ``items``.
    """
    made: queue.Queue[Item | _End] = queue.Queue(depth)
    closed = threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, closed), name="ahead")
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            yield item
    finally:
        closed.set()
        while thread.is_alive():
            _drain(made)
            thread.join(0.01)
    if item.error is not None:
        raise item.error


class _End:
    """The end of the items, and why."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _make(items: Iterator[Item], made: queue.Queue[Item | _End], closed: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            made.put(item)
            if closed.is_set():
                break
    except BaseException as caught:  # handed to the other thread, whatever it is
        error = caught
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
        made.put(_End(error))


def _drain(made: queue.Queue[Item | _End]) -> None:
    """Make room for a thread that waits for it."""
    with contextlib.suppress(queue.Empty):
        while True:
            made.get_nowait()


def _next(events: queue.SimpleQueue[Event | None]) -> Event | None:
    while True:
        try:
            return events.get(timeout=WAKE_S)
        except queue.Empty:
            continue
