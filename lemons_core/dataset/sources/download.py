"""Files from the network: whole or not at all, with a message that a person can act on."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lemons_core.base.errors import DataError
from lemons_core.base.io import atomic_path, writing

_AGENT = "know-your-lemons (research and education)"
_TIMEOUT_S = 60
_SHORT_S = 8  # for the first word of a server, on which somebody waits
_PIECE = 1 << 20
_TRIES = 3
_FAILURES = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)
_PAUSE_S = 2.0  # before the second try; three times as long before the third


def download(url: str, path: Path, *, on_bytes: Callable[[int], None] | None = None) -> Path:
    """Download one file; it appears under its name only when it is complete.

    url : http or https
    path : where it goes; the folder is made when missing
    on_bytes : called with the bytes that have come so far; what it raises ends the download
    Raises DataError: the server cannot be reached or refuses, the file is cut short, or it cannot be written
    """
    if not url.startswith(("https://", "http://")):
        raise DataError("Only http and https addresses are fetched", where=url)
    with writing("The download cannot be written"), atomic_path(path) as part:
        _receive_with_retries(url, part, on_bytes)
    return path


def read_small(url: str, *, most: int = 1 << 20) -> bytes:
    """What one address answers, in memory; asked once and not for long, so that a dead network is told soon.

    Raises DataError: the server cannot be reached or refuses, or sends more than `most` bytes
    """
    try:
        with _open(url, _SHORT_S) as answer:
            data: bytes = answer.read(most + 1)
    except _FAILURES as error:
        raise _failed(error, url) from error
    if len(data) > most:
        raise DataError("The answer is too long", where=url)
    return data


def _receive_with_retries(url: str, part: Path, on_bytes: Callable[[int], None] | None) -> None:
    for number in range(1, _TRIES + 1):
        try:
            return _receive(url, part, on_bytes)
        except _FAILURES as error:
            if number == _TRIES or not _passing(error):
                raise _failed(error, url) from error
            time.sleep(_PAUSE_S * 3 ** (number - 1))


def _receive(url: str, part: Path, on_bytes: Callable[[int], None] | None) -> None:
    with _open(url, _TIMEOUT_S) as answer, part.open("wb") as file:
        while piece := answer.read(_PIECE):
            file.write(piece)
            if on_bytes:
                on_bytes(file.tell())
        length = answer.headers.get("Content-Length")
        if length is not None and file.tell() < int(length):
            raise http.client.IncompleteRead(b"", int(length) - file.tell())


def _open(url: str, timeout_s: float) -> Any:
    return urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": _AGENT}), timeout=timeout_s)


def _failed(error: Exception, url: str) -> DataError:
    return DataError(f"The download failed: {_reason(error)}", where=url, todo=_todo(error))


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
