"""Indexing of 10,000 small DICOM files: files a second, a second start, peak memory.

    python bench/index.py [--files 10000]

Each start is a process of its own, as it is for a reader. The first reads every header, the second only looks whether
anything has changed. Times of `read_collection`, with and without the imports.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from lemons_core.simulate.demo.casetable import simulate_rows
from lemons_core.simulate.demo.dicom import dicom_bytes, make_uid
from lemons_core.simulate.demo.files import csv_text

_START = """
import json, sys, time
start = time.perf_counter()
from lemons_core.dataset.collection import read_collection
imported = time.perf_counter()
collection = read_collection(sys.argv[1])
done = time.perf_counter()
try:
    import resource
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
except ImportError:  # Windows
    memory = 0
print(json.dumps([done - imported, done - start, memory, len(collection.index.files), collection.index.read_anew]))
"""


def write_files(root: Path, files: int) -> None:
    """Tables as the demo has them, and small pictures in the folders of TCIA, two in every other series."""
    rows = simulate_rows(0)
    (root / "csv").mkdir(parents=True)
    for kind in ("calc", "mass"):
        for split in ("train", "test"):
            part = [row for row in rows if (row.kind, row.split) == (kind, split)]
            text = csv_text(part, kind, 0, set())
            (root / "csv" / f"{kind}_case_description_{split}_set.csv").write_bytes(text.encode())
    rng = np.random.default_rng(0)
    # Of three files two share a series, as crop and mask do.
    for written in range(files):
        number, instance = divmod(written, 3)[0] * 2 + (written % 3 == 2), 1 + (written % 3 == 1)
        study, series = make_uid("bench", number, "study"), make_uid("bench", number, "series")
        folder = root / "CBIS-DDSM" / f"Case_{number:05}" / study / series
        folder.mkdir(parents=True, exist_ok=True)
        data = dicom_bytes(
            rng.integers(0, 65535, (48, 48), np.uint16), PatientID=f"Case_{number:05}",
            SeriesDescription="cropped images", StudyInstanceUID=study, SeriesInstanceUID=series,
            SOPInstanceUID=make_uid("bench", number, instance), InstanceNumber=instance,
            Laterality="L", PatientOrientation="CC",
        )  # fmt: skip
        (folder / f"1-{instance}.dcm").write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary, "collection")
        write_files(root, given.files)
        environment = {**os.environ, "LEMONS_CACHE": str(Path(temporary, "cache"))}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        for name in ("first start", "second start"):
            time.sleep(1)
            command = [sys.executable, "-c", _START, str(root)]
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            read, whole, memory, files, anew = json.loads(done.stdout)
            print(
                f"{name}: {files:,} files, {anew:,} read; {read:.2f} s ({files / read:,.0f} files/s), "
                f"{whole:.2f} s with imports; peak memory {memory / 2**20:.0f} MiB"
            )


if __name__ == "__main__":
    main()
