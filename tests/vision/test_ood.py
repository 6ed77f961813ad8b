"""The distance in feature space: near for tissue, far for what the network never saw, and never for other weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.strangers import document, noise

from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.view import simulate_view
from lemons_core.vision.detect.ood import (
    FEATURES_NAME,
    FeatureDistribution,
    add_feature_distribution,
    ood_distance,
    read_feature_distribution,
)
from lemons_core.vision.network.model import CalcificationNet
from lemons_core.vision.network.weights import Model, read_model, write_model
from lemons_core.vision.tiles.constants import EMPTY_CARD
from lemons_core.vision.tiles.data import SimulatedTiles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights: the distance must not lean on how good they are."""
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("model")
    write_model(directory, CalcificationNet().eval(), EMPTY_CARD)
    return directory


@pytest.fixture(scope="module")
def fitted(folder: Path) -> FeatureDistribution:
    return add_feature_distribution(folder, SimulatedTiles(EMPTY_CARD, count=128, seed=1))


@pytest.fixture(scope="module")
def model(folder: Path, fitted: FeatureDistribution) -> Model:
    return read_model(folder)


def test_tissue_is_near_noise_and_a_page_are_far(folder, model):
    crop = simulate_crop(["PLEOMORPHIC"], rng=np.random.default_rng(5), size_px=300).pixels
    view = simulate_view([], rng=np.random.default_rng(5), spacing_mm=0.2).pixels
    near = [ood_distance(p, spacing_mm=s, model=replace(model, folder=folder)) for p, s in ((crop, 0.1), (view, 0.2))]
    white = noise(np.random.default_rng(0), 0, 300).astype(np.float32) / 255
    page = document(np.random.default_rng(0)).astype(np.float32) / 255
    far = [ood_distance(p, spacing_mm=0.1, model=replace(model, folder=folder)) for p in (white, page)]
    assert max(near) < 0.5 * min(far) and max(near) < 1


def test_a_picture_smaller_than_a_tile_has_a_distance(folder, model):
    small = simulate_crop(["PUNCTATE"], rng=np.random.default_rng(0), size_px=70).pixels
    assert np.isfinite(ood_distance(small, spacing_mm=0.1, model=replace(model, folder=folder)))


def test_typical_features_of_other_weights_are_not_used(folder, model, tmp_path):
    assert read_feature_distribution(folder, model.card) is not None
    assert read_feature_distribution(folder, replace(model.card, sha256="other")) is None
    assert read_feature_distribution(tmp_path, model.card) is None
    crop = simulate_crop([], rng=np.random.default_rng(0)).pixels
    assert ood_distance(crop, spacing_mm=0.1, model=replace(model, folder=tmp_path)) is None


def test_what_was_fitted_survives_the_disk(folder, fitted, model):
    kept = read_feature_distribution(folder, model.card)
    assert torch.equal(kept.mean, fitted.mean) and torch.equal(kept.precision, fitted.precision)
    assert kept.limit == pytest.approx(fitted.limit) and (folder / FEATURES_NAME).stat().st_size < 200_000
