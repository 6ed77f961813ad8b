"""An analysis as the objects that the command line prints and the files hold."""

from typing import Any

from lemons_core.base.io import rounded
from lemons_core.base.terms import GROUPS
from lemons_core.vision.record.card import MALIGNANCY, ModelCard
from lemons_core.vision.record.findings import Analysis, CropResult, Detection, DetectionResult, Refusal


def describe(analysis: Analysis | Refusal, card: ModelCard, file: str) -> dict[str, Any]:
    """One object of `predict --json`.

    For a crop `calcification` and the groups are the answer to it as one piece. For a view a group has the highest
    probability of any detection, that it is calcification times that it is of this group if so; 0 and no `top` without
    detections. All are null when the picture was refused. Boxes count pixels of the file as stored, but for a file that
    asks to be turned (EXIF): those of the upright picture.
    """
    image = analysis.image
    found: dict[str, Any] = {
        "file": file,
        "kind": None,
        "width": image.width,
        "height": image.height,
        "spacing_mm": image.spacing_mm,
        "spacing_source": "given" if image.spacing_mm else "unknown",
        "spacing_used_mm": None,
        "laterality": image.laterality and str(image.laterality),
        "view": image.view and str(image.view),
        "refused": analysis.forced if isinstance(analysis, Analysis) else analysis.reason,
        **dict.fromkeys(("calcification", "probabilities", "top", "abstained")),
        "warnings": list(analysis.warnings if isinstance(analysis, Analysis) else image.warnings),
        "model": {"name": card.name, "trained_on": card.trained_on, "sha256": card.sha256},
        "regions": [],
    }
    malignancy = None
    if isinstance(analysis, Analysis):
        result = analysis.result
        whole = analysis.crop or _of_view(result)
        malignancy = whole.malignancy
        found |= {
            "kind": result.kind,
            "spacing_source": result.spacing.source,
            "spacing_used_mm": round(result.spacing.mm, 4),
            "calcification": round(whole.calcification, 4),
            "probabilities": rounded(whole.probabilities),
            "top": whole.top or None,
            "abstained": whole.abstained,
            "regions": [describe_detection(detection) for detection in result.detections],
        }
    if MALIGNANCY in card.labels:
        found["malignancy"] = None if malignancy is None else round(malignancy, 4)
    return found


def describe_detection(detection: Detection) -> dict[str, Any]:
    """One of the `regions`, ready for JSON: box in pixels, probabilities 0-1."""
    found = {
        **{name: int(getattr(detection, name)) for name in ("row", "col", "height", "width")},
        "score": round(detection.score, 4),
        "spots": int(detection.n_specks),
        "extent_mm": round(detection.extent_mm, 2),
        "probabilities": rounded(detection.probabilities),
        "top": detection.top,
        "abstained": detection.abstained,
    }
    if detection.malignancy is not None:
        found["malignancy"] = round(detection.malignancy, 4)
    return found


def _of_view(result: DetectionResult) -> CropResult:
    """The detections of a view as one answer."""

    def probability(detection: Detection, group: str) -> float:
        return detection.score * detection.probabilities[group]

    groups = {str(group): max((probability(one, group) for one in result.detections), default=0.0) for group in GROUPS}
    leading = max(result.detections, key=lambda one: probability(one, one.top), default=None)
    malignancy = [one.malignancy for one in result.detections if one.malignancy is not None]
    return CropResult(
        result.score,
        groups,
        leading.top if leading else "",
        abstained=leading is not None and leading.abstained,
        malignancy=max(malignancy, default=None),
    )
