"""What other tools can train on: the labels as CSV, and the crops as one folder a class."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.parallel import Outcome, run_many
from lemons_core.base.progress import Progress, no_progress
from lemons_core.images import read_image, write_png
from lemons_core.labels.mapping import GroupMapping, read_mapping

# A zip is held in memory while a browser fetches it; larger sets are written to a folder by the command line.
ZIP_LIMIT_BYTES = 150_000_000


def label_table(table: pd.DataFrame, suspects: pd.DataFrame, mapping: GroupMapping | None = None) -> pd.DataFrame:
    """One row per abnormality, as text that survives a CSV and a spreadsheet.

    Columns case_id, patient_id, lesion_id, laterality, view, abnormality_id, split, morphology, groups (joined by "|"),
    label (the single one), rule (what decided), suspect (reasons joined by "|"); missing values are empty.
    """
    mapping = mapping or read_mapping()
    reasons = suspects.groupby("case_id", sort=False)["reason"].agg("|".join)
    ids = table[["case_id", "patient_id", "lesion_id", "laterality", "view", "abnormality_id", "split", "morphology"]]
    return ids.assign(
        groups=table["calc_groups"].map("|".join),
        label=table["calc_group"],
        rule=[_rule_text(mapping, tokens) for tokens in table["morphology_tokens"]],
        suspect=table["case_id"].map(reasons).fillna(""),
    )


def _rule_text(mapping: GroupMapping, tokens: tuple[str, ...]) -> str:
    """The rules of one row, the deciding one first: "PLEOMORPHIC is micro; COARSE is macro"."""
    return "; ".join(f"{rule.token} is {rule.group}" for rule in mapping.label(tokens).rules)


def class_images(table: pd.DataFrame) -> dict[str, str]:
    """Crops of the rows that have a label, by where they go: split/label/case_id.png."""
    rows = table[table["calc_group"].notna() & table["crop_file"].notna()]
    names = rows["split"] + "/" + rows["calc_group"] + "/" + rows["case_id"] + ".png"
    return dict(zip(names.tolist(), rows["crop_file"].tolist(), strict=True))


def write_class_folders(table: pd.DataFrame, out: Path, *, progress: Progress = no_progress) -> list[Outcome[Path]]:
    """Write every labelled crop to out/split/label/case_id.png (8 bit grey, stretched to its own range).

    A picture that is already there is kept, so an interrupted run goes on where it stopped. 8 bit because common
    loaders clip 16-bit grey pictures to white.
    Returns how each crop ended, by its path below `out`; one that could not be read stops none of the others.
    Raises DataError: no row has a label and a crop
    """

    def write(item: tuple[Path, str]) -> Path:
        path, crop = item
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, _stretched(crop), bits=8)
        return path

    crops = _require(class_images(table))
    outcomes = []
    for outcome in run_many(write, {name: (out / name, crop) for name, crop in crops.items()}, jobs=1):
        outcomes.append(outcome)
        progress(len(outcomes) / len(crops), outcome.name)
    return outcomes


def zip_class_folders(table: pd.DataFrame, *, limit: int = ZIP_LIMIT_BYTES) -> bytes:
    """The same as a zip in memory, without the crops that cannot be read.

    Raises DataError: no row has a label and a crop, or the zip would pass `limit` bytes; the message names the command
        to use
    """
    memory = BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:  # a PNG is compressed already
        for outcome in run_many(_png, _require(class_images(table)), jobs=1):
            png = outcome.value
            if png is None:
                continue  # the fault report lists unreadable files
            if memory.tell() + len(png) > limit:
                raise DataError(
                    f"The picture set is larger than {limit / 1e6:.0f} MB",
                    todo="Write it to a folder: python -m lemons_core labels --images DIR",
                )
            # One fixed time, so that the same pictures give the same zip.
            archive.writestr(zipfile.ZipInfo(outcome.name, (1980, 1, 1, 0, 0, 0)), png)
    return memory.getvalue()


def _png(crop: str) -> bytes:
    from PIL import Image

    png = BytesIO()
    Image.fromarray((_stretched(crop) * 255).round().astype(np.uint8)).save(png, format="PNG")
    return png.getvalue()


def _require(crops: dict[str, str]) -> dict[str, str]:
    if not crops:
        raise DataError("No row has both a label and a crop on disk", todo="The README tells how to get the images.")
    return crops


def _stretched(file: str) -> np.ndarray:
    """(H, W) float32, 0-1: the crop's own 0.1 to 99.9 % of grey."""
    pixels = read_image(file).pixels
    low, high = np.percentile(pixels, [0.1, 99.9])
    return np.clip((pixels - low) / max(float(high - low), 1e-3), 0, 1).astype(np.float32)
