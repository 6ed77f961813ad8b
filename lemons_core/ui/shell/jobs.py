"""Long work of a page in a thread of its own: shown with its progress, kept when its window closes.

`wait_for` shares it between all windows; a page that must not share keeps a `Job` in its session.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from lemons_core.base.errors import LemonsError
from lemons_core.base.progress import Progress

Result = TypeVar("Result")
_starting = threading.Lock()  # or two windows would both find a failed job and begin two new ones


@dataclass
class Job:
    """One piece of work and how far it is."""

    fraction: float = 0.0
    text: str = "starting"
    result: Any = None
    error: LemonsError | None = None
    ended: float = 0.0
    reported: bool = False  # somebody has been shown the error
    stopped: bool = False  # at the visitor's wish: the work ends when it next tells how far it is
    done: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(cls, work: Callable[[Progress], object]) -> "Job":
        """Begin; `work` is called with a function that takes (0-1, what is being done) and must not call Streamlit."""
        job = cls()
        threading.Thread(target=job.run, args=(work,), daemon=True).start()
        return job

    def watch(self, title: str, *, on_stop: Callable[[], None] | None = None) -> None:
        """Wait for the end; meanwhile the progress stands here, and a button that stops it where `on_stop` is given."""
        if self.done.wait(0.3):
            return
        shown = st.empty()
        with shown.container():
            bar = st.empty()
            if on_stop:
                st.button(
                    "Stop", icon=":material/stop_circle:", key=f"stop-{id(self)}", on_click=self.stop, args=(on_stop,)
                )
            while not self.done.wait(0.2):
                bar.progress(self.fraction, f"{title}: {self.text}")
        shown.empty()

    def stop(self, then: Callable[[], None]) -> None:
        self.stopped = True
        then()

    def run(self, work: Callable[[Progress], object]) -> None:
        self.error = LemonsError("The work stopped before its end", todo="The terminal of the server tells why.")
        try:
            self.result = work(self.report)
            self.error = None
        except LemonsError as error:
            self.error = error
        finally:
            self.ended = time.monotonic()
            self.done.set()

    def report(self, fraction: float, text: str) -> None:
        if self.stopped:
            raise LemonsError("Stopped", todo="What was done so far is kept; start it again to go on.")
        self.fraction, self.text = min(max(fraction, 0.0), 1.0), text


@st.cache_resource(max_entries=24, show_spinner=False)
def _start(key: Hashable, _work: Callable[[Progress], object]) -> Job:
    return Job.start(_work)


def wait_for(
    key: Hashable,
    title: str,
    work: Callable[[Progress], Result],
    *,
    keep_error: float = 0.0,
    stale: Callable[[Result], bool] = lambda result: False,
    on_stop: Callable[[], None] | None = None,
) -> Result:
    """The result of `work`, done once for this key; while it runs its progress stands here.

    key : names the work and all that it depends on
    work : called with a function that takes (0-1, what is being done); must not call Streamlit
    keep_error : seconds for which a failure is reported again before the work is tried anew
    stale : whether a result no longer holds, so that the work is done anew
    on_stop : called when a visitor stops the work; None: there is no button for that
    Raises LemonsError: as `work` does; a later call tries again
    """
    with _starting:
        job = _start(key, work)
        failed = job.error and (job.stopped or (job.reported and time.monotonic() - job.ended > keep_error))
        if failed or (job.done.is_set() and not job.error and stale(job.result)):
            _start.clear(key, work)
            job = _start(key, work)
    job.watch(title, on_stop=on_stop)
    if job.error:
        job.reported = True
        raise job.error
    result: Result = job.result
    return result


def forget(key: Hashable) -> None:
    """Do the work of this key anew at the next call."""
    _start.clear(key, None)
