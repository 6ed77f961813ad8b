"""Packages that most readers do not need, imported where they are used, with a clear message when absent."""

from importlib import import_module
from types import ModuleType

from lemons_core.errors import LemonsError


def require(module: str, *, package: str, why: str) -> ModuleType:
    """Import an optional module.

    Parameters
    ----------
    module : name to import, such as `idc_index`
    package : what pip calls it, with a version where one was tried
    why : what needs it, the beginning of the message

    Raises
    ------
    LemonsError : it is not installed
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise  # something that it needs itself is broken: that is another story
        todo = f"Install it: pip install {package}"
        raise LemonsError(f"{why}: the optional package {module} is not installed", todo=todo) from error
