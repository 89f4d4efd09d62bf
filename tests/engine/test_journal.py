from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import journal
from engine.errors import OutputError
from engine.journal import Entry, Journal

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = (
    Entry("a", "queued", {"input": "/p/Fotos – Ümläut \udcff.jpg", "settings": {"scale": 2}}),
    Entry("b", "queued", {"input": "line\nbreak"}),
    Entry("a", "started"),
    Entry("a", "finished", {"output": "x"}),
    Entry("c", "queued"),
    Entry("c", "removed"),
)


def written(path: Path, entries: tuple[Entry, ...]) -> bytes:
    with Journal(path) as file:
        for entry in entries:
            file.append(entry)
    return path.read_bytes()


def test_what_is_appended_is_read_back_over_several_openings(tmp_path):
    path = tmp_path / "deep" / "queue.jsonl"
    written(path, ENTRIES[:2])
    written(path, ENTRIES[2:])
    assert journal.read(path) == ENTRIES


def test_a_missing_journal_is_empty(tmp_path):
    assert journal.read(tmp_path / "none") == ()


def test_cut_at_any_byte_every_whole_line_survives_and_appending_goes_on(tmp_path):
    path = tmp_path / "queue"
    content = written(path, ENTRIES)
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        assert journal.read(path) == ENTRIES[:whole], length
        written(path, (Entry("new", "queued"),))
        assert journal.read(path) == (*ENTRIES[:whole], Entry("new", "queued")), length


@given(st.data())
def test_a_changed_byte_costs_no_more_than_the_lines_it_is_in(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "queue"
    content = bytearray(written(path, ENTRIES))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    line = bytes(written(path.with_name("copy"), ENTRIES))[:at].count(b"\n")
    read = journal.read(path)
    assert set(map(repr, read)) <= set(map(repr, ENTRIES))
    assert len(read) >= len(ENTRIES) - 2
    assert read[:line] == ENTRIES[:line]


def test_unfinished_are_those_queued_and_not_ended_in_order():
    assert list(journal.unfinished(ENTRIES)) == ["b"]
    again = (*ENTRIES, Entry("a", "queued", {"input": "again"}))
    assert journal.unfinished(again)["a"].data == {"input": "again"}


def test_rewriting_keeps_only_what_is_given_and_leaves_nothing_aside(tmp_path):
    path = tmp_path / "queue"
    written(path, ENTRIES)
    journal.rewrite(path, journal.unfinished(ENTRIES).values())
    assert journal.read(path) == (ENTRIES[1],)
    assert [file.name for file in tmp_path.iterdir()] == ["queue"]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be opened"):
        Journal(tmp_path / "file" / "queue")
    with pytest.raises(OutputError, match="cannot be read"):
        journal.read(tmp_path)


def test_an_unknown_state_is_refused():
    with pytest.raises(ValueError, match="state must be"):
        Entry("a", "done")
