"""Free response on cases worked out by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from lemons_core.metrics.binary import wilson
from lemons_core.metrics.froc import Mark, MarkedView, free_response, lesion_of, operating_point, view_auc


@dataclass(frozen=True)
class Detection:
    row: int
    col: int
    height: int
    width: int
    speck_coords: np.ndarray


def region(row, col, height=10, width=10, places=()):
    return Detection(row, col, height, width, np.array(places, int).reshape(-1, 2))


def outline(top, left, size=20, shape=(400, 300)):
    mask = np.zeros(shape, bool)
    mask[top : top + size, left : left + size] = True
    return mask


MASKS = (outline(100, 100), outline(300, 200))


def test_a_mark_hits_the_lesion_that_it_lies_on():
    assert lesion_of(region(105, 105), MASKS, spacing_mm=0.1) == 0
    assert lesion_of(region(305, 205), MASKS, spacing_mm=0.1) == 1
    assert lesion_of(region(200, 200), MASKS, spacing_mm=0.1) is None
    assert lesion_of(region(105, 105), (), spacing_mm=0.1) is None
    assert lesion_of(region(105, 105), (np.zeros((400, 300), bool),), spacing_mm=0.1) is None


def test_two_millimetres_are_two_millimetres_at_any_spacing():
    near = region(104, 122 + 10, places=[])  # middle at column 137, 18 pixels off the outline
    assert lesion_of(near, MASKS, spacing_mm=0.1) == 0
    assert lesion_of(near, MASKS, spacing_mm=0.2) is None
    # Outside the picture's border there is nothing to hit, and nothing to stumble over.
    assert lesion_of(region(105, 290, width=40), (outline(100, 285, size=15),), spacing_mm=0.1) == 0


def test_specks_hit_where_the_middle_of_a_long_box_does_not():
    along = [(105, 105), (110, 108), (112, 250)]
    assert lesion_of(region(100, 100, 20, 180, along), MASKS, spacing_mm=0.1) == 0
    most_elsewhere = [(105, 105), (110, 250), (112, 260), (115, 270)]
    assert lesion_of(region(100, 100, 20, 180, most_elsewhere), MASKS, spacing_mm=0.1) is None


def test_a_box_that_swallows_everything_hits_nothing():
    scattered = [(10 * k, 7 * k) for k in range(40)]
    assert lesion_of(region(0, 0, 400, 300, scattered), MASKS, spacing_mm=0.1) is None


# Two views with three lesions, one without any.
VIEWS = (
    MarkedView(
        0.9,
        2,
        (Mark(0.9, 0, True), Mark(0.85, 0, False), Mark(0.8), Mark(0.6, 1, False), Mark(0.5), Mark(0.4)),
    ),
    MarkedView(0.7, 1, (Mark(0.7), Mark(0.3, 0, True))),
    MarkedView(0.75, 0, (Mark(0.75), Mark(0.2))),
)


def test_an_operating_point_by_hand():
    point = operating_point(VIEWS, threshold=0.6)
    assert (point.views, point.lesions, point.normal_views) == (2, 3, 1)
    assert point.sensitivity == pytest.approx([2 / 3, *wilson(2, 3)]), "a second mark on a lesion finds nothing new"
    assert point.false_with_lesions == pytest.approx(2 / 2)
    assert point.false_on_normal == 1
    assert point.typed == pytest.approx([1 / 2, *wilson(1, 2)]), "the highest mark of a lesion names its group"


def test_points_of_the_curve_by_hand():
    none, one, two, many = free_response(VIEWS, false_per_view=(0, 1, 2, 50))
    assert none.threshold == 0.85 and none.sensitivity[0] == pytest.approx(1 / 3)
    assert one.threshold == 0.6 and one.sensitivity[0] == pytest.approx(2 / 3)
    assert two.threshold == 0.3 and two.sensitivity[0] == 1
    assert two.false_with_lesions == pytest.approx(2) and two.false_on_normal == 1
    assert many.threshold == 0.3


def test_marks_of_the_same_score_stand_or_fall_together():
    view = MarkedView(0.5, 1, (Mark(0.5, 0), Mark(0.5), Mark(0.5)))
    (point,) = free_response([view], false_per_view=(1,))
    assert point.sensitivity[0] == 0 and point.threshold == float("inf")


def test_views_without_a_mark():
    blind = [MarkedView(0.1, 1, ()), MarkedView(0.1, 0, ())]
    (point,) = free_response(blind, false_per_view=(1,))
    assert point.sensitivity[0] == 0 and point.false_on_normal == 0 and point.typed is None


def test_the_auc_of_views():
    assert view_auc(VIEWS)[0] == pytest.approx(0.5)  # 0.9 beats 0.75, 0.7 does not
    assert view_auc(VIEWS[:2]) is None
