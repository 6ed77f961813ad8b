"""Small crops and masks on disk for rows of a table, numbered, described and called as a test wants them."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from support.dicom import dataset, file_bytes, ramp
from support.rows import CALC, MASS, record, write

CROP, MASK = "cropped images", "ROI mask images"


def write_pairs(
    root: Path,
    ordered: Sequence[bool],
    *,
    layout: str = "tcia",
    kind: str = "Calc-Training",
    numbered: bool = True,
    descriptions: Sequence[tuple[str, str]] = (),
    others: int = 0,
) -> list[dict[str, str]]:
    """Write a table and, row by row, a crop and a mask.

    ordered : whether the files of a row are numbered as the table numbers them
    layout : tcia and tcia_utils (1-1.dcm), idc (identifiers), or old (000000.dcm, the names that the tables hold)
    numbered : whether the headers hold InstanceNumber
    descriptions : SeriesDescription of crop and mask, row by row
    others : rows without a file
    """
    rows = [record(f"P_9{k:04}", kind=kind) for k in range(len(ordered) + others)]
    mass = kind.startswith("Mass")
    if mass:
        for row in rows:  # the tables of the masses name the two the other way round
            for column, name in (("cropped image file path", "000000.dcm"), ("ROI mask file path", "000001.dcm")):
                row[column] = f"{row[column].rpartition('/')[0]}/{name}"
    name = f"{'mass' if mass else 'calc'}_case_description_train_set.csv"
    write(root, rows, name, MASS if mass else CALC)
    for k, in_order in enumerate(ordered):
        series = rows[k]["cropped image file path"].split("/")[-2]
        crop_first = in_order == mass
        crop, mask = (1, 2) if crop_first else (2, 1)
        described = descriptions[k] if descriptions else (CROP, MASK)
        border = np.zeros((96, 128), np.uint8)
        border[20:40, 30:60] = 255
        for number, pixels, text in ((crop, ramp(), described[0]), (mask, border, described[1])):
            elements = {"SeriesInstanceUID": series, "SeriesDescription": text}
            if numbered:
                elements["InstanceNumber"] = str(number)
            folder, file = {
                "tcia": (f"manifest-1/CBIS-DDSM/case-{k}/study/1.000000-images-{k:05}", f"1-{number}.dcm"),
                "tcia_utils": (f"tciaDownload/{series}", f"1-{number}.dcm"),
                "old": (f"CBIS-DDSM/case-{k}/study/{series}", f"{number - 1:06}.dcm"),
                "idc": (f"cbis_ddsm/case-{k}/2.25.1/MG_{series}", f"{uuid.uuid4()}.dcm"),
            }[layout]
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / file).write_bytes(file_bytes(dataset(pixels, **elements)))
    return rows
