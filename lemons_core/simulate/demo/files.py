"""The files of the simulated collection: case descriptions, and view, crop and mask of a region."""

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.uid import UID

from lemons_core.base.terms import MORPHOLOGY_TWINS
from lemons_core.simulate.demo.casetable import DemoRow
from lemons_core.simulate.demo.dicom import SPACING_MM, dicom_bytes, make_uid
from lemons_core.simulate.demo.shots import MASK_RESIZED, PREFIX_LOST, Shot
from lemons_core.simulate.view import Lesion, simulate_view

CROP_MARGIN = 0.25  # of the lesion's size, on each side
CROP_LEAST_MM = 12.0  # a crop below this shows no surroundings


def _uids(seed: int, case: str) -> tuple[UID, UID]:
    """Study and series UID of a case folder."""
    return make_uid(seed, case, "study"), make_uid(seed, case, "series")


def csv_text(rows: list[DemoRow], kind: str, seed: int, alike: set[tuple[str, str, str, int]]) -> str:
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


def draw_shot(work: Path, shot: Shot, *, seed: int) -> int:
    """Draw one view and write its files. Returns the number of files."""
    first = shot.rows[0]
    rng = np.random.default_rng(shot.seed)
    side = first.side[0]
    where = np.random.default_rng(make_seed(seed, first.patient, first.side))  # shared by both views of a breast
    positions = {n: (float(where.uniform(0.35, 0.75)), float(where.uniform(-0.8, 0.8))) for n in range(1, 10)}
    lesions = [_lesion(r, positions[r.number], k, len(shot.rows)) for k, r in enumerate(shot.rows)]
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


def _lesion(row: DemoRow, position: tuple[float, float], k: int, n: int) -> Lesion:
    tokens = tuple(dict.fromkeys(MORPHOLOGY_TWINS.get(t, t) for t in row.what.split("-")))
    side = position[1] if n == 1 else (-0.75, 0.75)[k]  # two in one view keep apart
    # A compound distribution is drawn by its last word; a missing one was not thought worth a word: a loose group.
    return Lesion(tokens, row.how.split("-")[-1] or "CLUSTERED", position[0], side)


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
