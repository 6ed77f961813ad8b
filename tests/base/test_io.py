"""Files are whole or not there; figures, journals and child processes."""

import json
import sys

import pytest

from lemons_core.base.child import run_child
from lemons_core.base.errors import LemonsError
from lemons_core.base.io import atomic_path, rounded, sha256_of, write_atomic
from lemons_core.base.journal import append_record, read_journal, write_journal
from lemons_core.metrics.binary import Estimate


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "a.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two" and [file.name for file in path.parent.iterdir()] == ["a.bin"]
    assert sha256_of(path) == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"old")
    with pytest.raises(RuntimeError, match="half way"), atomic_path(path) as part:
        part.write_bytes(b"ne")
        raise RuntimeError("half way")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_journal_survives_half_a_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    assert list(read_journal(path)) == []
    append_record(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'\n{"n": 2')  # the process was killed here
    append_record(path, ["a", 3])
    assert list(read_journal(path)) == [{"n": 1}, ["a", 3]]
    write_journal(path, [{"n": 4}])
    assert path.read_text() == '{"n": 4}\n'


def test_figures_are_rounded_at_any_depth():
    figures = {"auc": Estimate(0.123456, 0.1, 0.2), "rows": [{"ece": 0.00004}], "n": 7, "none": None}
    assert json.dumps(rounded(figures)) == '{"auc": [0.1235, 0.1, 0.2], "rows": [{"ece": 0.0}], "n": 7, "none": null}'


CHILD = """
import sys
from lemons_core.base.child import serve
from lemons_core.base.errors import DataError

def work(progress):
    print("a library says something")
    progress(0.5, "half")
    if sys.argv[1] == "refuse":
        raise DataError("It is not there", where="x.csv", todo="Look again.")
    if sys.argv[1] == "die":
        raise SystemExit("killed")
    return {"argument": sys.argv[1]}

if __name__ == "__main__":
    sys.exit(serve(work))
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    (tmp_path / "a_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{sys.path[0]}")
    return "a_child"


def test_a_child_reports_its_progress_and_its_result(child):
    heard = []
    assert run_child(child, ["fine"], progress=lambda *step: heard.append(step)) == {"argument": "fine"}
    assert heard == [(0.5, "half")]


def test_an_error_of_a_child_arrives_whole(child):
    with pytest.raises(LemonsError) as caught:
        run_child(child, ["refuse"], progress=lambda *_: None)
    assert (caught.value.what, caught.value.where, caught.value.todo) == ("It is not there", "x.csv", "Look again.")


def test_a_child_that_dies_is_reported_with_its_last_words(child):
    with pytest.raises(LemonsError, match="without an answer: killed"):
        run_child(child, ["die"], progress=lambda *_: None)
