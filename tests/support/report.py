"""What tests of reports share: a result made by hand, and the text of a PDF."""

import re
import zlib

import numpy as np

from lemons_core.base.terms import GROUPS
from lemons_core.images import Picture
from lemons_core.images.info import info_of
from lemons_core.mammogram import Spacing
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.record.findings import Analysis, Detection, DetectionResult, Refusal

CARD = ModelCard(
    name="test-model",
    architecture="ResNet34",
    labels=("calcification", *map(str, GROUPS)),
    spacing_mm=0.1,
    tile_px=128,
    background_mm=1.5,
    contrast_mm=4.0,
    trained_on="simulated calcifications only",
    simulated=True,
    created="2026-01-02",
    metrics={
        "held_out": {
            "n": 1234,
            "labels": {
                "calcification": {
                    "positives": 600,
                    "auc": [0.912, 0.881, 0.934],
                    "average_precision": [0.9, 0.8, 0.95],
                }
            },
        }
    },
    limits=("Unknown on real mammograms.",),
    sha256="ab" * 32,
)


def picture(height=600, width=400, **changes) -> Picture:
    pixels = np.random.default_rng(3).random((height, width), dtype=np.float32) * 0.5 + 0.2
    facts = {"spacing_mm": 0.07, "spacing_source": "ImagerPixelSpacing", "laterality": None, "view": None}
    rest = {"format": "PNG 16 bit", "header": {}, "notes": (), "warnings": ()}
    return Picture(**{"pixels": pixels, **facts, **rest, **changes})


def region(row, col, height, width, *, score=0.8, top="micro", abstained=False, malignancy=None) -> Detection:
    groups = {str(group): 0.7 if group == top else 0.1 for group in GROUPS}
    specks = np.array([[row, col], [row + height - 1, col + width - 1]])
    return Detection(row, col, height, width, score, 2, 3.25, groups, top, abstained, malignancy, specks)


def result(*regions, kind="view", score=0.9, source="given") -> DetectionResult:
    return DetectionResult(score, tuple(regions), kind, Spacing(0.07, source))


def analysis(found: DetectionResult, of: Picture | None = None, *, warnings=(), crop=None, forced=None) -> Analysis:
    return Analysis(info_of(of or picture()), found, crop, tuple(warnings), forced)


def refusal(reason: str, of: Picture | None = None) -> Refusal:
    return Refusal(info_of(of or picture()), reason)


def pdf_streams(data: bytes) -> bytes:
    """Everything in a PDF, unpacked."""
    found = [data]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            found.append(stream)
    return b"\n".join(found)


def pdf_pages(data: bytes) -> list[str]:
    """The text of each page, for a PDF that was written with the Latin-1 fonts; words of a line are joined."""
    pages = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        if b" Tj" in content or b" TJ" in content:
            strings = re.findall(rb"\(((?:\\.|[^\\()])*)\)", content)
            words = b" ".join(re.sub(rb"\\(.)", rb"\1", string) for string in strings)
            pages.append(" ".join(words.decode("latin-1").split()))
    return pages
