import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from lemons_core.card import read_card, write_card
from lemons_core.errors import ImageError, ModelError
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.data import SimulatedTiles, StoredTiles, Tile, target_of
from lemons_core.vision.gradcam import explain_crop
from lemons_core.vision.model import LABELS, build_network
from lemons_core.vision.predict import predict_crop, predict_files
from lemons_core.vision.preprocess import MOST_PIXELS, normalise, resample
from lemons_core.vision.train import EMPTY_CARD, Recipe, train
from lemons_core.vision.weights import read_model, write_model

RECIPE = Recipe(epochs=1, seed=3, batch=8, tiles=32, init="scratch", workers=0)


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
    assert resample(pixels, None, 0.1).shape == (200, 150), "unknown spacing is taken as film"
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
    logits = build_network().eval()(torch.zeros(2, 1, *size))
    assert logits.shape == (2, len(LABELS))


def test_the_pooled_score_lies_between_mean_and_maximum(model):
    inputs = torch.randn(1, 1, 256, 256)
    with torch.inference_mode():
        scores = model.network.score_map(inputs).flatten(2)
        pooled = model.network(inputs)
    assert (pooled >= scores.mean(2) - 1e-4).all()
    assert (pooled <= scores.amax(2) + 1e-4).all()


def test_a_model_round_trips_through_its_folder(model_folder, tmp_path):
    torch.manual_seed(1)
    network = build_network().eval()
    card = write_model(tmp_path, network, EMPTY_CARD)
    again = read_model(tmp_path)
    assert again.card == card == read_card(tmp_path)
    inputs = torch.randn(1, 1, 96, 96)
    with torch.inference_mode():
        torch.testing.assert_close(again.network(inputs), network(inputs), atol=2e-2, rtol=1e-2)  # stored as fp16


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


def hooks(network):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in network.modules())


def test_a_heat_map_fits_its_picture_and_leaves_no_hook(model, crop):
    before = hooks(model.network)
    found = explain_crop(crop, spacing_mm=0.05, target="macro", model=model)
    assert found.heat.shape == crop.shape
    assert found.heat.min() >= 0
    assert found.heat.max() <= 1
    assert hooks(model.network) == before
    assert all(parameter.grad is None for parameter in model.network.parameters())
    plain = predict_crop(crop, spacing_mm=0.05, model=model)
    assert found.result.probabilities == pytest.approx(plain.probabilities, abs=1e-5)


def test_an_unknown_label_is_refused_and_leaves_no_hook(model, crop):
    with pytest.raises(ModelError, match="Unknown label 'cancer'"):
        explain_crop(crop, spacing_mm=0.1, target="cancer", model=model)
    assert hooks(model.network) == 0


def test_heat_maps_and_predictions_at_the_same_time_give_each_its_own_answer(model):
    crops = [simulate_crop((), rng=np.random.default_rng(seed), size_px=96 + 32 * seed).pixels for seed in range(4)]
    alone = [explain_crop(c, spacing_mm=0.1, target="micro", model=model) for c in crops]
    together: dict[int, object] = {}

    def work(place):
        for _ in range(3):
            together[place] = explain_crop(crops[place], spacing_mm=0.1, target="micro", model=model)
            predict_crop(crops[place], spacing_mm=0.1, model=model)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, found in enumerate(alone):
        np.testing.assert_allclose(together[place].heat, found.heat, atol=1e-4)


def test_simulated_tiles_are_seeded_and_the_target_follows_what_is_visible():
    tiles = SimulatedTiles(EMPTY_CARD, count=40, seed=7)
    (one, _), (again, _) = tiles[3], SimulatedTiles(EMPTY_CARD, count=40, seed=7)[3]
    assert one.shape == (1, EMPTY_CARD.tile_px, EMPTY_CARD.tile_px)
    assert torch.equal(one, again)
    assert not torch.equal(one, SimulatedTiles(EMPTY_CARD, count=40, seed=8)[3][0])
    targets = torch.stack([tiles[i][1] for i in range(40)])
    assert ((targets[:, 1:].sum(1) > 0) == (targets[:, 0] > 0)).all()
    assert 0.3 < targets[:, 0].mean() < 0.9


def test_target_of_groups():
    assert target_of(()).tolist() == [0, 0, 0, 0, 0]
    assert target_of(("macro", "vascular")).tolist() == [1, 0, 1, 0, 1]


def test_stored_tiles_have_one_size_whatever_the_crop(tmp_path):
    for number, size in enumerate([(40, 300), (128, 128), (500, 90)]):
        np.save(tmp_path / f"{number}.npy", np.ones(size, np.float16))
    tiles = [Tile(tmp_path / f"{n}.npy", str(n), "p", ("micro",), "micro") for n in range(3)]
    items = StoredTiles(tiles, EMPTY_CARD, seed=0)
    assert {items[n][0].shape for n in range(3)} == {(1, EMPTY_CARD.tile_px, EMPTY_CARD.tile_px)}


def test_training_is_repeatable_and_leaves_a_model_that_predicts(tmp_path, crop):
    told = []
    first = train("simulated", tmp_path / "a", RECIPE, progress=lambda fraction, text: told.append(fraction))
    second = train("simulated", tmp_path / "b", RECIPE)
    assert first.sha256 == second.sha256
    assert told == sorted(told)
    assert told[-1] == 1
    assert first.simulated
    assert first.metrics["validation"]["n"] == 64
    assert first.metrics["held_out"]["n"] == RECIPE.tiles
    value, low, high = first.metrics["held_out"]["labels"]["calcification"]["auc"]
    assert 0 <= low <= value <= high <= 1
    assert len((tmp_path / "a" / "history.jsonl").read_text().splitlines()) == 1
    assert 0 <= predict_crop(crop, spacing_mm=0.1, model=read_model(tmp_path / "a")).calcification <= 1


def test_a_file_that_cannot_be_read_does_not_stop_the_others(model, tmp_path, crop):
    from lemons_core.images import write_png

    write_png(tmp_path / "good.png", crop, spacing_mm=0.1)
    (tmp_path / "bad.dcm").write_text("not an image")
    bad, good = predict_files([tmp_path / "bad.dcm", tmp_path / "good.png"], model=model)
    assert set(bad) == {"file", "error"}
    assert "bad.dcm" in bad["error"]
    assert (good["kind"], good["width"], good["height"]) == ("crop", 200, 200)
    assert good["spacing_mm"] == pytest.approx(0.1, abs=1e-4)


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


def test_the_shipped_models_heat_lies_on_the_calcium(fresh_crops):
    hits = []
    for crop in fresh_crops[0]:
        heat = explain_crop(crop.pixels, spacing_mm=0.1, target="calcification").heat
        near = binary_dilation(crop.mask, iterations=10)  # 1 mm
        hits.append(near.flat[heat.argmax()])
        assert near.mean() < 0.35, "else a hit means nothing"
    assert np.mean(hits) >= 0.7
