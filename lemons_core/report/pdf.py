"""A report to print: the picture with its regions, what is in each, and what to make of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

import numpy as np
from fpdf.enums import XPos, YPos

from lemons_core.base.terms import GROUPS, display
from lemons_core.images.display import to_grey8
from lemons_core.images.info import ImageInfo
from lemons_core.report.closer import render_close, render_model, render_words
from lemons_core.report.page import GREY, INK, MARGIN_MM, Page
from lemons_core.report.pictures import detection_colour, fit
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.findings import Analysis, Detection, Refusal

LONGEST_PX = 1600  # of the view as printed: 300 dpi over 13 cm
_BEGINNING = "Found, classified and drawn by a program; nobody has looked at it. Probabilities are no diagnosis."
_KINDS = {"view": "whole view", "crop": "crop"}
_SPACING = {
    "given": "as the user states",
    "estimated": "estimated from the size of the breast",
    "assumed": "assumed, as for film scans",
}


def report_pdf(
    analysis: Analysis | Refusal,
    pixels: np.ndarray,
    card: ModelCard,
    *,
    name: str = "scan 1",
    heat: np.ndarray | None = None,
) -> bytes:
    """The report of one picture as the bytes of a PDF.

    analysis : of what is known of the file nothing but size, spacing, side, view and format is printed
    pixels : (H, W) float32, 0-1, of the picture
    card : of the model that gave the result
    name : title; the name of a file may hold that of a patient, so it is never taken from there
    heat : (H, W) float32, 0-1, on the pixel grid of the picture; None leaves heat maps out
    """
    found = None if isinstance(analysis, Refusal) else analysis
    page = Page(name=name, origin=f"Probabilities by a model trained on {card.trained_on}.")
    page.use("B", 18, INK)
    page.multi_cell(0, 9, "Calcifications in a mammogram", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.paragraph(f"{name}, {date.today():%d %B %Y}. {_BEGINNING}", size=9, colour=GREY)
    page.ln(2)
    if isinstance(analysis, Refusal):
        page.note(f"Refused: {analysis.reason}")
    elif analysis.forced:
        page.note(f"Refused: {analysis.forced} The figures were asked for all the same.")
    _render_image(page, analysis.image, pixels, found)
    for warning in (found or analysis.image).warnings:
        page.note(warning)
    if found:
        _render_detections(page, found.detections)
        render_close(page, pixels, found, heat)
    render_words(page)
    render_model(page, card)
    return bytes(page.output())


def _render_image(page: Page, image: ImageInfo, pixels: np.ndarray, analysis: Analysis | None) -> None:
    """The picture with its boxes on the left, the answer and the facts on the right."""
    top = page.get_y()
    detections = analysis.detections if analysis else ()
    shown = fit(to_grey8(pixels), LONGEST_PX)
    words = f"The picture with {len(detections)} numbered regions" if detections else "The picture"
    scale = page.picture(shown, MARGIN_MM, top, 104, 140, text=words)
    _draw_boxes(page, detections, MARGIN_MM, top, scale * shown.shape[0] / image.height)
    bottom = top + shown.shape[0] * scale
    left = MARGIN_MM + max(shown.shape[1] * scale, 60) + 8
    page.set_left_margin(left)
    page.set_y(top)
    if analysis:
        score = analysis.crop.calcification if analysis.crop else analysis.result.score
        page.use("B", 26, INK)
        page.cell(0, 11, f"{score:.0%}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        page.paragraph("probability of any calcification in this " + _KINDS[analysis.result.kind], size=9)
        page.ln(2)
        page.paragraph(_summary(analysis), size=9)
        page.ln(3)
    for label, value in _facts(image, analysis).items():
        page.use("", 7.5, GREY)
        page.cell(0, 3.8, label, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        page.paragraph(value)
        page.ln(1)
    page.set_left_margin(MARGIN_MM)
    page.set_y(max(bottom, page.get_y()) + 4)


def _draw_boxes(page: Page, detections: Sequence[Detection], x: float, y: float, scale: float) -> None:
    """Frames and numbers; drawn as lines, so that they stay sharp at any zoom."""
    page.set_line_width(0.4)
    for number, detection in enumerate(detections, start=1):
        colour = detection_colour(detection)
        page.set_draw_color(colour)
        page.set_fill_color(colour)
        left, top = x + detection.col * scale, y + detection.row * scale
        page.rect(left, top, detection.width * scale, detection.height * scale)
        label = str(number)
        width = 1.6 + 1.6 * len(label)
        above = max(top - 3.4, y)
        page.rect(left - 0.2, above, width, 3.4, style="F")
        page.use("B", 7, "#FFFFFF")
        page.set_xy(left - 0.2, above)
        page.cell(width, 3.4, label, align="C")
    page.set_line_width(0.2)


def _summary(analysis: Analysis) -> str:
    """What was found, in a sentence or two."""
    found, crop, detections = [], analysis.crop, analysis.detections
    if crop:
        kind = "the model is not sure which group" if crop.abstained else f"most probably {crop.top}"
        found.append(f"As one piece: {kind}.")
    if not detections:
        return " ".join([*found, "No region reached the threshold."])
    groups = Counter("not sure" if detection.abstained else detection.top for detection in detections)
    regions = "1 region" if len(detections) == 1 else f"{len(detections)} regions"
    return " ".join([*found, f"{regions}: " + ", ".join(f"{n} {group}" for group, n in groups.most_common()) + "."])


def _facts(image: ImageInfo, analysis: Analysis | None) -> dict[str, str]:
    facts = {
        "Side and view": f"{display(image.laterality) if image.laterality else 'side not stated'}, "
        f"{image.view or 'view not stated'}",
        "Size": f"{image.width:,} x {image.height:,} pixels",
        "Format": image.format,
    }
    if analysis:
        spacing = analysis.result.spacing
        source = f"from {image.spacing_source}" if image.spacing_mm else _SPACING[spacing.source]
        facts["Pixel spacing"] = f"{spacing.mm:.3f} mm, {source}"
        facts["Taken as"] = _KINDS[analysis.result.kind]
    return facts


def _render_detections(page: Page, detections: Sequence[Detection]) -> None:
    if not detections:
        return
    page.heading("Regions")
    page.paragraph(
        "Calcification: that there is any in the region. Groups: what it is if so; a region can hold several, so they "
        "need not sum to 100%. Row and column: upper left corner, in pixels of the full picture.",
        size=7.5,
        colour=GREY,
    )
    page.ln(1)
    head = ["No.", "Group", "Calcification", *map(str, GROUPS), "Specks", "Extent", "Row, column"]
    rows = [
        [
            str(number),
            "not sure" if detection.abstained else detection.top,
            f"{detection.score:.0%}",
            *(f"{detection.probabilities[group]:.0%}" for group in GROUPS),
            str(detection.n_specks),
            f"{detection.extent_mm:.1f} mm",
            f"{detection.row}, {detection.col}",
        ]
        for number, detection in enumerate(detections, start=1)
    ]
    page.grid([head, *rows], widths=(9, 25, 25, 21, 14, 14, 18, 15, 17, 24), left=2)
