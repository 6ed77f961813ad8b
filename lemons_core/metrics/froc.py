"""Free response: how many lesions are found, for how many false marks, when a reader may mark anything anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.spatial import KDTree

from lemons_core.metrics.binary import Estimate, score, share

MARGIN_MM = 2.0  # a mark may lie so far off the outline that a reader drew


class BoxLike(Protocol):
    """What is asked of a mark; `lemons_core.vision.detect.detector.Detection` has it all."""

    @property
    def row(self) -> int: ...
    @property
    def col(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def speck_coords(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Mark:
    """One region of one view.

    score : 0-1
    lesion : the number of the lesion it hits, None for a false mark
    typed : whether its group is one of that lesion's
    """

    score: float
    lesion: int | None = None
    typed: bool = False


@dataclass(frozen=True)
class MarkedView:
    """One view, read: its score (0-1, that it holds any calcification), how many lesions it holds, and the marks."""

    score: float
    lesions: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class OperatingPoint:
    """What marks from a score on find.

    threshold : the score; views, normal_views : with and without lesions; lesions : how many
    sensitivity : share of lesions with a mark (Wilson)
    false_with_lesions, false_on_normal : false marks a view, on views with and without lesions; None without such views
    typed : share of the lesions found whose highest mark names one of their groups
    false_per_view : how many false marks a view the threshold was chosen for; None when it was given
    """

    threshold: float
    views: int
    lesions: int
    normal_views: int
    sensitivity: Estimate | None
    false_with_lesions: float | None
    false_on_normal: float | None
    typed: Estimate | None
    false_per_view: float | None = None


def lesion_of(region: BoxLike, masks: Sequence[np.ndarray], *, spacing_mm: float) -> int | None:
    """The lesion that a region hits, or None.

    It hits when the middle of its box, or at least half of its specks, lie in the lesion's outline or within 2 mm of
    it. A box that swallows the whole breast thus hits nothing. Of several lesions it is the one with most specks.

    masks : one (H, W) bool a lesion, the outline
    """
    middle = [[region.row + region.height / 2, region.col + region.width / 2]]
    points = np.concatenate([middle, np.asarray(region.speck_coords).reshape(-1, 2)])
    shares = []
    for mask in masks:
        near = _near(mask, points, MARGIN_MM / spacing_mm)
        specks = near[1:].mean() if len(near) > 1 else 0.0
        shares.append(max(specks, 0.5 if near[0] else 0.0))
    best = int(np.argmax(shares)) if shares else -1
    return best if shares and shares[best] >= 0.5 else None


def _near(mask: np.ndarray, points: np.ndarray, margin_px: float) -> np.ndarray:
    """(N,) bool, which of the points (N, 2) lie in the mask or at most so many pixels off it."""
    inside = np.argwhere(mask)
    if not len(inside):
        return np.zeros(len(points), bool)
    distance, _ = KDTree(inside).query(np.rint(points))
    return distance <= margin_px


def free_response(views: Sequence[MarkedView], *, false_per_view: Sequence[float] = (1, 2)) -> list[OperatingPoint]:
    """The operating points with so many false marks a view, over the views with lesions.

    The threshold of a point is the lowest score at which no more false marks remain; where marks are fewer than that
    altogether, all of them count.
    """
    with_lesions = [view for view in views if view.lesions]
    levels = sorted({mark.score for view in with_lesions for mark in view.marks}, reverse=True)
    false = np.array([mark.score for view in with_lesions for mark in view.marks if mark.lesion is None])
    points = []
    for wanted in false_per_view:
        fits = [level for level in levels if (false >= level).sum() <= wanted * len(with_lesions)]
        point = operating_point(views, threshold=fits[-1] if fits else float("inf"))
        points.append(replace(point, false_per_view=float(wanted)))
    return points


def operating_point(views: Sequence[MarkedView], *, threshold: float) -> OperatingPoint:
    """What marks from a score on find."""
    lesions = found = typed = 0
    false: dict[bool, list[int]] = {True: [], False: []}
    for view in views:
        marks = sorted((mark for mark in view.marks if mark.score >= threshold), key=lambda mark: -mark.score)
        best: dict[int, Mark] = {}
        for mark in marks:
            if mark.lesion is not None:
                best.setdefault(mark.lesion, mark)
        lesions += view.lesions
        found += len(best)
        typed += sum(mark.typed for mark in best.values())
        false[view.lesions > 0].append(sum(mark.lesion is None for mark in marks))
    return OperatingPoint(
        threshold=threshold,
        views=len(false[True]),
        lesions=lesions,
        normal_views=len(false[False]),
        sensitivity=share(found, lesions),
        false_with_lesions=float(np.mean(false[True])) if false[True] else None,
        false_on_normal=float(np.mean(false[False])) if false[False] else None,
        typed=share(typed, found),
    )


def view_auc(views: Sequence[MarkedView]) -> Estimate | None:
    """How well the score of a view tells views with lesions from those without, by bootstrap."""
    labels = np.array([view.lesions > 0 for view in views], float)
    figures = score(labels, np.array([view.score for view in views]), [str(number) for number in range(len(views))])
    return figures.auc
