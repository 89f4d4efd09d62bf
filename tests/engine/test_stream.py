from __future__ import annotations

import pytest

from engine.stream import ahead


def test_items_are_made_ahead_but_not_without_end():
    made = []

    def items():
        for i in range(1000):
            made.append(i)
            yield i

    running = ahead(items(), 3)
    assert [next(running) for _ in range(2)] == [0, 1]
    running.close()
    assert len(made) <= 8


def test_an_error_comes_in_its_turn():
    def items():
        yield 1
        raise OSError("gone")

    running = ahead(items(), 3)
    assert next(running) == 1
    with pytest.raises(OSError, match="gone"):
        next(running)
