"""Packages that most readers do not need, imported where they are used, with a clear message when absent."""

from importlib import import_module
from types import ModuleType

from lemons_core.base.errors import LemonsError


def require(module: str, *, package: str, what: str) -> ModuleType:
    """Import an optional module.

    module : name to import, such as `idc_index`
    package : what pip calls it, with the version that was tried
    what : what needs it, the beginning of the message
    Raises LemonsError: it is not installed
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise  # something that it needs itself is broken: that is another story
        name = package.partition("==")[0]
        raise LemonsError(
            f"{what} needs the optional package {name}, which is not installed", todo=f"pip install {package}"
        ) from error
