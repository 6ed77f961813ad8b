"""Many independent pieces of work: here one after the other, in threads or processes, or on a Dask cluster."""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from lemons_core.base import extras
from lemons_core.base.errors import DataError, LemonsError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How one piece of work among many ended: with a value, or with an error that stops none of the others."""

    name: str
    value: R | None
    error: LemonsError | None = None

    def get(self) -> R:
        """The value; raises the error instead when there is one."""
        if self.error:
            raise self.error
        return self.value  # type: ignore[return-value]


def run_many(
    work: Callable[[T], R],
    items: Mapping[str, T],
    *,
    jobs: int,
    prefer: Literal["threads", "processes"] = "threads",
    dask: str | None = None,
) -> Generator[Outcome[R], None, None]:
    """The outcome of every item, in the order in which they end; a LemonsError of one does not stop the others.

    work : what to do with an item; for processes and Dask it and the items must pickle
    items : by name
    jobs : how many at a time on this machine; 1 works right here
    prefer : "threads" where the work leaves Python's lock to the others, else "processes"
    dask : address of a running Dask cluster whose workers see the same paths, instead of this machine
    Closed before its end, it starts nothing more and waits until no thread is at work.
    Raises DataError: no scheduler answers at `dask`, or a process was killed
        LemonsError: `dask` is given and dask.distributed is not installed
    """
    if not items:
        return
    if dask:
        yield from _run_on_dask(work, items, dask)
    elif jobs == 1 or len(items) == 1:
        yield from (_outcome(work, name, item) for name, item in items.items())
    elif prefer == "threads":
        yield from _run_in_threads(work, items, jobs)
    else:
        yield from _run_in_processes(work, items, jobs)


def _run_in_threads(work: Callable[[T], R], items: Mapping[str, T], jobs: int) -> Generator[Outcome[R], None, None]:
    """Threads of its own, so that none is left at work when the process ends: it would leave half a file."""
    waiting = iter(items.items())
    pool = ThreadPoolExecutor(min(jobs, len(items)))

    def start(most: int) -> set[Future[Outcome[R]]]:
        return {pool.submit(_outcome, work, name, item) for name, item in islice(waiting, most)}

    try:
        running = start(2 * jobs)
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            running |= start(len(ended))
            for future in ended:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _run_in_processes(work: Callable[[T], R], items: Mapping[str, T], jobs: int) -> Generator[Outcome[R], None, None]:
    tasks = (delayed(_outcome)(work, name, item) for name, item in items.items())
    try:
        yield from Parallel(n_jobs=min(jobs, len(items)), return_as="generator_unordered", batch_size=1)(tasks)
    except TerminatedWorkerError as error:
        todo = "Run it again, with fewer --jobs if memory is short: it goes on where it stopped."
        raise DataError("The system killed a worker process", todo=todo) from error
    finally:
        get_reusable_executor().shutdown(wait=True)  # they would stay for minutes, each with its libraries in memory


def _outcome(work: Callable[[T], R], name: str, item: T) -> Outcome[R]:
    try:
        return Outcome(name, work(item))
    except LemonsError as error:
        return Outcome(name, None, error)


def _run_on_dask(work: Callable[[T], R], items: Mapping[str, T], address: str) -> Generator[Outcome[R], None, None]:
    """The same on a cluster; a few items a thread are under way, the rest waits here."""
    distributed = extras.require("distributed", package="distributed", what="A Dask cluster")
    try:
        client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        todo = "Start a scheduler and workers, and give its address, such as tcp://127.0.0.1:8786."
        raise DataError("No Dask scheduler answers", where=address, todo=todo) from error
    with client:
        waiting = iter(items.items())
        at_once = 3 * max(1, sum(client.nthreads().values()))
        ended = distributed.as_completed(
            [client.submit(_outcome, work, *item, pure=False) for _, item in zip(range(at_once), waiting, strict=False)]
        )
        for future in ended:
            yield future.result()
            for item in waiting:
                ended.add(client.submit(_outcome, work, *item, pure=False))
                break
