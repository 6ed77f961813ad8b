"""Long work of a page: its progress, its error, one run for all who wait for it, and another try after a failure."""

import threading
import time
from collections.abc import Iterator

import pytest

from lemons_core.base.errors import DataError, LemonsError
from lemons_core.base.progress import Progress
from lemons_core.ui.shell.jobs import Job, forget, wait_for

KEY = "test_jobs"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget(KEY)
    yield
    forget(KEY)


def test_a_job_has_the_progress_of_its_work_within_its_bounds() -> None:
    reached, go_on = threading.Event(), threading.Event()

    def work(progress: Progress) -> str:
        progress(0.4, "reading")
        reached.set()
        go_on.wait(10)
        progress(1.7, "more than all")
        return "done"

    job = Job.start(work)
    assert reached.wait(10)
    assert (job.fraction, job.text) == (0.4, "reading") and not job.done.is_set()
    go_on.set()
    assert job.done.wait(10)
    assert job.fraction == 1 and job.result == "done" and job.error is None


def test_the_error_of_the_work_is_raised_and_a_fault_of_the_program_is_no_result() -> None:
    def refuse(progress: Progress) -> None:
        raise DataError("No such table", where="cases.csv")

    with pytest.raises(DataError, match="No such table"):
        wait_for(KEY, "Reading", refuse)
    broken = Job()
    with pytest.raises(ZeroDivisionError):
        broken.run(lambda progress: 1 // 0)
    assert broken.done.is_set() and isinstance(broken.error, LemonsError) and broken.result is None


def test_work_is_done_once_for_all_who_wait_for_its_key() -> None:
    calls: list[int] = []
    gate = threading.Event()

    def work(progress: Progress) -> int:
        calls.append(1)
        gate.wait(10)
        return 7

    results: list[int] = []
    windows = [threading.Thread(target=lambda: results.append(wait_for(KEY, "Counting", work))) for _ in range(3)]
    for window in windows:
        window.start()
    gate.set()
    for window in windows:
        window.join(20)
    assert results == [7, 7, 7] and len(calls) == 1
    assert wait_for(KEY, "Counting", work) == 7 and len(calls) == 1, "the result is kept"


@pytest.mark.parametrize("pause", [0.5, 0.0])
def test_a_failed_job_is_tried_again_and_a_good_one_is_not(pause: float) -> None:
    tries: list[int] = []

    def work(progress: Progress) -> str:
        tries.append(1)
        if len(tries) == 1:
            time.sleep(pause)
            raise LemonsError("The disk is full")
        return "written"

    with pytest.raises(LemonsError, match="disk is full"):
        wait_for(KEY, "Writing", work)
    assert wait_for(KEY, "Writing", work) == wait_for(KEY, "Writing", work) == "written"
    assert len(tries) == 2
