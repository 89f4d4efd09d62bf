import pytest

from engine.errors import OutputError
from engine.events import Energy, Finished, Progress, Started
from engine.serve.ledger import Ledger


def finished(name, output):
    return Finished(name, str(output), 1.0, "m", "onnx", "fp32", Energy(1.0))


def test_what_is_noted_as_finished_is_finished(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        assert ledger.finished("rename") == ()
        for event in (
            Started("a", str(tmp_path / "a")),
            Progress("a", 1, 2, "tile"),
            finished("a", tmp_path / "a"),
            Started("b", str(tmp_path / "b")),
        ):
            ledger.note(event)
    with Ledger(path) as ledger:
        assert ledger.finished("rename") == ("a",)


@pytest.mark.parametrize(("existing", "done"), [("rename", ("b",)), ("skip", ("b",)), ("overwrite", ())])
def test_an_output_that_is_there_was_finished_just_before_the_crash(tmp_path, existing, done):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.note(Started("b", str(tmp_path / "b")))
        (tmp_path / "b").touch()
        assert ledger.finished(existing) == done


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"), Ledger(tmp_path / "file" / "ledger.jsonl"):
        pass
