from dataclasses import replace

import numpy as np
import pytest
import torch

from lemons_core.base.errors import ImageError, ModelError
from lemons_core.mammogram import film_if_unknown
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.detect.classify import predict_crop
from lemons_core.vision.network.model import LABELS, build_network, pool
from lemons_core.vision.network.preprocess import MOST_PIXELS, normalise, resample
from lemons_core.vision.network.weights import read_model, write_model
from lemons_core.vision.record.card import read_card, write_card
from lemons_core.vision.tiles.constants import EMPTY_CARD


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    write_model(folder, build_network(), replace(EMPTY_CARD, name="untrained", trained_on="nothing"))
    return folder


@pytest.fixture(scope="module")
def model(model_folder):
    return read_model(model_folder)


@pytest.fixture(scope="module")
def crop():
    return simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(5), size_px=200).pixels


def test_resampling_honours_the_spacing_and_its_limits():
    pixels = np.random.default_rng(0).random((400, 300), dtype=np.float32)
    assert resample(pixels, 0.05, 0.1).shape == (200, 150)
    assert resample(pixels, film_if_unknown(None), 0.1).shape == (200, 150), "unknown spacing is taken as film"
    assert resample(pixels, 0.2, 0.1).shape == (800, 600)
    assert min(resample(pixels[:20, :300], 0.05, 0.1).shape) >= 64
    assert resample(np.zeros((3000, 5000), np.float32), 0.2, 0.1).size <= MOST_PIXELS * 1.01


def test_resampling_averages_so_a_speck_keeps_its_light():
    pixels = np.zeros((256, 256), np.float32)
    pixels[100:102, 100:102] = 1
    assert resample(pixels, 0.05, 0.1).sum() == pytest.approx(1, rel=0.05)


def test_normalisation_forgets_brightness_and_contrast(crop):
    card = EMPTY_CARD
    plain, other = normalise(crop, card), normalise(0.2 + 0.6 * crop, card)
    assert np.abs(plain - other).mean() < 0.15 * np.abs(plain).mean()
    assert np.isfinite(normalise(np.zeros((80, 80), np.float32), card)).all()


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (333, 250)])
def test_the_network_takes_any_size(size):
    logits = build_network().eval()(torch.zeros(2, 1, *size)).logits
    assert logits.shape == (2, len(LABELS))


def test_the_pooled_score_lies_between_mean_and_maximum():
    scores = torch.randn(2, 5, 16, 16)
    pooled = pool(scores)
    assert (pooled >= scores.mean((2, 3)) - 1e-4).all()
    assert (pooled <= scores.amax((2, 3)) + 1e-4).all()


def test_a_model_round_trips_through_its_folder(model_folder, tmp_path):
    torch.manual_seed(1)
    network = build_network().eval()
    card = write_model(tmp_path, network, EMPTY_CARD)
    again = read_model(tmp_path)
    assert again.card == card == read_card(tmp_path)
    inputs = torch.randn(1, 1, 96, 96)
    with torch.inference_mode():
        stored, own = again.network(inputs).logits, network(inputs).logits
        torch.testing.assert_close(stored, own, atol=5e-2, rtol=1e-2)  # stored as fp16


def test_exchanged_weights_are_refused(tmp_path):
    write_model(tmp_path, build_network(), EMPTY_CARD)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        read_model(tmp_path)


def test_no_card_no_model(tmp_path, model_folder):
    with pytest.raises(ModelError, match="no model card"):
        read_model(tmp_path)
    write_card(tmp_path, read_card(model_folder))
    with pytest.raises(ModelError, match="weights are missing"):
        read_model(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        read_model(tmp_path)
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ModelError, match="does not fit this version"):
        read_model(tmp_path)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3), np.float32), np.full((99, 99), 7.0), np.full((99, 99), np.nan)])
def test_pixels_that_are_no_grey_image_are_refused(model, pixels):
    with pytest.raises(ImageError):
        predict_crop(pixels, spacing_mm=0.1, model=model)


def test_probabilities_of_a_crop(model, crop):
    result = predict_crop(crop, spacing_mm=0.1, model=model)
    assert set(result.probabilities) == {"amorphous", "macro", "micro", "vascular"}
    assert all(0 <= p <= 1 for p in [result.calcification, *result.probabilities.values()])
    assert result.probabilities[result.top] == max(result.probabilities.values())


@pytest.fixture(scope="module")
def fresh_crops():
    """Simulated crops of a seed that no training used, with and without calcium."""
    kinds = ["PLEOMORPHIC", "COARSE", "ROUND_AND_REGULAR", "PUNCTATE", "LUCENT_CENTERED", "FINE_LINEAR_BRANCHING"]
    found = [
        simulate_crop((kind,), rng=np.random.default_rng(70_000 + n), size_px=192) for n, kind in enumerate(kinds * 2)
    ]
    normal = [simulate_crop((), rng=np.random.default_rng(80_000 + n), size_px=192) for n in range(12)]
    return [crop for crop in found if crop.tokens], normal


def test_the_shipped_model_tells_calcium_from_tissue_it_never_saw(fresh_crops):
    found, normal = ([predict_crop(c.pixels, spacing_mm=0.1).calcification for c in crops] for crops in fresh_crops)
    pairs = [a > b for a in found for b in normal]
    assert np.mean(pairs) > 0.9
    assert read_model().card.simulated
