"""Shared fixtures: nothing a test writes reaches the user's own cache folder."""

import os
from pathlib import Path

import pytest

# One thread, here and in every process that a test starts: sums in one order, the same figures to the last bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["LEMONS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("LEMONS_DATA", None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real CBIS-DDSM files; they may not be shipped, so most machines have none."""
    root = os.environ.get("LEMONS_REAL_DATA")
    if not root:
        pytest.skip("LEMONS_REAL_DATA is not set: no real CBIS-DDSM files on this machine")
    return Path(root)
