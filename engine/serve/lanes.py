"""Threads that give way to one another: what a person waits for at the screen goes before what runs for an hour.

A lane does its work one piece after another. Between two tiles a piece asks its lane to `Lane.hold` it: there it waits, burning
nothing, while it is paused or while a lane above has something to do, and there it learns that it is cancelled.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's fate. Changed only by `Lane`'s methods. ``kind`` groups what can replace one another."""

    id: int
    kind: type | None = None
    cancelled: bool = False
    paused: bool = False


class Lane:
    """One thread and its queue. Lanes that give way to one another share one condition."""

    def __init__(self, name: str, changed: threading.Condition, above: tuple[Lane, ...] = ()) -> None:
        self._changed = changed
        self._above = above
        self._queue: deque[tuple[Ticket, Callable[[Ticket], None]]] = deque()
        self._current: Ticket | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, ticket: Ticket, work: Callable[[Ticket], None]) -> None:
        """Queue ``work``, which must not raise; it is called with ``ticket`` even if that is cancelled by then."""
        with self._changed:
            self._queue.append((ticket, work))
            self._changed.notify_all()

    def find(self, identity: int) -> Ticket | None:
        """The waiting or running ticket of this id."""
        with self._changed:
            return next((ticket for ticket in self._tickets() if ticket.id == identity), None)

    def cancel(self, ticket: Ticket) -> None:
        """Ask for the end of a ticket's work, paused or not."""
        with self._changed:
            ticket.cancelled = True
            self._changed.notify_all()

    def cancel_all(self, kind: type | None = None) -> None:
        """Ask for the end of everything in this lane, or of everything of one kind."""
        with self._changed:
            for ticket in self._tickets():
                ticket.cancelled = ticket.cancelled or kind in (None, ticket.kind)
            self._changed.notify_all()

    def set_paused(self, ticket: Ticket, paused: bool) -> None:
        """Hold a ticket's work after its tile, or let it go on."""
        with self._changed:
            ticket.paused = paused
            self._changed.notify_all()

    def hold(self, ticket: Ticket) -> bool:
        """For the lane's own thread, between tiles: wait as long as must be; True when the work shall end."""
        with self._changed:
            self._changed.wait_for(lambda: ticket.cancelled or self._closed or not (ticket.paused or self._must_give_way()))
            return ticket.cancelled or self._closed

    def close(self, seconds: float) -> bool:
        """Cancel everything and wait this long for the thread's end; whether it came."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _tickets(self) -> tuple[Ticket, ...]:
        current = (self._current,) if self._current else ()
        return (*current, *(ticket for ticket, _ in self._queue))

    def _must_give_way(self) -> bool:
        return any(not ticket.paused and not ticket.cancelled for lane in self._above for ticket in lane._tickets())

    def _work(self) -> None:
        while True:
            with self._changed:
                self._current = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or bool(self._queue))
                if self._closed:
                    return
                self._current, work = self._queue.popleft()
                ticket = self._current
            work(ticket)
