"""Where things lie, and the few settings that the environment can change."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

NOTICE = "Research and education only. Not a medical device."
SHIPPED_MODEL = Path(__file__).parent / "shipped"

# Above this a picture is refused before it is decoded: the largest film scan in CBIS-DDSM has about 40 million pixels.
MAX_PIXELS = 120_000_000


@dataclass(frozen=True)
class Settings:
    """What the environment asks for.

    data : root folder of the user's own collection (LEMONS_DATA), or None for the simulated demo data
    cache : folder for the demo data and other work files (LEMONS_CACHE, else the user's cache folder)
    """

    data: Path | None
    cache: Path

    @property
    def demo(self) -> Path:
        return self.cache / "demo"


def read_settings() -> Settings:
    """Read the environment anew, so that a test or a shell can change it at any time."""
    data = os.environ.get("LEMONS_DATA", "").strip()
    cache = os.environ.get("LEMONS_CACHE", "").strip()
    return Settings(
        data=Path(data).expanduser() if data else None,
        cache=Path(cache).expanduser() if cache else _user_cache() / "know-your-lemons",
    )


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
