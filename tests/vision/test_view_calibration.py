"""Simulated whole views as the model reads them, and what its scores of places are worth."""

import shutil

import numpy as np
import pytest
from scipy.special import expit, logit

from lemons_core.base.config import SHIPPED_MODEL
from lemons_core.base.io import sha256_of
from lemons_core.vision.evaluate.view_calibration import calibrate_detections, draw_view, fit_detection_platt, read_view
from lemons_core.vision.network.weights import read_model
from lemons_core.vision.record.card import read_card


def test_scores_that_promise_too_much_are_scaled_to_what_is_found():
    rng = np.random.default_rng(0)
    real = rng.uniform(0.02, 0.9, 4000)
    hits = rng.random(4000) < real
    boasted = expit(3 * logit(real) + 2)
    slope, offset = fit_detection_platt(boasted, hits)
    believed = expit(slope * logit(boasted) + offset)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 1)):
        within = (believed >= low) & (believed < high)
        assert hits[within].mean() == pytest.approx(believed[within].mean(), abs=0.05)
    assert fit_detection_platt([0.9] * 50, [False] * 45 + [True] * 5) == (1.0, 0.0), "five hits say too little"
    assert fit_detection_platt(boasted, ~hits) == (1.0, 0.0), (
        "a score that falls where calcium is more likely is no score"
    )


def test_views_are_seeded_with_and_without_lesions():
    drawn, spacing = draw_view(1, seed=5, lesions=True)
    again, _ = draw_view(1, seed=5, lesions=True)
    other, _ = draw_view(1, seed=6, lesions=True)
    normal, _ = draw_view(1, seed=5, lesions=False)
    assert spacing == 0.1 and np.array_equal(drawn.pixels, again.pixels)
    assert not np.array_equal(drawn.pixels, other.pixels)
    assert len(drawn.masks) == 2 and not normal.masks


def test_a_models_places_are_calibrated_in_its_card_and_its_weights_stay(tmp_path):
    folder = shutil.copytree(SHIPPED_MODEL, tmp_path / "model")
    told = []
    calibrate_detections(folder, views=3, progress=lambda part, text: told.append(part))
    card = read_card(folder)
    facts = card.training["detection_platt"]
    assert told[-1] == 1 and facts["views"] == 3 and 0 < facts["on calcium"] < facts["places"]
    assert card.detection_platt[0] > 0
    assert card.sha256 == read_card(SHIPPED_MODEL).sha256 == sha256_of(folder / "weights.safetensors")
    assert read_model(folder).card.detection_platt == card.detection_platt, "a model that was read before is read again"


def test_the_same_place_is_less_certain_in_a_view_than_in_a_crop_and_the_order_stays():
    raw = read_view((1, True), seed=7, model=SHIPPED_MODEL, scale=(1.0, 0.0)).marked
    kept = read_view((1, True), seed=7, model=SHIPPED_MODEL).marked
    assert [mark.lesion for mark in raw.marks] == [mark.lesion for mark in kept.marks]
    assert any(mark.lesion is not None for mark in kept.marks)
    assert all(one.score < other.score for one, other in zip(kept.marks, raw.marks, strict=True) if other.score > 0.5)
    assert kept.score == kept.marks[0].score
