"""Facts of a DICOM header that are safe to show: numbers, or words from closed lists."""

import re
from math import isfinite

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from lemons_core.base.terms import Laterality, View

_SYNTAXES = {
    ImplicitVRLittleEndian: "implicit little endian",
    ExplicitVRLittleEndian: "explicit little endian",
    ExplicitVRBigEndian: "explicit big endian",
    DeflatedExplicitVRLittleEndian: "deflated",
    RLELossless: "RLE",
    JPEGBaseline8Bit: "JPEG baseline",
    JPEGExtended12Bit: "JPEG extended",
    JPEGLossless: "JPEG lossless",
    JPEGLosslessSV1: "JPEG lossless",
    JPEGLSLossless: "JPEG-LS",
    JPEGLSNearLossless: "JPEG-LS near-lossless",
    JPEG2000Lossless: "JPEG 2000 lossless",
    JPEG2000: "JPEG 2000",
}
_MODALITIES = ("MG", "CR", "DX", "OT", "CT", "MR", "US", "XA", "RF", "RG", "NM", "PT", "SC", "SR", "SEG", "DG", "XC")
_INTENTS = ("FOR PRESENTATION", "FOR PROCESSING")
# CID 4014, SNOMED RT and SNOMED CT.
_VIEW_CODES = {"R-10242": View.CC, "399162004": View.CC, "R-10226": View.MLO, "399368009": View.MLO}


def text(ds: Dataset, keyword: str) -> str:
    """Text as stored. Not through pydicom's conversion, which repeats values that break a rule in its warnings."""
    value = ds.get_item(keyword).value if keyword in ds else None
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else str(value or "")


def floats(ds: Dataset, keyword: str) -> list[float]:
    """Decimal strings as stored; empty when missing or when one of them is no finite number."""
    try:
        numbers = [float(part) for part in text(ds, keyword).split("\\")]
    except ValueError:
        return []
    return numbers if all(isfinite(number) for number in numbers) else []


def uid_of(ds: Dataset, keyword: str) -> UID:
    """A UID, empty when missing or when it holds anything but digits and dots."""
    value = text(ds, keyword)
    return UID(value if re.fullmatch(r"\d+(\.(0|[1-9]\d*))+", value) else "")


def syntax_label(syntax: UID) -> str:
    return _SYNTAXES.get(syntax) or (syntax.name if syntax.name != syntax else "private or unknown")


def read_header(ds: Dataset, syntax: UID) -> dict[str, str]:
    """Facts for display: numbers, or words from closed lists, so that nothing typed by a person passes."""
    header = {
        "photometric interpretation": text(ds, "PhotometricInterpretation"),
        "transfer syntax": syntax_label(syntax),
        "bits": f"{int(ds.get('BitsStored') or 0)} of {int(ds.get('BitsAllocated') or 0)}",
    }
    sop_class = uid_of(ds, "SOPClassUID")
    if sop_class.type == "SOP Class":
        header["object"] = sop_class.name
    if (modality := text(ds, "Modality")) in _MODALITIES:
        header["modality"] = modality
    if (intent := text(ds, "PresentationIntentType")) in _INTENTS:
        header["presentation intent"] = intent
    return header


def read_laterality(ds: Dataset) -> Laterality | None:
    for keyword in ("ImageLaterality", "Laterality"):
        if (side := text(ds, keyword)) in tuple(Laterality):
            return Laterality(side)
    return None


def read_view(ds: Dataset) -> View | None:
    """ViewPosition, the view code, or PatientOrientation, where CBIS-DDSM writes the view."""
    if (position := text(ds, "ViewPosition")) in tuple(View):
        return View(position)
    for item in ds.get("ViewCodeSequence") or ():
        if (code := text(item, "CodeValue")) in _VIEW_CODES:
            return _VIEW_CODES[code]
    orientation = text(ds, "PatientOrientation")
    return View(orientation) if orientation in tuple(View) else None


def read_spacing(ds: Dataset, notes: list[str], warnings: list[str]) -> tuple[float | None, str]:
    """mm per pixel and the element it comes from. ImagerPixelSpacing first: it is the one without magnification."""
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        if not text(ds, keyword):
            continue
        spacing = floats(ds, keyword)
        if len(spacing) != 2 or not all(0 < side <= 2 for side in spacing):
            warnings.append(f"{keyword} makes no sense and was not used.")
            continue
        if max(spacing) > 1.02 * min(spacing):
            notes.append(f"{keyword} differs between rows and columns: the mean is used")
        return sum(spacing) / 2, keyword
    return None, "unknown"
