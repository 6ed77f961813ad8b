"""Figures and colours: what is drawn is what was counted, and everyone can tell it apart."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lemons_core.base.colours import DARK_PAGE, GROUP_COLOURS, LEMON, LIGHT_PAGE, NEUTRAL, PATHOLOGY_COLOURS
from lemons_core.base.terms import GROUPS, Pathology
from lemons_core.charts.base import bars_figure, counts_figure, probability_figure, share_figure, with_ink
from lemons_core.dataset.explore import NOT_STATED, PATHOLOGIES

# Linear RGB as seen without one cone type; Machado, Oliveira and Fernandes 2009, severity 1.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour):
    part = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    dark, light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    ratio = xyz / [0.95047, 1, 1.08883]
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("colour", [*GROUP_COLOURS.values(), *PATHOLOGY_COLOURS.values(), LEMON, NEUTRAL])
@pytest.mark.parametrize("page", [LIGHT_PAGE, DARK_PAGE])
def test_every_colour_stands_out_from_both_pages(colour, page):
    assert contrast(colour, page) >= 3


@pytest.mark.parametrize("kind", VISION)
def test_groups_can_be_told_apart_by_every_eye(kind):
    seen = [lab(np.array(VISION[kind]) @ linear(colour)) for colour in GROUP_COLOURS.values()]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 20


def test_every_group_and_pathology_has_a_colour_of_its_own():
    assert set(GROUP_COLOURS) == set(GROUPS) and set(PATHOLOGY_COLOURS) == set(Pathology) == set(PATHOLOGIES)
    colours = [*GROUP_COLOURS.values(), *PATHOLOGY_COLOURS.values()]
    assert len(set(colours)) == len(colours)


def test_counts_are_drawn_as_counted():
    counts = pd.DataFrame({"value": ["a"] * 3 + ["b"] * 3, "pathology": [*PATHOLOGIES] * 2, "n": [1, 2, 3, 40, 50, 60]})
    bars = [trace for trace in counts_figure(counts).data if trace.type == "bar"]
    assert {bar.name: tuple(bar.x) for bar in bars} == {
        "malignant": (1, 40),
        "benign": (2, 50),
        "benign, no callback": (3, 60),
    }


def test_shares_are_drawn_in_percent_with_their_interval_and_n():
    shares = pd.DataFrame(
        [("micro", "micro", 10, 5, 0.5, 0.24, 0.76)], columns=["key", "value", "n", "malignant", "share", "low", "high"]
    )
    figure = share_figure(shares)
    dot = figure.data[0]
    assert dot.x[0] == 50 and dot.marker.color == GROUP_COLOURS["micro"]
    assert dot.error_x.array[0] == pytest.approx(26) and dot.error_x.arrayminus[0] == pytest.approx(26)
    assert "n=10" in figure.layout.yaxis.ticktext[0]


def test_a_share_without_a_value_has_no_family_colour():
    columns = ["key", "value", "n", "malignant", "share", "low", "high"]
    rows = [(NOT_STATED, NOT_STATED, 10, 5, 0.5, 0.24, 0.76), ("CC", "CC", 10, 5, 0.5, 0.24, 0.76)]
    missing, stated = share_figure(pd.DataFrame(rows, columns=columns)).data
    assert missing.marker.color == NEUTRAL and stated.marker.color == PATHOLOGY_COLOURS["MALIGNANT"]


def test_words_can_be_read_on_both_pages():
    for dark, paper in ((True, DARK_PAGE), (False, LIGHT_PAGE)):
        figure = with_ink(bars_figure(["a"], [1], "rows"), dark=dark)
        for colour in (
            figure.layout.xaxis.tickfont.color,
            figure.layout.yaxis.tickfont.color,
            figure.data[0].textfont.color,
        ):
            assert contrast(colour, paper) >= 4.5


def test_probabilities_keep_their_order_and_colours():
    probabilities = dict(zip(map(str, GROUPS), (0.1, 0.2, 0.3, 0.4), strict=True))
    bar = probability_figure(0.9, probabilities).data[0]
    assert list(bar.y) == ["any calcification", "amorphous", "macro", "micro", "vascular"]
    assert list(bar.x) == pytest.approx([90, 10, 20, 30, 40])
    assert list(bar.marker.color[1:]) == list(GROUP_COLOURS.values())
