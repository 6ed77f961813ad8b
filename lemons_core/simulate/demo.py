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
import csv
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image
from pydicom.uid import UID

import lemons_core
from lemons_core.errors import DataError
from lemons_core.simulate.casetable import ROWS, Row, simulate_rows
from lemons_core.simulate.dicom import SPACING_MM, dicom_bytes, make_uid
from lemons_core.simulate.view import Lesion, simulate_view
from lemons_core.terms import MORPHOLOGY_TWINS

MARKER = "SIMULATED.json"
RECIPE = 1  # raise it when the pictures change, so that an old set on disk is made anew
CROP_MARGIN = 0.25  # of the lesion's size, on each side
CROP_LEAST_MM = 12.0  # a crop below this shows no surroundings
PREFIX_LOST = "prefix lost"
MASK_RESIZED = "mask resized"
SAME_FILE = "crop and mask named alike"


@dataclass(frozen=True)
class _Shot:
    """One view to be drawn: its rows, and the seed of its picture."""

    rows: tuple[Row, ...]
    seed: int
    traps: tuple[tuple[int, str], ...]  # abnormality number and the fault that its files carry


def write_demo(
    out: Path,
    *,
    seed: int = 0,
    images: int = 96,
    jobs: int = 2,
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Write a simulated collection to `out`.

    It is made in a folder beside `out` and renamed when finished, so that neither an interruption nor a second process
    leaves half a set. When `out` already holds the set of this seed, size and version, nothing is done.

    Parameters
    ----------
    out : folder to be made
    seed : the same seed gives the same bytes
    images : at least so many calcifications (rows) get view, crop and mask; further views may complete a pair
    jobs : processes that draw
    progress : called with a share 0-1 and a few words

    Returns
    -------
    out

    Raises
    ------
    DataError : `out` holds something that is not a simulated set
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
        _fill(work, seed=seed, images=images, jobs=jobs, progress=progress, wanted=wanted)
        work.chmod(0o755)  # mkdtemp keeps others out
        _put_in_place(work, out, wanted)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out


def read_demo_marker(root: Path) -> dict[str, object] | None:
    """What SIMULATED.json says of a finished demo set, or None where there is none."""
    try:
        marker = json.loads((Path(root) / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None


def _holds(out: Path, wanted: dict[str, object]) -> bool:
    marker = read_demo_marker(out)
    return marker is not None and all(marker.get(key) == value for key, value in wanted.items())


def _put_in_place(work: Path, out: Path, wanted: dict[str, object]) -> None:
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


def _fill(
    work: Path,
    *,
    seed: int,
    images: int,
    jobs: int,
    progress: Callable[[float, str], None] | None,
    wanted: dict[str, object],
) -> None:
    tell = progress or (lambda share, what: None)
    tell(0.0, "inventing patients")
    rows = simulate_rows(seed)
    shots = _choose(rows, images, seed)
    alike = {(r.patient, r.side, r.view, n) for s in shots for r in s.rows[:1] for n, t in s.traps if t == SAME_FILE}
    (work / "csv").mkdir()
    for kind in ("calc", "mass"):
        for split in ("train", "test"):
            part = [r for r in rows if (r.kind, r.split) == (kind, split)]
            text = _csv_text(part, kind, seed, alike)
            (work / "csv" / f"{kind}_case_description_{split}_set.csv").write_bytes(text.encode())
    # joblib's own processes import only this module: they never run the script or the server that called us.
    (work / "CBIS-DDSM").mkdir()
    done = Parallel(n_jobs=jobs, return_as="generator")(delayed(_draw)(work, s, seed) for s in shots)
    with contextlib.closing(done):  # an interruption stops the processes before their folder is removed
        for k, _ in enumerate(done, start=1):
            tell(k / len(shots), f"{k} of {len(shots)} simulated views drawn")
    marker = {
        **wanted,
        "what": "simulated mammograms, no real patient",
        "rows": dict(ROWS),
        "views": len(shots),
        "regions": sum(len(s.rows) for s in shots),
    }
    (work / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")


def _choose(rows: list[Row], images: int, seed: int) -> list[_Shot]:
    """Choose the views to draw: every group in both splits, pathology as it comes, lesions in both views."""
    rng = np.random.default_rng([seed, 2])
    views: dict[tuple[str, str, str], list[Row]] = {}
    lesions: dict[tuple[str, str, int], list[Row]] = {}
    for r in rows:
        if r.kind == "calc":
            views.setdefault((r.patient, r.side, r.view), []).append(r)
            lesions.setdefault((r.patient, r.side, r.number), []).append(r)
    # A view with many abnormalities would crowd the picture; one without a kind cannot be drawn.
    fit = {key for key, own in views.items() if len(own) <= 2 and all(r.what for r in own)}
    wheel = ["micro", "amorphous", "macro", "micro", "vascular"]
    pools: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for key in sorted(lesions):
        own = lesions[key]
        if all((r.patient, r.side, r.view) in fit for r in own):
            pools.setdefault((_group(own[0].what), own[0].split), []).append(key)
    pools = {name: [pool[i] for i in rng.permutation(len(pool))] for name, pool in pools.items()}
    chosen: dict[tuple[str, str, str], None] = {}
    drawn = turn = 0
    while drawn < images and any(pools.values()):
        pool = pools.get((wheel[turn % len(wheel)], "test" if turn % 4 == 1 else "train"), [])
        turn += 1
        for r in lesions[pool.pop()] if pool else ():
            if (r.patient, r.side, r.view) not in chosen:
                chosen[r.patient, r.side, r.view] = None
                drawn += len(views[r.patient, r.side, r.view])
    return _with_traps([tuple(views[key]) for key in sorted(chosen)], rng)


def _with_traps(views: list[tuple[Row, ...]], rng: np.random.Generator) -> list[_Shot]:
    """Hand each single fault to the first region that can carry it."""
    open_traps = [
        (PREFIX_LOST, lambda r: r.split == "test"),
        (SAME_FILE, lambda r: r.split == "train"),
        (MASK_RESIZED, lambda r: True),
    ]
    shots = []
    for own in views:
        carried: list[tuple[int, str]] = []
        for name, fits in list(open_traps):
            if not carried and fits(own[0]):
                carried.append((own[0].number, name))
                open_traps = [t for t in open_traps if t[0] != name]
        shots.append(_Shot(own, int(rng.integers(0, 2**62)), tuple(carried)))
    return shots


def _group(what: str) -> str:
    """The group that a picture is chosen for; vascular and amorphous first, for they are rare."""
    tokens = set(what.replace("LUCENT_CENTERED", "LUCENT_CENTER").split("-"))
    for name, own in (
        ("vascular", {"VASCULAR"}),
        ("amorphous", {"AMORPHOUS"}),
        ("micro", {"PLEOMORPHIC", "PUNCTATE", "FINE_LINEAR_BRANCHING"}),
    ):
        if tokens & own:
            return name
    return "macro"


def _uids(seed: int, case: str) -> tuple[UID, UID]:
    """Study and series UID of a case folder."""
    return make_uid(seed, case, "study"), make_uid(seed, case, "series")


def _csv_text(rows: list[Row], kind: str, seed: int, alike: set[tuple[str, str, str, int]]) -> str:
    """One case-description file as the collection writes it: CRLF, NA, and a line feed at the end of one path."""
    own = "calc type,calc distribution" if kind == "calc" else "mass shape,mass margins"
    density = "breast density" if kind == "calc" else "breast_density"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(
        f"patient_id,{density},left or right breast,image view,abnormality id,abnormality type,{own},"
        "assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path".split(",")
    )
    full = {"calc": "calcification", "mass": "mass"}[kind]
    for r in rows:
        view, region = _folder(r.view_case, seed), _folder(r.region_case, seed)
        # The calcification files name the crop 000001 and the mask 000000, the mass files the other way round.
        crop, mask = ("000001", "000000") if kind == "calc" else ("000000", "000001")
        if (r.patient, r.side, r.view, r.number) in alike:
            crop = mask
        crop_path, mask_path = f"{region}/{crop}.dcm", f"{region}/{mask}.dcm"
        if kind == "calc":
            crop_path += "\n"
        else:
            mask_path += "\n"
        facts = [r.patient, r.density, r.side, r.view, r.number, full, r.what or "NA", r.how or "NA"]
        facts += [r.assessment, r.pathology, r.subtlety]
        writer.writerow([*facts, f"{view}/000000.dcm", crop_path, mask_path])
    return buffer.getvalue()


def _folder(case: str, seed: int) -> str:
    return "/".join((case, *_uids(seed, case)))


def _draw(work: Path, shot: _Shot, seed: int) -> int:
    """Draw one view and write its files. Returns the number of files."""
    first = shot.rows[0]
    rng = np.random.default_rng(shot.seed)
    side = first.side[0]
    where = np.random.default_rng(make_seed(seed, first.patient, first.side))  # shared by both views of a breast
    places = {n: (float(where.uniform(0.35, 0.75)), float(where.uniform(-0.8, 0.8))) for n in range(1, 10)}
    lesions = [_lesion(r, places[r.number], k, len(shot.rows)) for k, r in enumerate(shot.rows)]
    picture = simulate_view(lesions, rng=rng, laterality=side, view=first.view, density=first.density or 2)
    # Ten bits of grey in sixteen, as a digitiser of the time delivers: the noise below would only fill the disk.
    view = (np.rint(picture.pixels * 1023) * 64).astype(np.uint16)
    files = 1
    _write(work, first.view_case, seed, [("full mammogram images", view)], side, first.view)
    for row, mask in zip(shot.rows, picture.masks, strict=True):
        traps = {name for n, name in shot.traps if n == row.number}
        crop = view[_crop_box(mask)]
        roi = mask.astype(np.uint8) * np.uint8(255)
        if MASK_RESIZED in traps:
            smaller = (roi.shape[1] - 24, roi.shape[0] - 36)
            roi = np.asarray(Image.fromarray(roi).resize(smaller, Image.Resampling.NEAREST))
        pair = [("cropped images", crop), ("ROI mask images", roi)]
        if rng.random() < 0.5:  # in the collection, too, either may come first
            pair.reverse()
        case = row.region_case
        shown = f"{case.split('_', 1)[1]}.dcm" if PREFIX_LOST in traps else case
        _write(work, case, seed, pair, side, row.view, shown=shown)
        files += 2
    return files


def _lesion(row: Row, place: tuple[float, float], k: int, n: int) -> Lesion:
    tokens = tuple(dict.fromkeys(MORPHOLOGY_TWINS.get(t, t) for t in row.what.split("-")))
    side = place[1] if n == 1 else (-0.75, 0.75)[k]  # two in one view keep apart
    # A compound distribution is drawn by its last word; a missing one was not thought worth a word: a loose group.
    return Lesion(tokens, row.how.split("-")[-1] or "CLUSTERED", place[0], side)


def make_seed(*parts: object) -> int:
    """A seed that depends only on `parts`."""
    return int(make_uid(*parts).rpartition(".")[2]) % 2**63


def _crop_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Bounding box of the lesion with its margin, within the view."""
    box = []
    for axis in (1, 0):
        hit = np.flatnonzero(mask.any(axis=axis))
        low, high = (int(hit[0]), int(hit[-1]) + 1) if len(hit) else (0, mask.shape[1 - axis])
        grow = round(max((high - low) * CROP_MARGIN, (CROP_LEAST_MM / SPACING_MM - (high - low)) / 2))
        box.append(slice(max(low - grow, 0), min(high + grow, mask.shape[1 - axis])))
    return box[0], box[1]


def _write(
    work: Path,
    case: str,
    seed: int,
    pictures: list[tuple[str, np.ndarray]],
    laterality: str,
    view: str,
    *,
    shown: str | None = None,
) -> None:
    """Write the files of one series. `shown` is the name on folder and PatientID where it is not `case`."""
    study, series = _uids(seed, case)
    folder = work / "CBIS-DDSM"
    for name in (shown or case, study, series):  # one by one: a removed work folder must not come back
        folder = folder / name
        folder.mkdir()
    for number, (description, pixels) in enumerate(pictures, start=1):
        data = dicom_bytes(
            pixels,
            case=shown or case,
            description=description,
            study=study,
            series=series,
            instance=make_uid(seed, case, number),
            number=number,
            laterality=laterality,
            view=view,
        )
        (folder / f"1-{number}.dcm").write_bytes(data)
