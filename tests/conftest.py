"""Shared fixtures: nothing a test writes reaches the user's own cache folder."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.disk import Disk, can_mount

from lemons_core.base import config
from lemons_core.simulate.demo.write import write_demo

# One thread, here and in every process that a test starts: sums in one order, the same figures to the last bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["LEMONS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("LEMONS_DATA", None)


@pytest.fixture(scope="session")
def demo(_own_cache: None) -> Path:
    """A small simulated collection, where the app looks for its demo data; whoever changes it works on a copy."""
    return write_demo(config.read_settings().demo, seed=5, images=16)


@pytest.fixture
def make_disk(tmp_path: Path) -> Callable[[str], Disk]:
    """Makes a disk with options of mount: `size=700k` or `ro`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not can_mount(folder):
        pytest.skip("no process without rights can mount a small disk here")
    return partial(Disk, folder)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real CBIS-DDSM files; they may not be shipped, so most machines have none."""
    root = os.environ.get("LEMONS_REAL_DATA")
    if not root:
        pytest.skip("LEMONS_REAL_DATA is not set: no real CBIS-DDSM files on this machine")
    return Path(root)
