"""Many pictures read at once, their results in the order that was given: a seed must choose the same every time."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from lemons_core.base.parallel import Outcome, run_many
from lemons_core.base.progress import Progress

T = TypeVar("T")
R = TypeVar("R")


def run_in_order(
    work: Callable[[T], R], items: Mapping[str, T], *, jobs: int, what: str, progress: Progress
) -> tuple[list[R], list[str]]:
    """What `work` makes of each item, in processes, and one message for each that failed; both in the items' order.

    what : names the work in its progress
    """
    done: dict[str, Outcome[R]] = {}
    for outcome in run_many(work, items, jobs=jobs, prefer="processes"):
        done[outcome.name] = outcome
        progress(len(done) / len(items), f"{what}: {len(done):,} of {len(items):,} pictures")
    ordered = [done[name] for name in items]
    values = [outcome.get() for outcome in ordered if not outcome.error]
    return values, [str(outcome.error) for outcome in ordered if outcome.error]
