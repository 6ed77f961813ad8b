"""Errors that a user can act on: what failed, where, and what to do."""

from functools import partial


class LemonsError(Exception):
    """An expected failure, shown to the user as one message and never as a traceback.

    what : what failed, one sentence without a full stop
    where : the file, row, column or setting it concerns
    todo : what the user can do about it
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        super().__init__(f"{what}{f' ({where})' if where else ''}.{f' {todo}' if todo else ''}")

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send their errors to the process that waits for them.
        return partial(type(self), where=self.where, todo=self.todo), (self.what,)


class DataError(LemonsError):
    """A table or a data folder that cannot be used."""


class ImageError(LemonsError):
    """A file whose pixels cannot be read."""


class ModelError(LemonsError):
    """A model that is missing, damaged or does not fit its card."""
