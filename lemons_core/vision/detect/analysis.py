"""One picture to everything the model says of it, and that to the objects that the command line and the files hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lemons_core.base.io import rounded
from lemons_core.base.progress import Progress
from lemons_core.base.terms import GROUPS
from lemons_core.images import NO_SPACING, TURNED, Picture
from lemons_core.mammogram import FILM_SPACING_MM, Breast, find_breast
from lemons_core.mammogram.validity import notes_on, refusal
from lemons_core.vision.detect.classify import CropResult, predict_crop
from lemons_core.vision.detect.detector import MIN_SCORE, Detection, DetectionResult, analyse
from lemons_core.vision.detect.ood import ood_distance
from lemons_core.vision.network.model import MALIGNANCY
from lemons_core.vision.network.preprocess import MOST_PIXELS
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import ModelCard


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model says of one picture.

    scan : None when the picture was refused
    crop : the answer to the picture as one piece; None for a whole view
    refused : why this is no mammogram, None when it is one; with a scan: the user went on anyhow
    warnings : what a reader must know before believing a number
    """

    picture: Picture
    scan: DetectionResult | None
    crop: CropResult | None
    refused: str | None
    warnings: tuple[str, ...]


def answer_for(
    picture: Picture,
    *,
    model: Model | None = None,
    kind: str | None = None,
    spacing_mm: float | None = None,
    min_score: float = MIN_SCORE,
    anyway: bool = False,
    progress: Progress | None = None,
) -> Answer:
    """Refuse, or find and classify.

    Parameters
    ----------
    picture : as read_image gives it
    model : the shipped one when None
    kind : "view" or "crop"; None: told from the picture
    spacing_mm : of a picture that does not state its own; None: estimated, or as of film
    min_score : regions with a lower calibrated probability are left out
    anyway : go on with a picture that is refused

    Raises
    ------
    ModelError : no usable model
    """
    spacing = picture.spacing_mm or spacing_mm
    breast = find_breast(picture.pixels, spacing_mm=spacing or (FILM_SPACING_MM if kind == "crop" else None))
    refused = refusal(picture, breast)
    if refused and not anyway:
        return Answer(picture, None, None, refused, picture.warnings)
    model = model or read_model()
    scan = analyse(
        picture.pixels,
        spacing_mm=spacing,
        min_score=min_score,
        kind=kind,
        breast=breast,
        model=model,
        progress=progress,
    )
    crop = None
    if scan.kind == "crop":
        crop = predict_crop(picture.pixels, spacing_mm=scan.spacing_mm, model=model)
    return Answer(picture, scan, crop, refused, warnings_of(picture, scan, model, breast))


def warnings_of(picture: Picture, scan: DetectionResult, model: Model, breast: Breast) -> tuple[str, ...]:
    """What a reader must know: of the picture, of its spacing, and whether the model knows its like."""
    given = scan.spacing_mm if scan.spacing_source == "given" else None
    found = notes_on(picture, breast, spacing_mm=given, kind=scan.kind)
    found += [one for one in picture.warnings if one != NO_SPACING]
    if TURNED in picture.notes:
        found.append("The file asks to be turned (EXIF): rows and columns are those of the upright picture.")
    if picture.pixels.size * (scan.spacing_mm / model.card.spacing_mm) ** 2 > MOST_PIXELS:
        found.append("The picture is very large: it was reduced below the model's spacing, and small specks are lost.")
    if (ood_distance(picture.pixels, spacing_mm=scan.spacing_mm, model=model, breast=breast) or 0) > 1:
        found.append("This picture is unlike everything that the model was trained on; its numbers mean little here.")
    return tuple(dict.fromkeys(found))


def describe_answer(answer: Answer, card: ModelCard, file: str) -> dict[str, Any]:
    """`describe` for a whole answer."""
    return describe(
        answer.picture,
        answer.scan,
        card,
        file,
        crop=answer.crop,
        refused=answer.refused,
        warnings=answer.warnings,
    )


def describe(
    picture: Picture,
    result: DetectionResult | None,
    card: ModelCard,
    file: str,
    *,
    crop: CropResult | None = None,
    refused: str | None = None,
    warnings: Sequence[str] | None = None,
) -> dict[str, Any]:
    """One object of `predict --json`.

    For a crop `calcification` and the groups are the answer to it as one piece. For a view a group has the highest
    probability of any region, that it is calcification times that it is of this group if so; 0 and no `top` without
    regions. All are null when the picture was refused. Boxes count pixels of the file as stored, but for a file that
    asks to be turned (EXIF): those of the upright picture.
    """
    height, width = picture.pixels.shape
    whole = crop or (result and _of_view(result))
    found = {
        "file": file,
        "kind": result and result.kind,
        "width": width,
        "height": height,
        "spacing_mm": picture.spacing_mm,
        "spacing_source": result.spacing_source if result else "given" if picture.spacing_mm else "unknown",
        "spacing_used_mm": result and round(result.spacing_mm, 4),
        "laterality": picture.laterality and str(picture.laterality),
        "view": picture.view and str(picture.view),
        "refused": refused,
        "calcification": whole and round(whole.calcification, 4),
        "probabilities": whole and rounded(whole.probabilities),
        "top": whole and (whole.top or None),
        "abstained": whole and whole.abstained,
        "warnings": list(picture.warnings if warnings is None else warnings),
        "model": {"name": card.name, "trained_on": card.trained_on, "sha256": card.sha256},
        "regions": [describe_detection(region) for region in result.regions] if result else [],
    }
    if MALIGNANCY in card.labels:
        found["malignancy"] = round(whole.malignancy, 4) if whole and whole.malignancy is not None else None
    return found


def describe_detection(region: Detection) -> dict[str, Any]:
    """One region, ready for JSON: box in pixels, probabilities 0-1."""
    found = {
        **{name: int(getattr(region, name)) for name in ("row", "col", "height", "width")},
        "score": round(region.score, 4),
        "spots": int(region.n_specks),
        "extent_mm": round(region.extent_mm, 2),
        "probabilities": rounded(region.probabilities),
        "top": region.top,
        "abstained": region.abstained,
    }
    if region.malignancy is not None:
        found["malignancy"] = round(region.malignancy, 4)
    return found


def _of_view(result: DetectionResult) -> CropResult:
    """The regions of a view as one answer."""
    groups = {
        str(group): max((region.score * region.probabilities[group] for region in result.regions), default=0.0)
        for group in GROUPS
    }
    leading = max(result.regions, key=lambda region: region.score * region.probabilities[region.top], default=None)
    malignancy = [region.malignancy for region in result.regions if region.malignancy is not None]
    return CropResult(
        result.score,
        groups,
        leading.top if leading else "",
        abstained=leading is not None and leading.abstained,
        malignancy=max(malignancy, default=None),
    )
