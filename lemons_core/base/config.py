"""Where things lie, and the few settings that the environment can change."""

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

NOTICE = "Research and education only. Not a medical device."
HOME = Path(__file__).parents[2]  # `python -m lemons_core` is found from here, whatever the working folder
SHIPPED_MODEL = HOME / "lemons_core" / "shipped"

# Above this a picture is refused before it is decoded: the largest film scan in CBIS-DDSM has about 40 million pixels.
MAX_PIXELS = 120_000_000


@dataclass(frozen=True)
class Settings:
    """What the environment asks for.

    data : root folder of the user's own collection (LEMONS_DATA), or None for the simulated demo data
    cache : folder for the demo data and other work files (LEMONS_CACHE, else the user's cache folder)
    model : folder of the image model in use (LEMONS_MODEL, else the shipped one)
    runs : folder for the training runs that the app starts and shows (LEMONS_RUNS, else `runs` in the cache)
    """

    data: Path | None
    cache: Path
    model: Path
    runs: Path

    @property
    def demo(self) -> Path:
        return self.cache / "demo"


def read_settings() -> Settings:
    """Read the environment anew, so that a test or a shell can change it at any time."""
    data, cache, model, runs = (
        Path(text).expanduser() if (text := os.environ.get(f"LEMONS_{name}", "").strip()) else None
        for name in ("DATA", "CACHE", "MODEL", "RUNS")
    )
    cache = cache or user_cache_path("know-your-lemons", appauthor=False)
    return Settings(data, cache, model or SHIPPED_MODEL, runs or cache / "runs")
