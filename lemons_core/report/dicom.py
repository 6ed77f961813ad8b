"""A result as DICOM: a Secondary Capture with the regions drawn in, and a Mammography CAD SR that names them.

Both are made anew: new UIDs, no patient, no date but today's. Of the header of the original only side, view and pixel
spacing are carried over. The structured report refers to the capture, which has the pixel grid of the original.
"""

from io import BytesIO
from types import ModuleType
from typing import Any

import numpy as np
from pydicom.uid import JPEG2000Lossless, generate_uid

from lemons_core import __version__
from lemons_core.base import config, extras
from lemons_core.images.display import to_grey8
from lemons_core.report.cad_sr import cad_sr
from lemons_core.report.pictures import draw_boxes
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.findings import Analysis

_MAKER = "Know Your Lemons"
_METHOD = "Made anew from pixels; side, view and pixel spacing kept"


def dicom_files(analysis: Analysis, pixels: np.ndarray, card: ModelCard) -> dict[str, bytes]:
    """`overlay.dcm` and `cad-sr.dcm`, as the bytes of two DICOM files of one new study.

    analysis : of a picture, DICOM or not; its detections in pixels of the picture
    pixels : (H, W) float32, 0-1, of the picture
    card : of the model that gave the result
    Raises LemonsError: highdicom is not installed

    Source: DICOM PS3.16, TID 4000 and the templates that it includes.
    """
    capture = _capture(analysis, pixels, card)
    report = cad_sr(analysis, card, capture, **_equipment(card))
    return {"overlay.dcm": _bytes(capture), "cad-sr.dcm": _bytes(report)}


def require_highdicom() -> ModuleType:
    """The optional package, or LemonsError that says how to install it."""
    return extras.require("highdicom", package="highdicom==0.28.2", what="Writing DICOM")


def _capture(analysis: Analysis, pixels: np.ndarray, card: ModelCard) -> Any:
    """The picture in 8 bit with boxes, numbers and the notice burnt in, at full size."""
    highdicom = require_highdicom()
    image, spacing = analysis.image, analysis.result.spacing
    stated = spacing.mm if spacing.source == "given" else None
    capture = highdicom.sc.SCImage(
        draw_boxes(to_grey8(pixels), analysis.detections, words=config.NOTICE),
        photometric_interpretation="YBR_RCT",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # asked for here, unknown, so emptied below
        study_instance_uid=generate_uid(None),
        series_instance_uid=generate_uid(None),
        series_number=1,
        sop_instance_uid=generate_uid(None),
        instance_number=1,
        pixel_spacing=stated and (stated, stated),
        transfer_syntax_uid=JPEG2000Lossless,
        **_equipment(card),
    )
    capture.PatientOrientation = None
    # Without an identifier an archive would put all such studies into one folder, as if of one patient.
    capture.PatientID = f"LEMONS-{capture.StudyInstanceUID[-12:]}"
    capture.PatientName = "De-identified^"
    capture.DerivationDescription = f"Regions found by {card.name} drawn in. {config.NOTICE}"
    if image.laterality:
        capture.ImageLaterality = str(image.laterality)
    if image.view:
        capture.ViewPosition = str(image.view)
    return capture


def _equipment(card: ModelCard) -> dict[str, str]:
    return {
        "manufacturer": _MAKER,
        "manufacturer_model_name": card.name[:64],
        "software_versions": __version__,
        "series_description": config.NOTICE,
        "specific_character_set": "ISO_IR 192",
    }


def _bytes(ds: Any) -> bytes:
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = _METHOD
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
