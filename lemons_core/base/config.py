"""Where things lie, and the few settings that the environment can change."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from platformdirs import user_cache_path

NOTICE = "Research and education only. Not a medical device."
HOME = Path(__file__).parents[2]  # `python -m lemons_core` is found from here, whatever the working folder
SHIPPED_MODEL = HOME / "lemons_core" / "shipped"

# Above this a picture is refused before it is decoded: the largest film scan in CBIS-DDSM has about 40 million pixels.
MAX_PIXELS = 120_000_000


class Origin(StrEnum):
    """Where the data in use come from; PUBLISHED and DEMO are also the words that choose them."""

    PUBLISHED = "published"  # the case table of CBIS-DDSM within the product, and what images were fetched for it
    DEMO = "demo"  # drawn by a program; no patient is in it
    FOLDER = "folder"  # the user's own copy of the collection


@dataclass(frozen=True)
class DataChoice:
    """The data in use.

    root : folder below which its images lie, and its tables unless they are the published ones; it need not exist
    """

    origin: Origin
    root: Path

    @property
    def name(self) -> str:
        """What choose_data takes for it."""
        return str(self.root) if self.origin == Origin.FOLDER else str(self.origin)

    @property
    def words(self) -> str:
        """The data set in a few words, for the line under a figure; of a folder its own name, never the path to it."""
        name = self.root.resolve().name or "the root folder"
        return {
            Origin.PUBLISHED: "CBIS-DDSM, published case table",
            Origin.DEMO: "simulated demo data",
            Origin.FOLDER: f"your folder {name}",
        }[self.origin]


@dataclass(frozen=True)
class Settings:
    """What the environment asks for.

    data : root folder of the user's own collection (LEMONS_DATA), or None for the published case table
    cache : folder for fetched images, the demo data and other work files (LEMONS_CACHE, else the user's cache folder)
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

    @property
    def fetched(self) -> Path:
        """Images that were fetched for the published case table."""
        return self.cache / "CBIS-DDSM"


def read_settings() -> Settings:
    """Read the environment anew, so that a test or a shell can change it at any time."""
    data, cache, model, runs = (
        Path(text).expanduser() if (text := os.environ.get(f"LEMONS_{name}", "").strip()) else None
        for name in ("DATA", "CACHE", "MODEL", "RUNS")
    )
    cache = cache or user_cache_path("know-your-lemons", appauthor=False)
    return Settings(data, cache, model or SHIPPED_MODEL, runs or cache / "runs")


def choose_data(name: str | Path | None = None) -> DataChoice:
    """The data that a word or a folder names.

    name : "published", "demo", or a folder; None: LEMONS_DATA, else the published case table
    """
    settings = read_settings()
    name = name or settings.data or Origin.PUBLISHED
    roots: dict[str, tuple[Origin, Path]] = {
        "published": (Origin.PUBLISHED, settings.fetched),
        "demo": (Origin.DEMO, settings.demo),
    }
    return DataChoice(*roots.get(str(name), (Origin.FOLDER, Path(name).expanduser())))
