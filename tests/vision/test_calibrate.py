"""Temperature and abstain band on data whose right answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from lemons_core.metrics.binary import ece
from lemons_core.vision.evaluate.calibrate import calibrate
from lemons_core.vision.network.probabilities import abstains, calibrated
from lemons_core.vision.tiles.constants import EMPTY_CARD


def honest(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that say the truth, and targets drawn by them; (n, 1) each."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, size=(n, 1))
    return logits, (rng.random((n, 1)) < expit(logits)).astype(float)


def of_micro(logits: np.ndarray, temperature: dict[str, float]) -> np.ndarray:
    """(n,) probabilities of a model with this one label."""
    return calibrated(logits, replace(EMPTY_CARD, labels=("micro",), temperature=temperature))[:, 0]


@pytest.mark.parametrize("boast", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_how_much_a_network_boasts(boast: float) -> None:
    logits, targets = honest()
    found = calibrate(logits * boast, targets, ["micro"])[0]
    assert found["micro"] == pytest.approx(boast, rel=0.1)
    assert ece(targets[:, 0], of_micro(logits * boast, found)) < 0.03


def test_what_is_not_known_takes_no_part() -> None:
    logits, targets = honest()
    wild = np.concatenate([logits, np.full((500, 1), 50.0)])
    unknown = np.concatenate([targets, np.full((500, 1), np.nan)])
    assert calibrate(wild, unknown, ["micro"]) == calibrate(logits, targets, ["micro"])


def test_too_few_examples_choose_nothing() -> None:
    logits, targets = honest()
    targets[:] = 0
    targets[:9] = 1
    assert calibrate(logits, targets, ["micro"]) == ({"micro": 1.0}, {})


def test_outside_the_band_answers_are_wrong_at_most_as_often_as_stated() -> None:
    logits, targets = honest()
    temperature, abstain = calibrate(logits, targets, ["micro"], error=0.1)
    low, high = abstain["micro"]
    p, y = of_micro(logits, temperature), targets[:, 0]
    assert 0 < low < 0.5 < high < 1
    assert (y[p < low] == 1).mean() <= 0.1 and (y[p > high] == 0).mean() <= 0.1
    # Narrowest: a band that is a little smaller on either side is wrong too often.
    assert (y[p < low + 0.02] == 1).mean() > 0.1 and (y[p > high - 0.02] == 0).mean() > 0.1


def test_a_strict_error_widens_the_band_and_a_good_network_needs_none() -> None:
    logits, targets = honest()
    strict, loose = (calibrate(logits, targets, ["micro"], error=e)[1]["micro"] for e in (0.05, 0.2))
    assert strict[0] < loose[0] <= 0.5 <= loose[1] < strict[1]
    _, abstain = calibrate((targets - 0.5) * 8, targets, ["micro"])
    assert abstain == {}


def test_easy_answers_do_not_pay_for_wrong_ones_of_a_rare_label() -> None:
    """1000 right "no" beside 40 "yes" of which half are wrong: 2 % wrong in all, but no "yes" can be believed."""
    logits = np.concatenate([np.full(1000, -4.0), np.full(40, 2.0)])[:, None]
    targets = np.concatenate([np.zeros(1000), np.tile([0.0, 1.0], 20)])[:, None]
    low, high = calibrate(logits, targets, ["vascular"], error=0.1)[1]["vascular"]
    assert low == 0.5 and high == 1.0


def test_each_label_has_its_own() -> None:
    logits, targets = honest()
    both = np.concatenate([logits * 2, (targets - 0.5) * 8], axis=1)
    temperature, abstain = calibrate(both, np.concatenate([targets, targets], axis=1), ["micro", "macro"])
    assert temperature["micro"] == pytest.approx(2, rel=0.1)
    assert list(abstain) == ["micro"]


def test_no_answer_is_given_where_any_calcium_or_the_top_group_lies_in_its_band() -> None:
    card = replace(EMPTY_CARD, abstain={"calcification": [0.4, 0.6], "macro": [0.45, 0.55]})
    p = np.array(
        [[0.9, 0.1, 0.55, 0.1, 0.1], [0.9, 0.1, 0.5, 0.6, 0.1], [0.6, 0.1, 0.9, 0.1, 0.1], [0.9, 0.1, 0.9, 0.1, 0]]
    )
    assert abstains(p, card).tolist() == [True, False, True, False]
    assert not abstains(p, EMPTY_CARD).any(), "without a band every probability is an answer"
