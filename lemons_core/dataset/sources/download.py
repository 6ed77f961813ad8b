"""Files from the network: whole or not at all, with a message that a person can act on."""

import http.client
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from lemons_core.base.errors import DataError
from lemons_core.base.io import atomic_path

_AGENT = "know-your-lemons (research and education)"
_TIMEOUT_S = 60
_PIECE = 1 << 20
_TRIES = 3
_PAUSE_S = 2.0  # before the second try; three times as long before the third


def download(url: str, path: Path) -> Path:
    """Download one file; it appears under its name only when it is complete.

    url : http or https
    path : where it goes; the folder is made when missing
    Raises DataError: the server cannot be reached or refuses, the file is cut short, or it cannot be written
    """
    if not url.startswith(("https://", "http://")):
        raise DataError("Only http and https addresses are fetched", where=url)
    try:
        with atomic_path(path) as part:
            _receive_with_retries(url, part)
    except OSError as error:
        todo = "Check that the folder may be written and that the disk has room."
        raise DataError(f"The download cannot be written: {error.strerror}", where=str(path), todo=todo) from error
    return path


def _receive_with_retries(url: str, part: Path) -> None:
    for number in range(1, _TRIES + 1):
        try:
            return _receive(url, part)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if number == _TRIES or not _passing(error):
                raise DataError(f"The download failed: {_reason(error)}", where=url, todo=_todo(error)) from error
            time.sleep(_PAUSE_S * 3 ** (number - 1))


def _receive(url: str, part: Path) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer, part.open("wb") as file:
        shutil.copyfileobj(answer, file, _PIECE)
        length = answer.headers.get("Content-Length")
        if length is not None and file.tell() < int(length):
            raise http.client.IncompleteRead(b"", int(length) - file.tell())


def _passing(error: Exception) -> bool:
    """Whether another try may help: a refusal by the server does not pass."""
    return not isinstance(error, urllib.error.HTTPError) or error.code >= 500 or error.code == 429


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke before the end"
    return str(getattr(error, "reason", None) or error or type(error).__name__).lower()


def _todo(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return "The address may have moved: docs/data.md names the collection's page."
    return "Check the connection and the proxy settings, then run the same command again: it goes on where it stopped."
