"""Everything that is written of one answer, under names that tell nothing of the file it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.images.display import write_heatmap
from lemons_core.report.closer import MOST_CLOSE
from lemons_core.report.dicom import dicom_files, require_highdicom
from lemons_core.report.pdf import write_report
from lemons_core.report.tables import FILE_COLUMNS, REGION_COLUMNS, file_row, region_rows, table_bytes

if TYPE_CHECKING:
    from lemons_core.vision.detect.analysis import Answer
    from lemons_core.vision.network.weights import Model


@dataclass(frozen=True)
class Files:
    """Writes `scan-7.pdf`, `scan-7_overlay.dcm` and so on: into the folders that are given.

    Raises DataError when one of them is a file, LemonsError when DICOM is asked for and highdicom is not installed.
    """

    report: Path | None = None
    dicom: Path | None = None
    heatmap: Path | None = None

    def __post_init__(self) -> None:
        for folder in self.folders:
            if folder.exists() and not folder.is_dir():
                raise DataError("This must name a folder", where=str(folder), todo="Give another name.")
        if self.dicom:
            require_highdicom()

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(folder for folder in (self.report, self.dicom, self.heatmap) if folder)

    def write(self, answer: "Answer", model: "Model", scan: int) -> None:
        """Write the files of one answer."""
        picture, result = answer.picture, answer.scan
        heat = heat_of(answer, model) if result and (self.report or self.heatmap) else None
        if self.dicom and result:
            for name, data in dicom_files(picture, result, model.card).items():
                write_atomic(self.dicom / f"scan-{scan}_{name}", data)
        if self.heatmap and heat is not None:
            write_heatmap(self.heatmap / f"scan-{scan}_heat.png", picture.pixels, heat)
        if self.report:
            write_report(
                self.report / f"scan-{scan}.pdf",
                picture,
                result,
                model.card,
                name=f"scan {scan}",
                crop=answer.crop,
                refused=answer.refused,
                heat=heat,
                warnings=answer.warnings,
            )

    def is_written(self, record: dict[str, Any]) -> bool:
        """Whether the files of a record of `predict_many` are all there."""
        stem, answered = f"scan-{record['scan']}", record["probabilities"] is not None
        wanted = [self.report / f"{stem}.pdf"] if self.report else []
        if self.dicom and answered:
            wanted += [self.dicom / f"{stem}_{name}" for name in ("overlay.dcm", "cad-sr.dcm")]
        if self.heatmap and answered:
            wanted.append(self.heatmap / f"{stem}_heat.png")
        return all(file.is_file() for file in wanted)


def heat_of(answer: "Answer", model: "Model") -> np.ndarray | None:
    """(H, W) float32, 0-1: Grad-CAM of the top group, of a crop as one piece, of a view in its first regions."""
    from lemons_core.vision.detect.gradcam import explain_crop, explain_region

    picture, scan = answer.picture, answer.scan
    if scan is None:
        return None
    if answer.crop:
        found = explain_crop(picture.pixels, spacing_mm=scan.spacing_mm, target=answer.crop.top, model=model)
        return found.heat
    height, width = picture.pixels.shape
    heat = np.zeros((height, width), np.float32)
    for region in scan.regions[:MOST_CLOSE]:
        found = explain_region(picture.pixels, region, spacing_mm=scan.spacing_mm, target=region.top, model=model)
        np.maximum(heat, found.on((height, width)), out=heat)
    return heat


def write_tables(out: Path, records: list[dict[str, Any]]) -> None:
    """`out` with a row a file, and beside it `NAME.regions.csv` with a row a region."""
    write_atomic(out, table_bytes(FILE_COLUMNS, map(file_row, records)))
    regions = (row for record in records for row in region_rows(record))
    write_atomic(out.with_suffix(".regions.csv"), table_bytes(REGION_COLUMNS, regions))
