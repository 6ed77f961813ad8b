"""The later pages of a report: each region enlarged, what the words mean, and the model card in short."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from lemons_core.base.colours import GROUP_COLOURS, LEMON, PATHOLOGY_COLOURS
from lemons_core.base.terms import GROUP_WORDS, GROUPS
from lemons_core.images.display import blend, to_grey8
from lemons_core.report.page import GREY, INK, MARGIN_MM, WIDTH_MM, Page
from lemons_core.report.pictures import cut_around, fit
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.findings import Analysis, CropResult, Detection
from lemons_core.vision.record.runs import MEASURED

MOST_CLOSE = 6  # regions shown enlarged
HEAT_WORDS = (
    "The heat map (Grad-CAM) shows which parts raised the score of one group, scaled to each region's own maximum. "
    "It is not an outline of a finding and says nothing of how sure the model is."
)


def render_close(page: Page, pixels: np.ndarray, analysis: Analysis, heat: np.ndarray | None) -> None:
    """Each detection, or the crop, enlarged, its heat map beside it, its probabilities as bars."""
    whole = (slice(0, pixels.shape[0]), slice(0, pixels.shape[1]))
    crop, detections = analysis.crop, analysis.detections
    parts: list[tuple[str, tuple[slice, slice], Detection | CropResult, float]] = []
    if crop:  # its regions fill it, and the heat map is that of the whole
        parts.append(("The crop as one piece", whole, crop, crop.calcification))
    else:
        for number, region in enumerate(detections[:MOST_CLOSE], start=1):
            parts.append((f"Detection {number}", cut_around(region, pixels.shape), region, region.score))
    if not parts:
        return
    page.heading("Enlarged" + (" with heat map" if heat is not None else ""), room=70)
    for title, cut, answer, score in parts:
        if page.will_page_break(50):
            page.add_page()
        top, left = page.get_y(), MARGIN_MM
        shown = fit(to_grey8(pixels[cut]), 480)
        page.picture(shown, left, top, 46, 46, text=title)
        left += 49
        if heat is not None:
            resized = np.asarray(Image.fromarray(heat[cut].astype(np.float32)).resize(shown.shape[::-1]))
            page.picture(blend(shown, resized), left, top, 46, 46, text=f"{title}: heat map for {answer.top}")
            left += 52
        page.use("B", 9.5, INK)
        page.set_xy(left, top)
        page.cell(0, 5, title)
        page.set_xy(left, top + 5)
        page.use("", 8, GREY)
        page.cell(0, 4, "not sure which group" if answer.abstained else f"most probable group: {answer.top}")
        width = MARGIN_MM + WIDTH_MM - left
        page.bar(left, top + 12, width, "calcification", score, LEMON)
        for line, group in enumerate(GROUPS, start=1):
            page.bar(left, top + 12 + 5.2 * line, width, group, answer.probabilities[group], GROUP_COLOURS[group])
        if answer.malignancy is not None:
            page.bar(left, top + 12 + 5.2 * 5, width, "malignancy", answer.malignancy, PATHOLOGY_COLOURS["MALIGNANT"])
        page.set_y(top + 49)
    if heat is not None:
        page.paragraph(HEAT_WORDS, size=7.5, colour=GREY)
    if not crop and len(detections) > MOST_CLOSE:
        page.paragraph(f"{len(detections) - MOST_CLOSE} more are in the table.", size=7.5, colour=GREY)


def render_words(page: Page) -> None:
    page.heading("What the groups mean")
    for group in GROUPS:
        page.use("B", 8.5, GROUP_COLOURS[group])
        page.cell(22, 4.6, group)
        page.paragraph(GROUP_WORDS[group])
        page.set_x(MARGIN_MM)


def render_model(page: Page, card: ModelCard) -> None:
    """The model card in short."""
    page.heading("The model", room=60)
    page.paragraph(
        f"{card.name} ({card.created}): {card.architecture}, {card.spacing_mm:g} mm a pixel. Trained on "
        f"{card.trained_on}. SHA-256 {card.sha256[:16]}."
    )
    page.ln(2)
    split = next((name for name in MEASURED if (card.metrics.get(name) or {}).get("labels")), "")
    if split:
        found = card.metrics[split]
        rows = [["Label", "With the label", "AUC (95% interval)", "Average precision (95% interval)"]]
        for label, figures in found["labels"].items():
            intervals = [_interval(figures[name]) for name in ("auc", "average_precision")]
            rows.append([label, f"{figures['positives']:,} of {found['n']:,}", *intervals])
        simulated = "simulated " if card.simulated else ""
        page.paragraph(f"Measured on {found['n']:,} {simulated}pictures ({split.replace('_', '-')}):", colour=GREY)
        page.ln(1)
        page.grid(rows, widths=(40, 32, 50, 56))
        page.ln(2)
    for limit in card.limits:
        page.paragraph(f"·  {limit}")


def _interval(figure: Sequence[float]) -> str:
    value, low, high = figure
    return f"{value:.3f} ({low:.3f}–{high:.3f})"
