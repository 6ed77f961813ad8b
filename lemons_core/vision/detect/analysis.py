"""One picture to everything that the model says of it."""

from lemons_core.base.progress import Progress, no_progress
from lemons_core.images import NO_SPACING, TURNED, Picture
from lemons_core.images.info import info_of
from lemons_core.mammogram import FILM_SPACING_MM, Geometry, find_breast, find_geometry
from lemons_core.mammogram.validity import notes_on, refusal
from lemons_core.vision.detect.classify import check_pixels, classify
from lemons_core.vision.detect.detector import detect
from lemons_core.vision.detect.ood import ood_distance
from lemons_core.vision.network.preprocess import MOST_PIXELS, normalise_image
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.findings import Analysis, AnalysisOptions, Refusal


def analyse_picture(
    picture: Picture,
    options: AnalysisOptions | None = None,
    *,
    model: Model | None = None,
    progress: Progress | None = None,
) -> Analysis | Refusal:
    """Refuse, or find and classify.

    picture : as read_image gives it
    model : the shipped one when None
    Raises ModelError: no usable model
    """
    options, progress = options or AnalysisOptions(), progress or no_progress
    pixels, spacing = picture.pixels, picture.spacing_mm or options.spacing_mm
    breast = find_breast(pixels, spacing_mm=spacing or (FILM_SPACING_MM if options.kind == "crop" else None))
    refused = refusal(picture, breast)
    if refused and not options.force:
        return Refusal(info_of(picture), refused)
    model = model or read_model()
    check_pixels(pixels)
    progress(0.0, "finding the breast")
    geometry = find_geometry(pixels, spacing_mm=spacing, kind=options.kind, breast=breast)
    image = normalise_image(pixels, geometry.spacing.mm, model.card)
    result = detect(image, geometry, model, min_score=options.min_score, progress=progress)
    crop = classify(image, model) if geometry.kind == "crop" else None
    return Analysis(info_of(picture), result, crop, _warnings(picture, geometry, model), refused)


def _warnings(picture: Picture, geometry: Geometry, model: Model) -> tuple[str, ...]:
    """What a reader must know: of the picture, of its spacing, and whether the model knows its like."""
    pixels, spacing_mm = picture.pixels, geometry.spacing.mm
    found = notes_on(picture, geometry)
    found += [one for one in picture.warnings if one != NO_SPACING]
    if TURNED in picture.notes:
        found.append("The file asks to be turned (EXIF): rows and columns are those of the upright picture.")
    if pixels.size * (spacing_mm / model.card.spacing_mm) ** 2 > MOST_PIXELS:
        found.append("The picture is very large: it was reduced below the model's spacing, and small specks are lost.")
    if (ood_distance(pixels, spacing_mm=spacing_mm, model=model, breast=geometry.breast) or 0) > 1:
        found.append("This picture is unlike everything that the model was trained on; its numbers mean little here.")
    return tuple(dict.fromkeys(found))
