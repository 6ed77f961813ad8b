"""Heat maps: they fit their place, leave the network alone, agree with pytorch-grad-cam, and depend on the weights."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, zoom

from lemons_core.base.config import SHIPPED_MODEL
from lemons_core.base.errors import ImageError, ModelError
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.detect import gradcam
from lemons_core.vision.detect.classify import predict_crop
from lemons_core.vision.detect.gradcam import (
    LAYERS,
    explain_crop,
    explain_detection,
    heat_inside,
    randomisation_similarity,
)
from lemons_core.vision.network.model import build_network
from lemons_core.vision.network.preprocess import normalise_image
from lemons_core.vision.network.weights import read_model, write_model
from lemons_core.vision.record.card import read_card
from lemons_core.vision.record.findings import Detection


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    write_model(folder, build_network(), replace(read_card(SHIPPED_MODEL), name="untrained", trained_on="nothing"))
    return read_model(folder)


@pytest.fixture(scope="module")
def crop():
    return simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(5), size_px=200).pixels


def region(row: int, col: int, height: int, width: int) -> Detection:
    groups = {"amorphous": 0.1, "macro": 0.2, "micro": 0.9, "vascular": 0.1}
    return Detection(row, col, height, width, 0.9, 5, 4.0, groups, "micro", False, None, np.zeros((5, 2)))


def state_of(network) -> tuple:
    hooks = sum(len(m._forward_hooks) + len(m._backward_hooks) for m in network.modules())
    gradients = [parameter.grad is None for parameter in network.parameters()]
    return hooks, all(gradients), [parameter.requires_grad for parameter in network.parameters()]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_heat_map_fits_its_picture_and_leaves_the_network_as_it_was(model, crop, layer):
    before = state_of(model.network)
    found = explain_crop(crop, spacing_mm=0.05, target="macro", layer=layer, model=model)
    assert found.heat.shape == crop.shape and found.heat.dtype == np.float32
    assert found.heat.min() >= 0 and found.heat.max() <= 1
    assert state_of(model.network) == before and before[:2] == (0, True)
    plain = predict_crop(crop, spacing_mm=0.05, model=model)
    assert found.result.probabilities == pytest.approx(plain.probabilities, abs=1e-5)
    assert found.result.calcification == pytest.approx(plain.calcification, abs=1e-5)


class LogitsOnly(torch.nn.Sequential):
    """A network as the package wants it."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs).logits


@pytest.mark.parametrize("target", ["calcification", "micro"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_map_is_that_of_pytorch_grad_cam(model, crop, layer, target):
    package = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    inputs = normalise_image(crop, 0.1, model.card).to_input()
    network = build_network()
    network.load_state_dict(model.network.state_dict())
    block = {"stage 2": network.layer2, "stage 3": network.layer3, "stage 4": network.layer4}[layer][-1]
    with package.GradCAM(model=LogitsOnly(network.eval()), target_layers=[block]) as cam:
        theirs = cam(inputs, targets=[targets.ClassifierOutputTarget(model.card.labels.index(target))])[0]
    own = explain_crop(crop, spacing_mm=0.1, target=target, layer=layer, model=model).heat
    assert own.max() > 0.9, "else the comparison means nothing"
    assert np.abs(own - theirs).mean() < 0.02 and np.corrcoef(own.flat, theirs.flat)[0, 1] > 0.99


def test_a_region_is_explained_in_its_place(model, crop):
    view = np.random.default_rng(0).random((900, 700), dtype=np.float32) * 0.1 + 0.3
    view[600:800, 100:300] += crop - crop.mean()
    found = explain_detection(view.clip(0, 1), region(620, 120, 160, 150), spacing_mm=0.1, target="micro", model=model)
    assert found.box == (540, 40, 320, 310), "8 mm around the box"
    assert found.heat.shape == (320, 310)
    full = found.on(view.shape)
    assert full.shape == view.shape and np.array_equal(full[540:860, 40:350], found.heat)
    full[540:860, 40:350] = 0
    assert not full.any()
    alone = explain_crop(view.clip(0, 1)[540:860, 40:350], spacing_mm=0.1, target="micro", model=model)
    np.testing.assert_allclose(found.heat, alone.heat, atol=1e-5)


@pytest.mark.parametrize(
    ("box", "spacing", "window"),
    [
        ((0, 0, 10, 10), 0.1, (0, 0, 90, 90)),
        ((990, 1990, 10, 10), 0.05, (830, 1830, 170, 170)),
        ((500, 500, 10, 10), 0.05, (340, 340, 330, 330)),
    ],
)
def test_the_window_stays_within_the_picture(box, spacing, window):
    assert gradcam.window_of(region(*box), (1000, 2000), spacing) == window


def test_unknown_labels_layers_and_pixels_are_refused(model, crop):
    with pytest.raises(ModelError, match="Unknown label 'cancer'"):
        explain_crop(crop, spacing_mm=0.1, target="cancer", model=model)
    with pytest.raises(ModelError, match="Unknown layer 'stage 9'"):
        explain_crop(crop, spacing_mm=0.1, target="micro", layer="stage 9", model=model)
    with pytest.raises(ImageError):
        explain_crop(crop[..., None], spacing_mm=0.1, target="micro", model=model)


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


def test_the_map_changes_when_the_shipped_model_forgets_and_the_model_itself_does_not(crop):
    shipped = read_model()
    before = {name: value.clone() for name, value in shipped.network.state_dict().items()}
    explained = explain_crop(crop, spacing_mm=0.1, target="calcification")
    found = randomisation_similarity(crop, explained)
    assert -1 <= found < 0.8
    assert found == randomisation_similarity(crop, explained), "seeded"
    assert all(torch.equal(before[name], value) for name, value in shipped.network.state_dict().items())


def test_a_map_that_learned_nothing_looks_the_same_when_it_forgets(model, crop, monkeypatch):
    monkeypatch.setattr(gradcam, "_randomised", lambda late, generator: late)
    explained = explain_crop(crop, spacing_mm=0.1, target="micro", model=model)
    assert randomisation_similarity(crop, explained, model=model) == 1


def test_share_of_heat_inside_a_mask():
    heat, mask = np.zeros((10, 10), np.float32), np.zeros((10, 10), bool)
    heat[2, 2], heat[8, 8], mask[:5, :5] = 0.75, 0.25, True
    assert heat_inside(heat, mask) == (0.75, 0.25)
    assert heat_inside(np.zeros((10, 10)), mask) == (0.0, 0.25)


def test_the_shipped_models_heat_lies_on_the_calcium():
    kinds = ["PLEOMORPHIC", "COARSE", "ROUND_AND_REGULAR", "PUNCTATE", "LUCENT_CENTERED", "FINE_LINEAR_BRANCHING"]
    crops = [
        simulate_crop((kind,), rng=np.random.default_rng(70_000 + n), size_px=192) for n, kind in enumerate(kinds * 2)
    ]
    hits = []
    for one in (crop for crop in crops if crop.tokens):
        heat = explain_crop(one.pixels, spacing_mm=0.1, target="calcification").heat
        near = binary_dilation(zoom(one.mask, np.array(heat.shape) / one.mask.shape, order=0), iterations=10)  # 1 mm
        assert near.mean() < 0.35, "else a hit means nothing"
        hits.append(near.flat[heat.argmax()])
    assert np.mean(hits) >= 0.7
