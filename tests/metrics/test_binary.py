"""Figures against values worked out by hand, and the fast bootstrap against the slow, obvious one."""

import numpy as np
import pytest

from lemons_core.base.errors import DataError
from lemons_core.metrics.binary import auc, average_precision, brier, ece, reliability, score, thresholds, wilson
from lemons_core.metrics.multilabel import average_labels, score_answers, score_labels, score_single

LABELS = np.array([1, 0, 1, 0, 1.0])
SCORES = np.array([0.9, 0.8, 0.8, 0.3, 0.2])


def made_up(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(size=n).round(2)
    return (rng.uniform(size=n) < truth).astype(float), truth, rng.integers(0, n // 2, size=n).astype(str)


def test_wilson_holds_at_the_edges() -> None:
    assert wilson(255, 322) == pytest.approx((0.744, 0.833), abs=5e-4)  # the original work's 79.2 %
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=5e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=5e-4)
    assert np.isnan(wilson(0, 0)).all()


def test_auc_counts_ties_half() -> None:
    # pairs (malignant, benign): .9 beats both; .8 ties one and beats one; .2 loses both -> 3.5 of 6
    assert auc(LABELS, SCORES) == pytest.approx(3.5 / 6)
    assert auc(LABELS, 1 - SCORES) == pytest.approx(1 - 3.5 / 6)
    assert np.isnan(auc(np.ones(3), np.array([0.1, 0.2, 0.3])))


def test_average_precision_by_hand() -> None:
    # thresholds .9: 1/1 adds 1/3; .8: 2 of 3 adds 1/3; .2: 3 of 5 adds 1/3
    assert average_precision(LABELS, SCORES) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_brier_and_ece_by_hand() -> None:
    labels, p = np.array([0, 0, 1, 1.0]), np.array([0.12, 0.14, 0.74, 0.78])
    assert brier(labels, p) == pytest.approx((0.12**2 + 0.14**2 + 0.26**2 + 0.22**2) / 4)
    # two bins of two rows: stated .13 seen 0, stated .76 seen 1
    assert ece(labels, p) == pytest.approx((0.13 + 0.24) / 2)
    assert reliability(labels, p)["n"].tolist() == [2, 2]


def test_the_highest_probability_has_a_bin() -> None:
    table = reliability(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    assert table["high"].tolist() == pytest.approx([0.1, 1.0])
    assert ece(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0


def test_thresholds_run_from_nobody_to_everybody() -> None:
    table = thresholds(LABELS, SCORES)
    assert table["threshold"].tolist() == [np.inf, 0.9, 0.8, 0.3, 0.2]
    assert table["tp"].tolist() == [0, 1, 2, 2, 3]
    assert table["fp"].tolist() == [0, 0, 1, 2, 2]
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == len(LABELS)).all()
    assert table["sensitivity"].iloc[-1] == 1 and table["specificity"].iloc[0] == 1


def test_bootstrap_draws_patients_not_rows() -> None:
    """Against the obvious loop: draw patients, collect their rows, compute."""
    labels, p, patients = made_up()
    fast = score(labels, p, patients, replicates=2000, seed=1)
    rng = np.random.default_rng(2)
    names = np.unique(patients)
    rows = {name: np.flatnonzero(patients == name) for name in names}
    slow = []
    for _ in range(2000):
        drawn = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        slow.append((auc(labels[drawn], p[drawn]), np.mean((p[drawn] >= 0.5) == labels[drawn])))
    for figure, column in (("auc", 0), ("accuracy", 1)):
        low, high = np.quantile([row[column] for row in slow], [0.025, 0.975])
        assert getattr(fast, figure)[1:] == pytest.approx([low, high], abs=0.01)


def test_interval_widens_when_rows_of_a_patient_agree() -> None:
    labels, p, _ = made_up(200)
    twice = np.repeat(labels, 4), np.repeat(p, 4)
    by_patient = score(*twice, np.repeat(np.arange(200), 4).astype(str))
    by_row = score(*twice, np.arange(800).astype(str))
    width = [figures.auc[2] - figures.auc[1] for figures in (by_patient, by_row)]
    assert width[0] > 1.6 * width[1]


def test_score_is_the_same_for_the_same_seed() -> None:
    assert score(*made_up(), seed=3) == score(*made_up(), seed=3)
    assert score(*made_up(), seed=3) != score(*made_up(), seed=4)


def test_score_of_one_class_says_so() -> None:
    figures = score(np.zeros(4), np.full(4, 0.2), list("abcd"))
    assert figures.auc is None and figures.sensitivity is None
    assert figures.accuracy == (1.0, 1.0, 1.0)


def test_score_labels_leaves_unknown_out() -> None:
    labels, p, patients = made_up()
    both = np.stack([labels, labels], axis=1)
    both[:100, 1] = np.nan
    figures = score_labels(both, np.stack([p, p], axis=1), patients, ["a", "b"], replicates=50)
    assert [figures[name].n for name in "ab"] == [300, 200]


def test_a_label_that_is_known_of_no_row_is_left_out() -> None:
    labels, p, patients = made_up()
    both = np.stack([labels, np.full(300, np.nan)], axis=1)
    assert list(score_labels(both, np.stack([p, p], axis=1), patients, ["a", "b"], replicates=50)) == ["a"]


def test_averages_by_hand() -> None:
    """Label a is told perfectly, label b backwards: 1 and 0 average to 0.5; together they are 4 x 4 pairs."""
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1.0]])
    p = np.array([[0.9, 0.8], [0.7, 0.6], [0.3, 0.2], [0.1, 0.05]])
    found = average_labels(labels, p, list("abcd"), replicates=200)
    assert found["macro_average"]["auc"][0] == pytest.approx(0.5)
    # positives .9 .7 .2 .05, negatives .8 .6 .3 .1: won 4 + 3 + 1 + 0 of 16
    assert found["micro_average"]["auc"][0] == pytest.approx(0.5)
    one = average_labels(labels[:, :1], p[:, :1], list("abcd"), replicates=200)
    assert one["macro_average"]["auc"][0] == one["micro_average"]["auc"][0] == 1


def test_averages_leave_out_what_is_not_known_and_labels_of_one_class() -> None:
    labels, p, patients = made_up()
    alone = average_labels(labels[:, None], p[:, None], patients, replicates=100)
    wide = np.stack([labels, np.full(300, np.nan), np.zeros(300)], axis=1)
    found = average_labels(wide, np.stack([p, p, p], axis=1), patients, replicates=100)
    assert found["macro_average"] == alone["macro_average"]
    assert alone["macro_average"]["auc"] == pytest.approx(score(labels, p, patients, replicates=100).auc)
    none = average_labels(np.zeros((4, 2)), np.full((4, 2), 0.1), list("abcd"))
    assert none["macro_average"]["auc"] is None and none["micro_average"]["auc"] is None


def test_one_class_a_row_by_hand() -> None:
    reference, found = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    figures = score_single(reference, found, list("aabbcc"), ["x", "y", "z", "never"], replicates=100)
    assert figures.confusion == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert figures.accuracy == pytest.approx([4 / 6, *wilson(4, 6)])
    assert figures.macro_recall == pytest.approx((2 / 3 + 1 + 0) / 3), "a class that never occurs has no recall"
    low, high = figures.macro_recall_interval
    assert low <= figures.macro_recall <= high


def test_interval_of_accuracy_knows_that_rows_of_a_patient_agree() -> None:
    rng = np.random.default_rng(0)
    reference, patients = np.zeros(400, int), np.repeat(np.arange(100), 4).astype(str)
    found = np.repeat(rng.random(100) < 0.3, 4).astype(int)  # all four rows of a patient right, or all wrong
    figures = score_single(reference, found, patients, ["x", "y"])
    by_row, by_patient = figures.accuracy[1:], figures.accuracy_by_patient
    assert by_patient[1] - by_patient[0] > 1.6 * (by_row[1] - by_row[0])


def test_answers_outside_the_band() -> None:
    labels, p = np.array([0, 1, 1, 0, 1, np.nan]), np.array([0.1, 0.2, 0.4, 0.6, 0.9, 0.5])
    every = score_answers(labels, p, None)
    assert every.coverage[0] == 1 and every.error[0] == pytest.approx(3 / 5)
    some = score_answers(labels, p, [0.4, 0.6])
    assert some.coverage == pytest.approx([3 / 5, *wilson(3, 5)]), "the edges belong to the band"
    assert some.error == pytest.approx([1 / 3, *wilson(1, 3)])
    assert score_answers(labels, p, [0.0, 1.0]).error is None


@pytest.mark.parametrize(
    ("labels", "p", "patients"),
    [
        ([], [], ""),
        ([0, 1], [0.5], "ab"),
        ([0, 2], [0.1, 0.2], "ab"),
        ([0, 1], [0.1, 1.2], "ab"),
        ([0, 1], [0.1, np.nan], "ab"),
        ([0, 1], [0.1, 0.2], "a"),
    ],
)
def test_what_cannot_be_scored_is_refused(labels: list, p: list, patients: str) -> None:
    with pytest.raises(DataError):
        score(np.array(labels, float), np.array(p, float), list(patients))
