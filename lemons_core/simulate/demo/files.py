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


def csv_text(rows: list[DemoRow], kind: str, seed: int, alike: set[str]) -> str:
    """One case-description file as the collection writes it: CRLF, NA, and a line feed at the end of one path.

    alike : the region_case of rows that name the mask for the crop as well
    """
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
        if r.region_case in alike:
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


def draw_shot(work: Path, shot: Shot, *, seed: int) -> None:
    """Draw one view and write its files."""
    first = shot.rows[0]
    rng = np.random.default_rng(shot.seed)
    breast_seed = int(make_uid(seed, first.patient, first.side).rpartition(".")[2]) % 2**63
    where = np.random.default_rng(breast_seed)  # shared by both views of a breast
    positions = {n: (float(where.uniform(0.35, 0.75)), float(where.uniform(-0.8, 0.8))) for n in range(1, 10)}
    lesions = [_lesion(r, positions[r.number], k, len(shot.rows)) for k, r in enumerate(shot.rows)]
    picture = simulate_view(lesions, rng=rng, laterality=first.side[0], view=first.view, density=first.density or 2)
    # Ten bits of grey in sixteen, as a digitiser of the time delivers: the noise below would only fill the disk.
    view = (np.rint(picture.pixels * 1023) * 64).astype(np.uint16)
    _write(work, first, first.view_case, [("full mammogram images", view)], seed=seed, shown=first.view_case)
    for row, mask in zip(shot.rows, picture.masks, strict=True):
        trap = shot.trap if row is first else ""
        crop = view[_crop_box(mask)]
        roi = mask.astype(np.uint8) * np.uint8(255)
        if trap == MASK_RESIZED:
            smaller = (roi.shape[1] - 24, roi.shape[0] - 36)
            roi = np.asarray(Image.fromarray(roi).resize(smaller, Image.Resampling.NEAREST))
        pair = [("cropped images", crop), ("ROI mask images", roi)]
        if rng.random() < 0.5:  # in the collection, too, either may come first
            pair.reverse()
        case = row.region_case
        shown = f"{case.split('_', 1)[1]}.dcm" if trap == PREFIX_LOST else case
        _write(work, row, case, pair, seed=seed, shown=shown)


def _lesion(row: DemoRow, position: tuple[float, float], k: int, n: int) -> Lesion:
    tokens = tuple(dict.fromkeys(MORPHOLOGY_TWINS.get(t, t) for t in row.what.split("-")))
    side = position[1] if n == 1 else (-0.75, 0.75)[k]  # two in one view keep apart
    # A compound distribution is drawn by its last word; a missing one was not thought worth a word: a loose group.
    return Lesion(tokens, row.how.split("-")[-1] or "CLUSTERED", position[0], side)


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
    work: Path, row: DemoRow, case: str, pictures: list[tuple[str, np.ndarray]], *, seed: int, shown: str
) -> None:
    """Write the files of one series of a row's breast. `shown` is the name on folder and PatientID, mostly `case`."""
    study, series = _uids(seed, case)
    folder = work / "CBIS-DDSM"
    for name in (shown, study, series):  # one by one: a removed work folder must not come back
        folder = folder / name
        folder.mkdir()
    for number, (description, pixels) in enumerate(pictures, start=1):
        data = dicom_bytes(
            pixels,
            PatientID=shown,
            SeriesDescription=description,
            StudyInstanceUID=study,
            SeriesInstanceUID=series,
            SOPInstanceUID=make_uid(seed, case, number),
            InstanceNumber=number,
            Laterality=row.side[0],
            PatientOrientation=row.view,
        )
        (folder / f"1-{number}.dcm").write_bytes(data)
