"""A report to print: the picture with its regions, what is in each, and what to make of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from fpdf.enums import XPos, YPos

from lemons_core.base.io import write_atomic
from lemons_core.base.terms import GROUPS, display
from lemons_core.images import Picture
from lemons_core.images.display import to_grey8
from lemons_core.report.closer import render_close, render_model, render_words
from lemons_core.report.page import GREY, INK, MARGIN_MM, Page
from lemons_core.report.pictures import fit, region_colour
from lemons_core.vision.record.card import ModelCard

if TYPE_CHECKING:
    from lemons_core.vision.detect.classify import CropResult
    from lemons_core.vision.detect.detector import Detection, DetectionResult

LONGEST_PX = 1600  # of the view as printed: 300 dpi over 13 cm
_BEGINNING = "Found, classified and drawn by a program; nobody has looked at it. Probabilities are no diagnosis."
_KINDS = {"view": "whole view", "crop": "crop"}
_SPACING = {
    "given": "as the user states",
    "estimated": "estimated from the size of the breast",
    "assumed": "assumed, as for film scans",
}


def write_report(
    path: str | Path,
    picture: Picture,
    result: "DetectionResult | None",
    card: ModelCard,
    *,
    name: str = "scan 1",
    crop: "CropResult | None" = None,
    refused: str | None = None,
    heat: np.ndarray | None = None,
    warnings: Sequence[str] | None = None,
) -> None:
    """Write `report_pdf` to a file, whole or not at all."""
    data = report_pdf(picture, result, card, name=name, crop=crop, refused=refused, heat=heat, warnings=warnings)
    write_atomic(Path(path), data)


def report_pdf(
    picture: Picture,
    result: "DetectionResult | None",
    card: ModelCard,
    *,
    name: str = "scan 1",
    crop: "CropResult | None" = None,
    refused: str | None = None,
    heat: np.ndarray | None = None,
    warnings: Sequence[str] | None = None,
) -> bytes:
    """The report of one picture as the bytes of a PDF.

    Parameters
    ----------
    picture : as read; of its header nothing but size, spacing, side, view and format is printed
    result : None for a picture that was refused
    card : of the model that gave the result
    name : title; the name of a file may hold that of a patient, so it is never taken from there
    crop : the answer to the picture as one piece, for crops
    refused : why the picture is no mammogram, when it was refused
    heat : (H, W) float32, 0-1, on the pixel grid of the picture; None leaves heat maps out
    warnings : to print; those of the picture when None
    """
    page = Page(name=name, origin=f"Probabilities by a model trained on {card.trained_on}.")
    page.use("B", 18, INK)
    page.multi_cell(0, 9, "Calcifications in a mammogram", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.paragraph(f"{name}, {date.today():%d %B %Y}. {_BEGINNING}", size=9, colour=GREY)
    page.ln(2)
    if refused:
        page.note(f"Refused: {refused}" + (" The figures were asked for all the same." if result else ""))
    grey = to_grey8(picture.pixels)
    _render_answer(page, picture, grey, result, crop)
    for warning in picture.warnings if warnings is None else warnings:
        page.note(warning)
    if result:
        _render_regions(page, result)
        render_close(page, picture.pixels, result, crop, heat)
    render_words(page)
    render_model(page, card)
    return bytes(page.output())


def _render_answer(
    page: Page, picture: Picture, grey: np.ndarray, result: "DetectionResult | None", crop: "CropResult | None"
) -> None:
    """The picture with its boxes on the left, the answer and the facts on the right."""
    top = page.get_y()
    regions = result.regions if result else ()
    shown = fit(grey, LONGEST_PX)
    words = f"The picture with {len(regions)} numbered regions" if regions else "The picture"
    x, y, scale = page.picture(shown, MARGIN_MM, top, 104, 140, text=words)
    _draw_boxes(page, regions, x, y, scale * shown.shape[0] / grey.shape[0])
    bottom = y + shown.shape[0] * scale
    left = x + max(shown.shape[1] * scale, 60) + 8
    page.set_left_margin(left)
    page.set_y(top)
    if result:
        page.use("B", 26, INK)
        page.cell(0, 11, f"{crop.calcification if crop else result.score:.0%}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        page.paragraph("probability of any calcification in this " + _KINDS[result.kind], size=9)
        page.ln(2)
        page.paragraph(_summary(result, crop), size=9)
        page.ln(3)
    for label, value in _facts(picture, result).items():
        page.use("", 7.5, GREY)
        page.cell(0, 3.8, label, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        page.paragraph(value)
        page.ln(1)
    page.set_left_margin(MARGIN_MM)
    page.set_y(max(bottom, page.get_y()) + 4)


def _draw_boxes(page: Page, regions: Sequence["Detection"], x: float, y: float, scale: float) -> None:
    """Frames and numbers; drawn as lines, so that they stay sharp at any zoom."""
    page.set_line_width(0.4)
    for number, region in enumerate(regions, start=1):
        colour = region_colour(region)
        page.set_draw_color(colour)
        page.set_fill_color(colour)
        left, top = x + region.col * scale, y + region.row * scale
        page.rect(left, top, region.width * scale, region.height * scale)
        label = str(number)
        width = 1.6 + 1.6 * len(label)
        above = max(top - 3.4, y)
        page.rect(left - 0.2, above, width, 3.4, style="F")
        page.use("B", 7, "#FFFFFF")
        page.set_xy(left - 0.2, above)
        page.cell(width, 3.4, label, align="C")
    page.set_line_width(0.2)


def _summary(result: "DetectionResult", crop: "CropResult | None") -> str:
    """What was found, in a sentence or two."""
    found = []
    if crop:
        kind = "the model is not sure which group" if crop.abstained else f"most probably {crop.top}"
        found.append(f"As one piece: {kind}.")
    if not result.regions:
        return " ".join([*found, "No region reached the threshold."])
    groups = Counter("not sure" if region.abstained else region.top for region in result.regions)
    regions = "1 region" if len(result.regions) == 1 else f"{len(result.regions)} regions"
    return " ".join([*found, f"{regions}: " + ", ".join(f"{n} {group}" for group, n in groups.most_common()) + "."])


def _facts(picture: Picture, result: "DetectionResult | None") -> dict[str, str]:
    height, width = picture.pixels.shape
    facts = {
        "Side and view": f"{display(picture.laterality) if picture.laterality else 'side not stated'}, "
        f"{picture.view or 'view not stated'}",
        "Size": f"{width:,} x {height:,} pixels",
        "Format": picture.format,
    }
    if result:
        source = f"from {picture.spacing_source}" if picture.spacing_mm else _SPACING[result.spacing_source]
        facts["Pixel spacing"] = f"{result.spacing_mm:.3f} mm, {source}"
        facts["Taken as"] = _KINDS[result.kind]
    return facts


def _render_regions(page: Page, result: "DetectionResult") -> None:
    if not result.regions:
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
            "not sure" if region.abstained else region.top,
            f"{region.score:.0%}",
            *(f"{region.probabilities[group]:.0%}" for group in GROUPS),
            str(region.n_specks),
            f"{region.extent_mm:.1f} mm",
            f"{region.row}, {region.col}",
        ]
        for number, region in enumerate(result.regions, start=1)
    ]
    page.grid([head, *rows], widths=(9, 25, 25, 21, 14, 14, 18, 15, 17, 24), left=2)
