"""How far long work is, told to whoever waits for it."""

from collections.abc import Callable

# Called with a share of 0-1 and a few words on what is being done.
Progress = Callable[[float, str], None]


def no_progress(fraction: float, text: str) -> None:
    """For callers that do not want to know."""
