"""Everything that is written of one analysis, under names that tell nothing of the file it came from."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lemons_core.base.config import NOTICE
from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.images.display import to_grey8, write_heatmap
from lemons_core.report.closer import MOST_CLOSE
from lemons_core.report.dicom import dicom_files, require_highdicom
from lemons_core.report.pdf import report_pdf
from lemons_core.report.pictures import draw_boxes
from lemons_core.report.tables import FILE_COLUMNS, REGION_COLUMNS, file_row, region_rows, table_bytes
from lemons_core.vision.record.findings import Analysis, Refusal

if TYPE_CHECKING:
    from lemons_core.images import Picture
    from lemons_core.vision.network.weights import Model


@dataclass(frozen=True)
class Files:
    """Writes `scan-7.pdf`, `scan-7_overlay.dcm` and so on: into the folders that are given.

    Raises DataError when one of them is a file, LemonsError when DICOM is asked for and highdicom is not installed.
    """

    report: Path | None = None
    dicom: Path | None = None
    heatmap: Path | None = None
    boxes: Path | None = None

    def __post_init__(self) -> None:
        for folder in self.folders:
            if folder.exists() and not folder.is_dir():
                raise DataError("This must name a folder", where=str(folder), todo="Give another name.")
        if self.dicom:
            require_highdicom()

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(folder for folder in (self.report, self.dicom, self.heatmap, self.boxes) if folder)

    def write(self, analysis: Analysis | Refusal, picture: "Picture", model: "Model", scan: int) -> None:
        """Write the files of one analysis; of a refusal the report alone."""
        pixels, heat, stem = picture.pixels, None, f"scan-{scan}"
        if not isinstance(analysis, Refusal):
            if self.report or self.heatmap:
                heat = heat_of(analysis, pixels, model)
            if self.dicom:
                for name, data in dicom_files(analysis, pixels, model.card).items():
                    write_atomic(self.dicom / f"{stem}_{name}", data)
            if self.heatmap and heat is not None:
                write_heatmap(self.heatmap / f"{stem}_heat.png", pixels, heat)
            if self.boxes:
                write_atomic(self.boxes / f"{stem}_boxes.png", boxes_png(analysis, pixels))
        if self.report:
            data = report_pdf(analysis, pixels, model.card, name=f"scan {scan}", heat=heat)
            write_atomic(self.report / f"{stem}.pdf", data)

    def is_written(self, record: dict[str, Any]) -> bool:
        """Whether the files of a record of `predict_many` are all there."""
        names = [(self.report, ".pdf")]
        if record["probabilities"] is not None:  # it was not refused
            names += [(self.dicom, "_overlay.dcm"), (self.dicom, "_cad-sr.dcm")]
            names += [(self.heatmap, "_heat.png"), (self.boxes, "_boxes.png")]
        return all((folder / f"scan-{record['scan']}{ending}").is_file() for folder, ending in names if folder)


def boxes_png(analysis: Analysis, pixels: np.ndarray) -> bytes:
    """The picture at full size with every detection in a numbered box and the notice, as PNG."""
    file = BytesIO()
    Image.fromarray(draw_boxes(to_grey8(pixels), analysis.detections, words=NOTICE)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def heat_of(analysis: Analysis, pixels: np.ndarray, model: "Model") -> np.ndarray:
    """(H, W) float32, 0-1: Grad-CAM of the top group, of a crop as one piece, of a view in its first detections."""
    from lemons_core.vision.detect.gradcam import explain_crop, explain_detection

    spacing_mm = analysis.result.spacing.mm
    if analysis.crop:
        return explain_crop(pixels, spacing_mm=spacing_mm, target=analysis.crop.top, model=model).heat
    heat = np.zeros(analysis.image.shape, np.float32)
    for one in analysis.detections[:MOST_CLOSE]:
        found = explain_detection(pixels, one, spacing_mm=spacing_mm, target=one.top, model=model)
        np.maximum(heat, found.on(analysis.image.shape), out=heat)
    return heat


def write_tables(out: Path, records: list[dict[str, Any]]) -> None:
    """`out` with a row a file, and beside it `NAME.regions.csv` with a row a region."""
    write_atomic(out, table_bytes(FILE_COLUMNS, map(file_row, records)))
    regions = (row for record in records for row in region_rows(record))
    write_atomic(out.with_suffix(".regions.csv"), table_bytes(REGION_COLUMNS, regions))
