"""The demo data: a simulated collection on disk, laid out like CBIS-DDSM as TCIA hands it out.

    <out>/csv/                      the four case-description files
    <out>/CBIS-DDSM/<case>/<study>/<series>/1-1.dcm ...
    <out>/SIMULATED.json            written last: without it the set is not finished

The same seed gives the same bytes in every file, whatever the number of processes. Pictures exist for some of the
rows only, as on the disk of a reader who has downloaded a part.

It carries the faults of the real files on purpose: compound and missing kinds, missing distributions, density 0, both
spellings of lucent-centred, several abnormalities in one view, crop and mask in either order, one row that names the
mask for both, one mask of another size than its view, one test region whose PatientID lacks the prefix.
"""

import contextlib
import json
import shutil
import tempfile
from functools import partial
from itertools import product
from pathlib import Path

import lemons_core
from lemons_core.base.errors import DataError
from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.collection import MARKER, read_demo_marker
from lemons_core.simulate.demo.casetable import DemoRow, simulate_rows
from lemons_core.simulate.demo.files import csv_text, draw_shot
from lemons_core.simulate.demo.published import ROWS
from lemons_core.simulate.demo.shots import SAME_FILE, Shot, choose_shots

RECIPE = 2  # raise it when the pictures change, so that an old set on disk is made anew


def write_demo(
    out: Path,
    *,
    seed: int = 0,
    images: int = 96,
    jobs: int = 2,
    progress: Progress = no_progress,
) -> Path:
    """Write a simulated collection to `out`.

    It is made in a folder beside `out` and renamed when finished, so that neither an interruption nor a second process
    leaves half a set. When `out` already holds the set of this seed, size and version, nothing is done.

    out : folder to be made
    seed : the same seed gives the same bytes
    images : at least so many calcifications (rows) get view, crop and mask; further views may complete a pair
    jobs : processes that draw
    progress : called with a share 0-1 and a few words
    Returns out
    Raises DataError: `out` holds something that is not a simulated set
    """
    out = Path(out)
    wanted = {"seed": seed, "images": images, "version": lemons_core.__version__, "recipe": RECIPE}
    if _holds(out, wanted):
        return out
    if out.exists() and read_demo_marker(out) is None and any(out.iterdir()):
        raise DataError(
            "The folder for the demo data holds other files", where=str(out), todo="Choose an empty or a new folder."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _fill(work, wanted, images=images, seed=seed, jobs=jobs, progress=progress)
        work.chmod(0o755)  # mkdtemp keeps others out
        _rename_to(work, out, wanted)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out


def _holds(out: Path, wanted: dict[str, object]) -> bool:
    marker = read_demo_marker(out)
    return marker is not None and all(marker.get(key) == value for key, value in wanted.items())


def _rename_to(work: Path, out: Path, wanted: dict[str, object]) -> None:
    """Rename `work` to `out`. Where another process was faster with the same set, its set stays."""
    for _ in range(3):
        with contextlib.suppress(OSError):  # a folder that is not empty cannot be replaced
            work.replace(out)
            return
        if _holds(out, wanted):
            return
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
        with contextlib.suppress(OSError):  # another process may have moved it
            out.replace(old)
        shutil.rmtree(old, ignore_errors=True)
    raise DataError("The demo data cannot be put in place", where=str(out), todo="Close what uses this folder.")


def _fill(work: Path, wanted: dict[str, object], *, images: int, seed: int, jobs: int, progress: Progress) -> None:
    progress(0.0, "inventing patients")
    rows = simulate_rows(seed)
    shots = choose_shots(rows, images, seed)
    _write_tables(work / "csv", rows, shots, seed)
    (work / "CBIS-DDSM").mkdir()
    # joblib's own processes import only the module of `draw_shot`: they never run the script or server that called us.
    views = {shot.rows[0].view_case: shot for shot in shots}
    done = run_many(partial(draw_shot, work, seed=seed), views, jobs=jobs, prefer="processes")
    # Closed by an interruption too: the processes end before their folder is removed.
    with contextlib.closing(done):
        for k, outcome in enumerate(done, start=1):
            outcome.get()
            progress(k / len(shots), f"{k} of {len(shots)} simulated views drawn")
    marker = {
        **wanted,
        "what": "simulated mammograms, no real patient",
        "rows": dict(ROWS),
        "views": len(shots),
        "regions": sum(len(s.rows) for s in shots),
    }
    (work / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")


def _write_tables(folder: Path, rows: list[DemoRow], shots: list[Shot], seed: int) -> None:
    alike = {shot.rows[0].region_case for shot in shots if shot.trap == SAME_FILE}
    folder.mkdir()
    for kind, split in product(("calc", "mass"), ("train", "test")):
        text = csv_text([r for r in rows if (r.kind, r.split) == (kind, split)], kind, seed, alike)
        (folder / f"{kind}_case_description_{split}_set.csv").write_bytes(text.encode())
