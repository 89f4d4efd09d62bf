from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

from engine.picture import Picture
from engine.serve.gallery import Wall


@pytest.fixture
def wall():
    made = Wall()
    yield made
    made.clear()


def picture(side, value=0):
    return Picture(np.full((side, side, 3), value, np.uint8))


def first_byte(pixels):
    memory = SharedMemory(name=pixels.name)
    value = memory.buf[0]
    memory.close()
    return value


def test_what_only_passes_is_hung_where_the_last_hung(wall):
    first = wall.hang(picture(40, 1), whole_only=True, passing=True)
    other = wall.hang(picture(40, 2), whole_only=True, passing=True)
    assert first.name != other.name
    wall.take_down(first.name)
    again = wall.hang(picture(30, 3), whole_only=True, passing=True)
    assert again.name == first.name
    assert (first_byte(again), first_byte(other)) == (3, 2)


def test_what_stays_is_gone_when_it_is_taken_down(wall):
    kept = wall.hang(picture(40))
    wall.take_down(kept.name)
    assert wall.hang(picture(40)).name != kept.name
    with pytest.raises(FileNotFoundError):
        SharedMemory(name=kept.name)


def test_a_larger_one_gets_room_and_the_end_takes_all_along(wall):
    small = wall.hang(picture(40), whole_only=True, passing=True)
    wall.take_down(small.name)
    large = wall.hang(picture(80), whole_only=True, passing=True)
    wall.take_down(large.name)
    shown = wall.hang(picture(80))
    wall.clear()
    for name in (small.name, large.name, shown.name):
        with pytest.raises(FileNotFoundError):
            SharedMemory(name=name)
