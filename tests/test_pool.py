import os
import time

import pytest

from lemons_core.errors import DataError
from lemons_core.pool import run_many


def whose(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def killed(_: int) -> None:
    os.kill(os.getpid(), 9)


@pytest.mark.skipif(os.name == "nt", reason="processes are looked up by a signal")
def test_processes_work_side_by_side_and_leave_when_all_is_done():
    found = dict(run_many(whose, {"a": 0.5, "b": 0.5, "c": 0.0}, jobs=2, prefer="processes"))
    assert sorted(found) == ["a", "b", "c"]
    processes = set(found.values())
    assert len(processes) == 2 and os.getpid() not in processes
    assert not any(map(alive, processes)), "an idle worker would hold its memory for minutes"


@pytest.mark.skipif(os.name == "nt", reason="a process ends itself by a signal")
def test_a_worker_that_was_killed_is_told_as_such():
    with pytest.raises(DataError, match="killed a worker"):
        list(run_many(killed, {"a": 1, "b": 2}, jobs=2, prefer="processes"))
    assert dict(run_many(whose, {"a": 0.0, "b": 0.0}, jobs=2, prefer="processes")), "the next run is not harmed"
