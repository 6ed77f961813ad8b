import os
import time

import pytest

from lemons_core.base.errors import DataError, ImageError
from lemons_core.base.parallel import run_many


def whose(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def refused(number: int) -> int:
    if number == 1:
        raise ImageError("It cannot be read", where="b.png", todo="Export it again.")
    return number


def killed(_: int) -> None:
    os.kill(os.getpid(), 9)


@pytest.mark.skipif(os.name == "nt", reason="processes are looked up by a signal")
def test_processes_work_side_by_side_and_leave_when_all_is_done():
    outcomes = run_many(whose, {"a": 0.5, "b": 0.5, "c": 0.0}, jobs=2, prefer="processes")
    found = {outcome.name: outcome.get() for outcome in outcomes}
    assert sorted(found) == ["a", "b", "c"]
    processes = set(found.values())
    assert len(processes) == 2 and os.getpid() not in processes
    assert not any(map(alive, processes)), "an idle worker would hold its memory for minutes"


@pytest.mark.skipif(os.name == "nt", reason="a process ends itself by a signal")
def test_a_worker_that_was_killed_is_told_as_such():
    with pytest.raises(DataError, match="killed a worker"):
        list(run_many(killed, {"a": 1, "b": 2}, jobs=2, prefer="processes"))
    assert list(run_many(whose, {"a": 0.0, "b": 0.0}, jobs=2, prefer="processes")), "the next run is not harmed"


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_one_stops_none_of_the_others_and_arrives_whole(jobs):
    outcomes = {
        outcome.name: outcome for outcome in run_many(refused, dict(a=0, b=1, c=2), jobs=jobs, prefer="processes")
    }
    assert {name: outcome.value for name, outcome in outcomes.items()} == {"a": 0, "b": None, "c": 2}
    error = outcomes["b"].error
    assert isinstance(error, ImageError)
    assert (error.what, error.where, error.todo) == ("It cannot be read", "b.png", "Export it again.")
    with pytest.raises(ImageError, match=r"b\.png"):
        outcomes["b"].get()
